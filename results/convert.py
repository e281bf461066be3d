"""Writes the results of an old commit in the format and with the names of today's studies.

    python results/convert.py

Reads ``results/`` as it is in commit :data:`COMMIT`, converts every JSON file, checks that each
number is still there, and writes the pages, and those pictures that need no trained learner, from
the converted files. Nothing is trained. The script may go once no such results are left.

Dropped, since they follow from what is kept: the limits of the robustness study (checked to be what
:func:`maml.studies.task_shift.limit_of` says), the values and distances of its axes (checked to be
those of :data:`maml.studies.task_shift.AXES`), its texts, the number of inner steps of a row (now
part of a column's name), and medians of angles that stood there twice.
"""

import collections
import csv
import dataclasses
import json
import math
import pathlib
import re
import shlex
import subprocess

import numpy as np
import pandas as pd

from maml.core.options import defaults_of
from maml.core.registry import REGULARIZERS as REGULARIZER_CLASSES
from maml.core.registry import TASKS
from maml.diagnostics import report as diagnosis
from maml.experiments import aggregation, report, selection, training
from maml.experiments.config import Config
from maml.experiments.study import Both, Plan, Study, run_name
from maml.studies import fewshot, memorization, robustness, robustness_plots, task_shift
from mine import reporting
from pose_code import study as pose_study
from pose_code import study_report
from pose_code.presets import preset_options

COMMIT = "d0b0407"
ROOT = pathlib.Path(__file__).parent

REGULARIZERS = {"weights": "mr_w", "activations": "mr_a", "decay": "weight_decay",
                "augment": "label_augmentation", "none": "none"}  # fmt: skip

OPTIONS = {
    "kl_weight": "mr_w.weight", "kl_layers": "mr_w.layers", "kl_sigma": "mr_w.sigma",
    "bottleneck_weight": "mr_a.weight", "l2_weight": "weight_decay.weight",
    "augment_probability": "label_augmentation.probability", "dataset": "task",
    "eval_episodes": "episodes_per_task", "information_draws": "num_relabelings",
    "knots": "head.knots", "harmonics": "head.harmonics",
    **{f"mi_{name}": f"INFORMATION.{new}" for name, new in {
        "bound": "bound", "weight": "weight", "warmup": "warmup", "draws": "num_relabelings",
        "cap": "cap", "noise": "noise", "power_penalty": "power_penalty"}.items()},
    **{name: f"task.{name}" for name in (
        "data", "data_dir", "extra_data_dir", "labels", "ways", "shots", "queries", "image_size",
        "cropped", "num_validation", "other_shots", "image_augmentation", "told", "rotations",
        "signed")},
    **{name: f"network.{name}" for name in (
        "dim_w", "filters", "embedding_normalization", "normalization", "shared_tower")},
    **{name: f"learner.{name}" for name in (
        "dim_r", "dim_z", "interaction", "heads", "inner_lr", "inner_steps", "test_inner_steps",
        "inner_optimizer", "inner_clip", "inner_batch_size", "regularization", "solver_steps",
        "damping")},
    **{name: name for name in (
        "learner", "regularizer", "head", "seed", "steps", "steps_per_epoch", "meta_batch_size",
        "meta_lr", "meta_lr_decay", "num_test_tasks", "num_validation_tasks",
        "information_every")},
}  # fmt: skip
"""Old flag -> dotted option. INFORMATION stands for the regularizer that the old target meant."""

HEADS = {"circle": "circular", "vonmises": "von_mises", "linear": "normal"}

SEQUENCES = {"kl_layers": str, "image_augmentation": str, "other_shots": int}
"""Options that were words with commas between them, and are sequences."""

VERDICTS = {
    "memorizes": diagnosis.MEMORIZES,
    "ignores its support set": diagnosis.DOES_NOT_ADAPT,
    "partly": diagnosis.IN_PART,
    "uses its support set": diagnosis.ADAPTS,
}

# -- options and commands ---------------------------------------------------------------------


def old(path: str):
    """A file of the old results."""
    text = subprocess.run(
        ["git", "-C", str(ROOT), "show", f"{COMMIT}:results/{path}"],
        capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    return json.loads(text) if path.endswith(".json") else text


def dotted(options: dict) -> dict:
    """Old options of a row, or of a command, with their new names."""
    options = dict(options)
    for word in filter(None, options.pop("task_options", "").split(";")):
        name, value = word.split("=")
        options[name] = typed(value)
    information = {"label": "label_mi", "prediction": "prediction_mi"}[
        options.pop("mi_target", "label")
    ]
    found = {}
    for name, value in options.items():
        if name == "bound_outputs":
            assert value is False
            found["head.bounds"] = None
            continue
        if name in SEQUENCES:
            value = tuple(map(SEQUENCES[name], str(value).split(",")))
        elif name == "head":
            value = HEADS[value]
        elif name == "regularizer":
            known = REGULARIZERS | {"mine": information}
            value = ",".join(known[word] for word in value.split(","))
        found[OPTIONS[name].replace("INFORMATION", information)] = value
    return found


def typed(word: str):
    """A word of a command as what it means."""
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return word


def flags_of(command: str) -> dict:
    """The flags of a command, name -> value."""
    words = [word for word in shlex.split(command) if word.startswith("--")]
    pairs = [word.removeprefix("--").partition("=") for word in words]
    return {name: typed(value) if given else True for name, given, value in pairs}


PLACES = ("logdir", "model_save_filename", "preset", "resume")
"""Flags that are no options of a run."""

MAML_TRAIN = {
    "task.shots": 10, "task.queries": 10, "task.ways": 5, "learner.inner_lr": 0.01,
    "learner.inner_steps": 5, "learner.interaction": 0, "meta_batch_size": 25, "steps": 10_000,
    "steps_per_epoch": 500,
}  # fmt: skip
"""What was meant where a command of ``maml.train`` did not say it."""


def config_of(command: str, preset: str | None) -> Config:
    """The configuration of an old command; options without effect are left out.

    Args:
        command: of one run.
        preset: that it had, or did not need to name; None for ``maml.train``.
    """
    given = dotted({k: v for k, v in flags_of(command).items() if k not in PLACES})
    fields = {name: value for name, value in given.items() if "." not in name}
    defaults = {name: value for name, value in given.items() if "." in name}
    standard = MAML_TRAIN if preset is None else preset_options(preset, given.get("learner"))
    return Config.of(fields, standard | defaults)


def every_option(config: Config) -> dict:
    """All options of a run, defaults included, as JSON holds them."""
    content = dataclasses.asdict(config)
    content["task_options"] = defaults_of(TASKS[config.task]) | config.task_options
    content["learner_options"] = config.learner_defaults()
    content["regularizer_options"] = {
        name: defaults_of(REGULARIZER_CLASSES[name]) | own
        for name, own in config.regularizers.items()
    }
    return json.loads(json.dumps(content))


def study_command(command: str, module: str, study: Study, names: dict[str, str]) -> str:
    """An old command of a study with today's names.

    Args:
        command: as it was typed.
        module: today's command.
        study: today's study.
        names: old row -> new row.
    """
    words = []
    for word in shlex.split(command)[3:]:
        if word.startswith("--methods="):
            (rows,) = csv.reader([word.removeprefix("--methods=")])
            rows = [names[row] for row in rows]
            assert all(any(row in table.rows for table in study.tables.values()) for row in rows)
            quoted = (f'"{row}"' if "," in row else row for row in rows)
            word = "--rows=" + ",".join(quoted)
        words.append(word)
    return shlex.join(["python", "-m", module, *words])


def provenance(result: dict, command: str) -> dict:
    """As of :func:`mine.reporting.provenance`; what was not kept is null."""
    return {
        "command": command,
        "git_commit": None,
        "hardware": result["hardware"],
        "versions": None,
        "date": result["date"],
    }


# -- rows -------------------------------------------------------------------------------------


def tidy(value):
    return tuple(map(tidy, value)) if isinstance(value, (list, tuple)) else value


def find_row(study: Study, table: str, options: dict) -> tuple[str, dict]:
    """The row of today's table that has these options, and the options in its order."""
    rows, found = study.tables[table].rows, []
    for name, row in rows.items():
        if isinstance(row, Both):
            row = [
                both
                for first in rows[row.first]
                for second in rows[row.second]
                for both in selection.combined(first, second)
            ]
        found += [
            (name, own) for own in row if {key: tidy(of) for key, of in own.items()} == options
        ]
    assert found, f"no row of {table} has {options}"
    assert len({name for name, _ in found}) == 1, f"several rows of {table} have {options}"
    return found[0]


def start_row(plan: Plan, table: str, old_row: dict, preset: str | None) -> dict:
    """The first columns of a row; its old commands are checked to be those of today's plan."""
    name, options = find_row(plan.study, table, dotted(old_row["options"]))
    seeds = old_row.get("seeds") or [old_row["seed"]]
    configs = [plan.config(table, options, seed) for seed in seeds]
    known = old_row.get("commands") or [old_row["command"]]
    assert not old_row.get("diverged"), "which seeds ended is not known"
    for config, command in zip(configs, known, strict=False):
        asked, given = every_option(config), every_option(config_of(command, preset))
        assert asked == given, f"{command} is not of the run:\n{given}\n{asked}"
    folders = [plan.logdir / run_name(config) for config in configs]
    return {
        "table": table,
        "row": name,
        "options": options,
        "method": configs[0].method_name(),
        "seeds": seeds,
        "diverged": 0,
        "folders": list(map(str, folders)),
        "commands": [
            plan._command(config, folder) for config, folder in zip(configs, folders, strict=True)
        ],
    }


def interval(column: str, of: dict) -> dict[str, float]:
    return {f"{column}.{end}": of[end] for end in ("mean", "ci95")}


def finish(row: dict, numbers: dict, metric: str, normalization=None, hardware=None) -> dict:
    """A row in the order in which studies write one."""
    about = {"normalization": normalization, "metric": metric, "provenance.hardware": hardware}
    about = {name: value for name, value in about.items() if value is not None}
    end = {name: numbers.pop(name) for name in ("gain", "together") if name in numbers}
    first = {name: row.pop(name) for name in ("table", "row", "options", "method")}
    return first | about | row | numbers | {"gain": None, "together": None} | end


def table_of(plan: Plan, name: str, rows: list[dict]) -> dict:
    table = plan.study.tables[name]
    return {"about": table.about, "base": table.base, "rows": rows}


# -- the check --------------------------------------------------------------------------------


def numbers_of(content) -> collections.Counter:
    """How often each number is in some JSON content; whole numbers count once."""
    found = collections.Counter()

    def walk(value):
        if isinstance(value, dict):
            for key, of in value.items():
                found[typed(str(key).rpartition(".")[2])] += 1  # Some are keys.
                walk(of)
        elif isinstance(value, (list, tuple)):
            for of in value:
                walk(of)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[value] += 1

    walk(content)
    return collections.Counter(
        {
            value: 1 if float(value).is_integer() else count
            for value, count in found.items()
            if isinstance(value, (int, float)) and math.isfinite(value)
        }
    )


def values_of(content) -> list[float]:
    """The numbers in some JSON content, not those in its keys."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, (list, tuple)):
        return [value for of in content for value in values_of(of)]
    known = isinstance(content, (int, float)) and not isinstance(content, bool)
    return [content] if known else []


def check(name: str, olds, new, dropped=()) -> None:
    """Raises unless each number of the old content is in the new one, as often.

    Args:
        name: of the file.
        olds: old content.
        new: converted content.
        dropped: numbers that were left out; the first paragraphs of this file say which.
    """
    new = json.loads(json.dumps(new))
    wanted = collections.Counter(values_of(olds))
    wanted.subtract(collections.Counter(dropped))
    there = numbers_of(new)
    lost = [
        value
        for value, count in wanted.items()
        if count > 0 and there[value] < (1 if float(value).is_integer() else count)
    ]
    assert not lost, f"{name} lost {len(lost)} numbers, such as {lost[:5]}"
    print(f"{name}: {wanted.total():,} numbers kept, {len(dropped):,} dropped")


# -- memorization -----------------------------------------------------------------------------

GROUPS = {
    "not trained on it": "not trained on information",
    "trained on the labels' information": "Label-MI",
    "trained on it, by a free critic": "Prediction-MI (MINE)",
}


def memorization_result() -> dict:
    result = old("memorization/memorization.json")
    plan = Plan(memorization.STUDY, pathlib.Path("output/memorization"), memorization.USUAL)
    tables = {name: [] for name in plan.chosen}
    for of in result["rows"]:
        row = start_row(plan, f"{of['learner']}_{of['shots']}", of, None)
        numbers = {
            **interval("scores.train.mse", of["train"]),
            **interval("scores.test.mse", of),
            **interval("scores.test.swap_gap", of["swap_gap"]),
            **interval(f"scores.validation.{aggregation.INFORMATION}", of["information"]),
            "cost.steps": float(of["steps"]),
            "cost.train_seconds": of["seconds"],
        }
        tables[row["table"]].append(finish(row, numbers, "mse", hardware=result["hardware"]))
    sweep = []
    for of in result["sweep"]:
        row = start_row(plan, f"{of['learner']}_{of['shots']}", of, None)
        numbers = {
            f"scores.{split}.mse.mean": of[f"{split}_mse"]
            for split in ("train", "validation", "test")
        }
        numbers["scores.test.swap_gap.mean"] = of["swap_gap"]
        numbers[f"scores.validation.{aggregation.INFORMATION}.mean"] = of["information"]
        if of["power_ratio"] is not None:
            numbers["terms.prediction_mi_power_ratio"] = of["power_ratio"]
        sweep.append(finish(row, numbers, "mse", hardware=result["hardware"]))
    correlation = {
        ", ".join([GROUPS.get(group, group), *of_learner]): content
        for name, content in result["correlation"].items()
        for group, *of_learner in [
            name.rsplit(", ", 1) if name.endswith(("CNP", "Meta-SGD")) else [name]
        ]
    }
    new = {
        "tables": {name: table_of(plan, name, rows) for name, rows in tables.items()},
        "sweep": sweep,
        "training_seconds": result["training_seconds"],
        "workers": result["workers"],
        "provenance": provenance(
            result, study_command(result["command"], "maml.studies.memorization", plan.study, {})
        ),
        "correlation": correlation,
    }
    check("memorization", result, new)
    return new


def memorization_files(output: pathlib.Path) -> None:
    result = memorization_result()
    report.write(result, memorization.page(result), output, memorization.STUDY.name)
    memorization.draw_sweep(result, output / "sweep.png")
    memorization.draw_diagnosis(result, output / "diagnosis.png")


# -- robustness -------------------------------------------------------------------------------


def shift_scores(column: str, of: dict) -> dict:
    error = of.get("error", of)
    return {
        **interval(f"further.{column}.error", error),
        **interval(f"further.{column}.no_support", of["before"]),
        **interval(f"further.{column}.solved", of["solved"]),
    }


def robustness_result() -> dict:
    sinusoids, shifts = old("robustness/sinusoids.json"), old("robustness/robustness.json")
    assert all(sinusoids[key] == shifts[key] for key in ("hardware", "date", "workers"))
    plan = Plan(robustness.STUDY, pathlib.Path("output/sinusoids"))
    rows, dropped = {}, []
    for of in sinusoids["rows"]:
        key = (of["learner"], of["shots"])
        if key not in rows:
            own = {k: v for k, v in flags_of(of["command"]).items() if k not in PLACES}
            options = plan.study.tables[f"shots_{of['shots']}"].rows[of["learner"]][0]
            row = start_row(
                plan, f"shots_{of['shots']}", of | {"options": undotted(options, own)}, None
            )
            rows[key] = row, {
                "cost.steps": float(of["steps"]), "cost.train_seconds": of["seconds"],
            }  # fmt: skip
        assert rows[key][0]["row"] == of["learner"]
        # A learner without inner steps has the same error after each number of them.
        rows[key][1].update(interval(f"further.mse_after.{of['inner_steps']}", of))
    for of in shifts["rows"]:
        row, numbers = rows[of["learner"], of["shots"]]
        assert of["seeds"] == row["seeds"] and of["steps"] == numbers["cost.steps"]
        if of["axis"] == "shape":
            numbers |= shift_scores(f"shape.{of['value']}", of)
            continue
        axis = task_shift.AXES[of["axis"]]
        index = axis.values.index(of["value"])
        assert axis.distances[index] == of["distance"]
        dropped += [of["value"], of["distance"]]
        numbers |= shift_scores(f"shift.{of['axis']}.{task_shift.key(of['value'])}", of)
    for kind, values in (("shots", task_shift.SUPPORTS), ("inner_steps", task_shift.STEPS)):
        for learner, scores in shifts[kind].items():
            numbers = rows[learner, task_shift.SHOTS][1]
            for value, of in zip(values, scores, strict=bool(scores)):
                numbers |= shift_scores(f"{kind}.{value}", of)
    tables = {name: [] for name in plan.study.tables}
    for row, numbers in rows.values():
        own = finish(row, numbers, "mse", hardware=sinusoids["hardware"])
        tables[own["table"]].append(own)
    for axis, limits in shifts["limits"].items():
        for row in tables[f"shots_{task_shift.SHOTS}"]:
            if row["row"] in limits:
                assert limits[row["row"]] == task_shift.limit_of(row, axis)
                dropped.append(limits[row["row"]])
    new = {
        "tables": {name: table_of(plan, name, of) for name, of in tables.items()},
        "sweep": [],
        "training_seconds": sinusoids["training_seconds"],
        "workers": sinusoids["workers"],
        "provenance": provenance(shifts, shifts["command"]),
    }
    # What is of a run stands in a row for each of its numbers of inner steps, axes and values.
    of_runs = ("seeds", "shots", "steps", "seconds", "diverged", "inner_steps")
    for key in of_runs:
        repeated = [row[key] for file in (sinusoids, shifts) for row in file["rows"] if key in row]
        dropped += set_apart(repeated)
    check("robustness", [sinusoids, shifts], new, dropped)
    return new


def set_apart(values: list) -> list:
    """Of values those beyond the first of each."""
    seen, more = set(), []
    for value in values_of(values):
        if value in seen:
            more.append(value)
        seen.add(value)
    return more


def undotted(options: dict, own: dict) -> dict:
    """The old options behind a row of the robustness study, of the flags of its command."""
    names = {name for name, new in OPTIONS.items() if new in options} | {"task_options"}
    return {"learner": own.get("learner", "maml")} | {k: v for k, v in own.items() if k in names}


def robustness_files(output: pathlib.Path) -> None:
    result = robustness_result()
    report.write(result, robustness.page(result), output, robustness.STUDY.name)
    robustness_plots.draw(robustness.shifted_rows(result), output)
    for name in ("sinusoids.md", "sinusoids.json"):
        (output / name).unlink(missing_ok=True)


# -- few-shot ---------------------------------------------------------------------------------

ACCURACIES = {
    "after": "accuracy", "before": "no_support_accuracy", "swapped": "mismatched_support_accuracy",
}  # fmt: skip


def fewshot_result(name: str) -> dict:
    result = old(f"fewshot/{name}/fewshot.json")
    (table,) = result["tables"]
    of_table = result["tables"][table]
    study = fewshot.with_files({of_table["base"]["dataset"]: of_table["images"]})
    plan = Plan(study, pathlib.Path("output/fewshot"), (table,), seeds=1)
    names = {}

    def converted(of):
        row = start_row(plan, of["table"], of, None)
        names[of["row"]] = row["row"]
        numbers = {}
        for split, scores in of["accuracy"].items():
            for key, new in ACCURACIES.items():
                numbers |= interval(f"scores.{split}.{new}", scores[key])
        numbers |= interval(f"scores.test.{aggregation.INFORMATION}", of["information"])
        numbers |= {f"cost.{key}": of[key] for key in ("seconds_per_step", "train_seconds")}
        numbers["cost.steps"] = float(of["steps"])
        return finish(row, numbers, "accuracy", of["normalization"], of["hardware"])

    rows, sweep = ([converted(of) for of in rows] for rows in (of_table["rows"], result["sweep"]))
    new = {
        "tables": {table: table_of(plan, table, rows)},
        "sweep": sweep,
        "training_seconds": training_seconds(rows + sweep),
        "workers": result["workers"],
        "provenance": provenance(
            result, study_command(result["command"], "maml.studies.fewshot", study, names)
        ),
        "images": {table: of_table["images"]},
    }
    check(f"fewshot/{name}", result, new)
    return new


def training_seconds(rows: list[dict]) -> float:
    """Of runs with one seed, each counted once."""
    return sum({row["folders"][0]: row["cost.train_seconds"] for row in rows}.values())


def fewshot_files(output: pathlib.Path) -> None:
    result = fewshot_result(output.name)
    report.write(result, fewshot.page(result), output, fewshot.STUDY.name)


# -- pose -------------------------------------------------------------------------------------


def objects(prefix: str, of: dict) -> dict:
    return {
        f"{prefix}.{name}.{score}": value
        for name, scores in of.items()
        for score, value in scores.items()
    }


def pose_numbers(of: dict) -> tuple[dict, list[float]]:
    """Columns of an old row of the pose experiment, and the numbers that were there twice."""
    numbers, dropped = {}, []
    names = {"train_mse": "mse", "train_pre_mse": "no_support_mse"}
    names["train_swap_mse"] = "mismatched_support_mse"
    for key, name in names.items():
        if key in of:
            numbers[f"scores.train.{name}.mean"] = of[key]
    if "validation_mse" in of:
        numbers["scores.validation.mse.mean"] = of["validation_mse"]
    for key, name in {
        "mse": "mse", "angle": "angle", "swap_gap": "swap_gap",
        "information_lower": "label_information_lower",
        "information_upper": "label_information_upper",
    }.items():  # fmt: skip
        numbers |= interval(f"scores.test.{name}", of[key])
    for key, own in {
        "median": "median_angle", "within_30": "within_30", "beyond_150": "beyond_150",
    }.items():  # fmt: skip
        if own in of:
            numbers[f"scores.test.angle.{key}"] = of[own]
        if key in of["angle"]:
            dropped.append(of["angle"][key])
            assert of["angle"][key] == numbers.setdefault(f"scores.test.angle.{key}", dropped[-1])
    numbers |= objects("scores.test.objects", of.get("objects", {}))
    for shots, scores in of.get("shots", {}).items():
        numbers |= interval(f"further.shots.{shots}.mse", scores["mse"])
        numbers[f"further.shots.{shots}.angle.median"] = scores["median_angle"]
    numbers |= {"cost.steps": float(of["steps"]), "cost.seconds_per_step": of["seconds_per_step"]}
    return numbers, dropped


def verdict(of: dict) -> str:
    return ", ".join(VERDICTS[word] for word in of["verdict"].split(", "))


def together(of: dict | None) -> dict | None:
    if of is None:
        return None
    scores = {key: of[key] for key in ("mse", "angle", "objects")}
    return {"scores": scores, "members": of.get("members", [])}


def normalization(words: str) -> str:
    return words.replace("normalisation", "normalization")


def pose_result(name: str) -> dict:
    result = old(f"pose/{name}/pose.json")
    typed_flags = flags_of(result["command"])
    study = pose_study.make_study(
        typed_flags["data_dir"], result["preset"], typed_flags.get("extra_data_dir", "")
    )
    changed = {"steps": typed_flags["steps"]} if "steps" in typed_flags else {}
    plan = Plan(
        study, pathlib.Path(typed_flags["logdir"]), tuple(result["tables"]), changed=changed
    )
    names, dropped, tables = {}, [], {}
    for table, of_table in result["tables"].items():
        rows = tables[table] = []
        for of in of_table["rows"]:
            row = start_row(plan, table, of, result["preset"])
            names[of["row"]] = row["row"]
            numbers, twice = pose_numbers(of)
            dropped += twice
            numbers |= {"gain": of.get("gain"), "together": together(of["together"])}
            row["diagnosis.train.verdict"] = verdict(of)
            words = normalization(of["normalization"])
            rows.append(finish(row, numbers, "mse", words, of["hardware"]))
    sweep = []
    for of in result["sweep"]:
        row = start_row(plan, of["table"], of, result["preset"])
        names[of["row"]] = row["row"]
        numbers = {
            f"scores.{split}.mse.mean": of[f"{split}_mse"]
            for split in ("train", "validation", "test")
        }
        numbers[f"scores.validation.{aggregation.INFORMATION}.mean"] = of["information"]
        sweep.append(finish(row, numbers, "mse"))
    table, options = next((of["table"], of["options"]) for rows in tables.values() for of in rows)
    baselines = []
    config = plan.config(table, options, 0)
    folder = plan.logdir / "baselines" / run_name(config)
    command = shlex.join(["python", "-m", "pose_code.baselines", *config.as_flags()])
    for of in result["baselines"]:
        row, twice = baseline_row(of, f"{command} --logdir={folder}", folder)
        baselines.append(row)
        dropped += twice
    models = pd.DataFrame(result["correlation"]["models"]).assign(
        row=lambda frame: frame["row"].map(names)
    )
    rows = list(dict.fromkeys(models["row"]))
    groups = {row: (row,) for row in rows} | {"all": tuple(rows)}
    correlation = aggregation.correlate(models, groups, "information", "test_mse")
    swap_gap = aggregation.correlate(models, {"all": tuple(rows)}, "swap_gap", "test_mse")
    for found, key in ((correlation, "information"), (swap_gap, "swap_gap")):
        known = result["correlation"]["spearman"].get(key)
        assert known is None or np.isclose(found["all"]["spearman"], known, rtol=1e-12)
        if known is not None:
            found["all"]["spearman"] = known
    new = {
        "tables": {of: table_of(plan, of, own) for of, own in tables.items()},
        "sweep": sweep,
        "workers": result["workers"],
        "provenance": provenance(
            result, study_command(result["command"], "pose_code.study", study, names)
        ),
        "asymmetry": result["asymmetry"],
        "data": result["data"],
        "baselines": baselines,
        "correlation": correlation,
        "correlation_swap_gap": swap_gap,
    }
    check(f"pose/{name}", result, new, dropped)
    return new


def baseline_row(of: dict, command: str, folder: pathlib.Path) -> tuple[dict, list[float]]:
    """The row of a predictor without training, and the numbers of it that were twice there."""
    found = re.fullmatch(r"(.*?)(?: \(h=(.*)\))?: nothing learned", of.get("row") or of["method"])
    name, bandwidth = found.groups()
    name = {"constant": "constant predictor"}.get(name, "kernel regression on pixels (no training)")
    numbers, twice = pose_numbers(of)
    row = {
        "table": "",
        "row": name,
        "options": {} if bandwidth is None else {"bandwidth": float(bandwidth)},
        "method": name,
        "seeds": [0],
        "diverged": 0,
        "folders": [str(folder / ("pixel_kernel" if bandwidth else "constant"))],
        "commands": [command],
        "diagnosis.train.verdict": verdict(of),
    }
    return finish(row, numbers, "mse", normalization(of["normalization"]), of["hardware"]), twice


def pose_files(output: pathlib.Path) -> None:
    result = pose_result(output.name)
    study_report.write(result, output)
    if (output / "information.png").exists():
        study_report.draw_information(result, output / "information.png")


def main_job_result() -> dict:
    """The table of the main job, as :mod:`maml.compare` writes one."""
    result, rows, dropped = old("pose/default.json"), [], []
    for of in result["rows"]:
        commands = [command.replace("../mainjob_out/", "output/") for command in of["commands"]]
        if of["steps"] == 0:
            row, twice = baseline_row(of, commands[0], pathlib.Path("output/runs"))
        else:
            configs = [config_of(command, "quick") for command in commands]
            preset = preset_options("quick", "cnp")
            folder = f"output/runs/{configs[0].regularizer}"
            folders = [
                f"{folder}-{config.seed}" * bool(config.seed) or folder for config in configs
            ]
            numbers, twice = pose_numbers(of)
            row = {"table": "", "row": "", "options": {}, "method": configs[0].method_name()}
            row |= {"seeds": [config.seed for config in configs], "diverged": 0}
            row["folders"] = folders
            row["commands"] = [
                training.as_command(config, to, module="pose_code.train", defaults=preset)
                for config, to in zip(configs, folders, strict=True)
            ]
            row["diagnosis.train.verdict"] = verdict(of)
            words = normalization(of["normalization"])
            row = finish(row, numbers, "mse", words, of["hardware"])
        assert len(row["seeds"]) == of["seeds"]
        dropped += twice + [of["seeds"]]
        row["verdict"] = row.pop("diagnosis.train.verdict")
        for key in ("table", "row", "options", "gain", "together"):
            del row[key]
        rows.append(row)
    new = {"rows": rows, "data": result["data"]}
    check("pose/default.json", result, new, dropped)
    return new


# -- benchmarks -------------------------------------------------------------------------------

WORDS = {
    "python -m mine.benchmark ": "python -m mine.benchmarks ",
    "CNP, labels (ba)": "CNP, Label-MI (ba)",
    "CNP, labels (mine)": "CNP, Label-MI (mine)",
    "CNP, predictions (mine)": "CNP, Prediction-MI (mine)",
    "MAML, labels (ba)": "MAML, Label-MI (ba)",
}
"""What files of the benchmarks say -> what they say from now on."""

MESSAGES = {
    r"bound='infonce' compares all pairs of a batch: negatives='all'\.": (
        "Invalid value for `negatives`: expected 'all' for bound='infonce', which compares all "
        "pairs of a batch; received #."
    ),
    r"A (bilinear|separable) critic makes the scores of all pairs from two vectors a sample, so "
    r"under bound='(\w+)' a few large ones rule the normaliser of every batch and training "
    r"diverges: use a number of negatives, bound='js' or 'infonce'\.": (
        r"Invalid value for `negatives`: expected a number for critic='\1' and bound='\2'; "
        "received 'all', with which training diverges, since a few large scores dominate the "
        "normalizer of every batch; give a number, or use bound='js' or 'infonce'."
    ),
    r"Column # of x is constant, # in every sample: it tells nothing; remove it\.": (
        "Invalid value for `x`: expected columns that vary; received column #, which is # in "
        "every sample; remove it."
    ),
}
"""Messages of ``mine.estimate`` that are counted -> what they are now."""


def text_files() -> None:
    names = subprocess.run(
        ["git", "-C", str(ROOT.parent), "ls-tree", "-r", "--name-only", COMMIT,
         "results/benchmarks", "results/mine"],
        capture_output=True, check=True, text=True,
    ).stdout.split()  # fmt: skip
    for name in names:
        if name.endswith((".json", ".md")):
            show = ["git", "-C", str(ROOT.parent), "show", f"{COMMIT}:{name}"]
            text = subprocess.run(show, capture_output=True, check=True, text=True).stdout
            for word, new in WORDS.items():
                text = text.replace(word, new)
            for message, new in MESSAGES.items():
                text = re.sub(message, new, text)
            path = ROOT.parent / name
            path.write_text(text, encoding="utf-8")
            if name.endswith(".json"):
                check(name, old(name.removeprefix("results/")), json.loads(text))


def main():
    memorization_files(ROOT / "memorization")
    robustness_files(ROOT / "robustness")
    for folder in sorted((ROOT / "fewshot").iterdir()):
        fewshot_files(folder)
    for folder in sorted((ROOT / "pose").iterdir()):
        if folder.is_dir():
            pose_files(folder)
    reporting.write_json(main_job_result(), ROOT / "pose/default.json")
    text_files()


if __name__ == "__main__":
    main()
