"""How far may a task drift from those of training before adaptation fails?

    python -m maml.studies.robustness --logdir=output/sinusoids --output=results/robustness

The learners of :mod:`maml.studies.sinusoids`, trained on sinusoids with amplitude 0.1 to 5, phase 0
to pi and frequency 1, adapt to functions of other amplitudes, phases, frequencies, ranges, shapes,
and to noisy labels. Drifts go along one axis at a time; everything else is drawn as in training.

* error: squared error to the truth, over the mean square of the truth of the tested tasks, so 1 is
  the error of answering 0;
* solved: a task whose error after the support set is below a tenth of that mean square;
* limit: the distance along an axis up to which half of the tasks are solved.

Writes ``robustness.{md,json}`` and pictures. Models that are there are not trained again.
"""

import functools
import pathlib
import sys
import time

from absl import flags

from maml.experiments import sweep
from maml.studies import robustness_report, sinusoids, task_shift
from maml.studies.task_shift import AXES, SHOTS
from mine import reporting
from mine.reporting import commands

NAME = "robustness"


def rows(result: dict[str, dict], records: dict[tuple, dict]) -> list[dict]:
    """The table: one row for each learner and drift."""
    table = []
    for name, scores in result.items():
        ended = [
            (key, r) for key, r in records.items() if key[0] == name and sweep.DIVERGED not in r
        ]
        common = {"learner": name, "regularizer": "none", "shots": SHOTS}
        common |= {"seeds": [key[2] for key, _ in ended], "command": ended[0][1]["command"]}
        common["steps"] = ended[0][1]["steps"]
        measured = [
            (axis, value, distance, score)
            for axis, of in AXES.items()
            for value, distance, score in zip(
                of.values, of.distances, scores["axes"][axis], strict=True
            )
        ]
        measured += [("shape", shape, None, score) for shape, score in scores["shapes"].items()]
        for axis, value, distance, score in measured:
            row = {"axis": axis, "value": value, "distance": distance, **score["error"]}
            row |= {"before": score["before"], "solved": score["solved"]}
            table.append(common | row)
    return table


def main():
    output, start = pathlib.Path(flags.FLAGS.output), time.time()
    try:
        plan = sinusoids.planned()
        records = plan.run(sinusoids.LEARNERS, (SHOTS,), "Training")
        ended = [key for key, record in records.items() if sweep.DIVERGED not in record]
        if not ended:
            raise ValueError(f"All runs diverged; the last: {records.popitem()[1][sweep.DIVERGED]}")
        jobs = {
            "_".join(map(str, key)): functools.partial(task_shift.drift, plan.path(*key))
            for key in ended
        }
        scores = dict(zip(ended, sweep.run(jobs, plan.workers, "Drifting").values(), strict=True))
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
    scored = {
        name: [score for key, score in scores.items() if key[0] == name]
        for name in dict.fromkeys(key[0] for key in ended)
    }
    aggregated = task_shift.aggregate(scored)
    result = reporting.provenance("maml.studies.robustness") | {"workers": plan.workers}
    result |= {"rows": rows(aggregated, records), "limits": task_shift.limits(aggregated)}
    result |= {
        "shots": {name: of["shots"] for name, of in aggregated.items()},
        "inner_steps": {name: of["inner_steps"] for name, of in aggregated.items()},
        "answer": robustness_report.words(aggregated),
    }
    reporting.write_tables(result, robustness_report.markdown(result), output, NAME)
    robustness_report.draw(aggregated, plan, output)
    print(result["answer"])
    print(f"{(time.time() - start) / 60:.0f} minutes; table and pictures in {output}.")


if __name__ == "__main__":
    sinusoids.define_flags()
    flags.adopt_module_key_flags(sinusoids)  # For --help.
    commands.run(main, ["logdir", "output"])
