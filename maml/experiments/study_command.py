"""What the commands of studies share: flags, the run, and where its tables and pictures go."""

import contextlib
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from absl import flags

from maml.core.options import distinct
from maml.experiments import determinism
from maml.experiments.executors.local import CORES
from maml.experiments.executors.opening import KINDS, open_executor
from maml.experiments.report import figures, page
from maml.experiments.study import NotTrainedError, Plan, Study, run_study
from mine import reporting
from mine.reporting import commands
from mine.reporting.processes import resources
from mine.reporting.processes.claims import ClaimedError

RUN_BYTES = 200_000
"""What a run leaves on the disk, at least: learner, checkpoint, curves and records."""


def define_flags(study: Study, tables: Sequence[str] | None = None) -> None:
    """Defines the flags of a study's command.

    Args:
        study: what is compared.
        tables: names of the tables that are run by default; all if None.
    """
    own = ", ".join(f"{name} {table.seeds}" for name, table in study.tables.items())
    flags.DEFINE_string("logdir", None, "Folder of the runs.", required=True)
    flags.DEFINE_string("output", None, "Folder of tables and pictures.", required=True)
    flags.DEFINE_integer("seeds", None, f"Number of seeds. [by table: {own}]", lower_bound=1)
    flags.DEFINE_integer("workers", CORES, "Trainings side by side on this machine.", lower_bound=1)
    flags.DEFINE_string("executor", "local", f"Where trainings run: {', '.join(KINDS)}.")
    flags.DEFINE_bool(
        "print_commands",
        False,
        "Print a command for each training that is not done, for a scheduler of your own, and end.",
    )
    usual = ",".join(tables) if tables else "all"
    flags.DEFINE_list(
        "tables", list(tables) if tables else None, f"Among {', '.join(study.tables)}. [{usual}]"
    )
    flags.DEFINE_list("rows", None, "Rows of the tables. [all]")
    flags.DEFINE_integer("steps", None, "Training steps. [those of each table]", lower_bound=1)


def plan_from_flags(study: Study, **changed) -> Plan:
    """The plan that the flags of :func:`define_flags` ask for; ``changed`` are further options.

    Raises:
        ValueError: a table or row is unknown, or the file of a table is missing.
    """
    values = flags.FLAGS
    for name in ("tables", "rows"):
        typed = values[name].value
        if typed is not None:
            distinct(typed, name)  # Refuses a flag without a value.
    if values.seeds is not None:
        needed = values.seeds * RUN_BYTES
        resources.require("seeds", values.seeds, needed, resources.disk(values.logdir))
    if values.steps is not None:
        changed["steps"] = values.steps
    plan = Plan(
        study,
        pathlib.Path(values.logdir),
        tuple(values.tables or ()),
        tuple(values.rows or ()),
        values.seeds,
        open_executor(values.executor, values.workers, pathlib.Path(values.logdir)),
        changed,
        values.print_commands,
    )
    for table in plan.chosen.values():  # Unknown names are refused.
        data = table.base.get("task.data")
        if data is not None and not pathlib.Path(data).exists():  # Before workers start.
            raise ValueError(f"There is no {data}: expected a file of maml.tasks.prepare.")
    return plan


def run(
    study: Study | Callable[[], Study],
    write: Callable[[dict, Plan, pathlib.Path], str],
    program: str,
) -> None:
    """The command of a study, once its flags are defined; arguments as of :func:`main`.

    Studies may share their runs, so that no folder is kept from others while it works: each run is
    claimed by itself, and the tables while they are written.
    """
    commands.run(lambda: main(study, write, program), ["logdir", "output"], claims=False)


def main(
    study: Study | Callable[[], Study],
    write: Callable[[dict, Plan, pathlib.Path], str],
    program: str,
    changed: Callable[[], Mapping] = dict,
) -> None:
    """Runs a study and writes its page, in Markdown and as ``report.html``.

    Args:
        study: what is compared, or what makes it once flags are read.
        write: writes tables and pictures of a result into a folder, and returns the page.
        program: the module of the command.
        changed: further options in place of those of the study.
    """
    determinism.share_cores()
    output, start = pathlib.Path(flags.FLAGS.output), time.time()
    executor = flags.FLAGS.executor.partition(":")[0]
    try:
        plan = plan_from_flags(study if isinstance(study, Study) else study(), **changed())
        with plan.executor:
            result = run_study(plan)
        result |= {"workers": getattr(plan.executor, "workers", 1), "executor": executor}
        result["provenance"] = reporting.provenance(program)
        with _claim_when_free(output):
            before = figures.states(output)
            text = write(result, plan, output)
            drawn = figures.drawn_since(output, before)
            page.write(page.of_study(plan.study, result, text, drawn), output)
    except NotTrainedError as missing:
        print(*missing.args[0], sep="\n")
        count = reporting.counted(len(missing.args[0]), "training")
        print(
            f"Missing: {count}. When all are done, the same command prints those that depend on "
            "them, or without --print_commands makes the tables.",
            file=sys.stderr,
        )
        return
    except ValueError as error:
        sys.exit(f"Error: {error}")
    print(text)
    print(
        f"{(time.time() - start) / 60:.0f} minutes; tables, pictures and report.html in {output}."
    )


@contextlib.contextmanager
def _claim_when_free(folder: pathlib.Path):
    """Makes a folder this process's own; waits for another study that shares the runs."""
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(reporting.claim(folder))
                break
            except ClaimedError:
                time.sleep(1)
        yield
