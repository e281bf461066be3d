"""``report.html``, a page for a browser, from any finished runs.

    python -m maml.experiments.report RUNS --output=LOGS

``RUNS`` are folders of runs, or folders that hold such folders. Runs that were scored on other
tasks or data stand in tables of their own. Nothing here needs TensorFlow.
"""

import pathlib
import sys

from absl import flags

from maml.experiments.report import comparison, page
from mine import reporting
from mine.reporting import commands


def define_flags() -> None:
    """Defines the flags of this command."""
    flags.DEFINE_list("runs", [], "Folders of runs; also without the name of the flag.")
    flags.DEFINE_string("output", ".", "Folder of report.html.")


def main() -> None:
    """Writes the page."""
    output = pathlib.Path(flags.FLAGS.output)
    try:
        groups = comparison.comparable(comparison.find_records(flags.FLAGS.runs))
        content = page.of_runs(groups, reporting.provenance("maml.experiments.report"))
        output.mkdir(parents=True, exist_ok=True)
        page.write(content, output)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    print(f"{content.title}: {output / page.NAME}")


def cli() -> None:
    """The command, as ``maml-report``."""
    define_flags()
    commands.run(main, ["output"], words="runs")
