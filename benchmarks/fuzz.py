"""Fuzzes by coverage: an input that reaches new code is kept, and changed further.

    python benchmarks/fuzz.py --fuzzers=test_changed_bytes --seconds=300

Runs the fuzzers of `tests/fuzz` whose names hold one of the words of --fuzzers, one by one; all
without it. Where the tests draw their examples at random, here atheris (libFuzzer) chooses them by
the lines of this library and of Pillow that they reach. Prints for each the number of inputs, the
seconds, how many edges of the code were reached and, if it fails, the input. With --output, writes
``fuzz.md`` and ``.json`` there after each, where the other fuzzers stay as they are. Needs
`[bench]`, and Linux. The exit code is 1 if one failed.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable

from absl import flags

from mine import reporting
from mine.reporting import commands

ROOT = pathlib.Path(__file__).parents[1]
INSTRUMENTED = ("mine", "maml", "pose_data", "PIL")

# The modules have to be instrumented when they are first imported, which collecting the tests does.
RUN = f"""
import sys, atheris
with atheris.instrument_imports(include={INSTRUMENTED}, enable_loader_override=False):
    import pytest
    sys.exit(pytest.main(sys.argv[1:]))
"""


def names(words: list[str]) -> list[str]:
    """The fuzzers whose names hold one of some words, as pytest writes them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/fuzz"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if "::" in line]
    return [name for name in found if not words or any(word in name for word in words)]


def fuzz(name: str, seconds: int) -> dict:
    """Runs one fuzzer.

    Returns:
        ``inputs``, ``seconds``, ``edges`` reached, ``kept`` inputs, and ``failure``: the input that
        failed and why, or "".
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        limits = {"max_total_time": seconds, "timeout": 60, "rss_limit_mb": 3000, "max_len": 4096}
        limits |= {"len_control": 0, "artifact_prefix": f"{folder}/"}
        guided = " ".join(f"-{limit}={value}" for limit, value in limits.items())
        environment = os.environ | {"FUZZ_GUIDED": guided, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", RUN, "-q", "-s", "-p", "no:cacheprovider", name]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    text = done.stdout + done.stderr
    states = re.findall(r"#(\d+)\s+\w+\s+cov: (\d+) ft: \d+ corp: (\d+)", text)
    finished = re.search(r"Done (\d+) runs in (\d+) second", text)
    inputs, edges, kept = map(int, states[-1]) if states else (0, 0, 0)
    return {
        "fuzzer": name.rpartition("::")[2],
        "inputs": int(finished[1]) if finished else inputs,
        "seconds": int(finished[2]) if finished else round(time.monotonic() - started),
        "edges": edges,
        "kept": kept,
        "failure": "" if finished and not done.returncode else told(text),
    }


def told(text: str) -> str:
    """What a fuzzer that failed says of the input and the error; else the end of what it says."""
    start = text.rfind("FAILED with ")
    return text[start:][:8000] if start >= 0 else text[-4000:]


def table(rows: Iterable[dict]) -> list[str]:
    """The figures of fuzzers as a table."""
    columns = ("fuzzer", "inputs", "seconds", "edges", "kept", "failed")
    cells = [
        [
            row["fuzzer"],
            *(f"{row[name]:,}" for name in columns[1:-1]),
            "yes" if row["failure"] else "",
        ]
        for row in rows
    ]
    return reporting.markdown_table(columns, cells)


def page(found: dict[str, dict]) -> str:
    """The page of all fuzzers that were run."""
    lines = [
        "# Fuzzers, guided by coverage",
        "",
        "Inputs tried; edges: branches of the readers, and of Pillow, that they reached; kept: "
        "inputs that reached new ones.",
        "",
        *table(found.values()),
        "",
        *reporting.origins(found.values()),
    ]
    return "\n".join(lines) + "\n"


def main():
    given = flags.FLAGS
    output = pathlib.Path(given.output) if given.output else None
    rows = []
    for name in names(given.fuzzers):
        rows.append(row := fuzz(name, given.seconds))
        if row["failure"]:
            print(row["failure"])
        print(json.dumps(row | {"failure": bool(row["failure"])}), flush=True)
        if output:
            path = output / "fuzz.json"
            kept = reporting.read_json(path) if path.exists() else {}
            kept[row["fuzzer"]] = reporting.provenance("benchmarks/fuzz.py") | row
            found = dict(sorted(kept.items()))
            reporting.write_tables(found, page(found), output, "fuzz")
    print("\n".join(table(rows)))
    sys.exit(1 if not rows or any(row["failure"] for row in rows) else 0)


if __name__ == "__main__":
    flags.DEFINE_list("fuzzers", [], "Words in the names of the fuzzers to run; all without it.")
    flags.DEFINE_integer("seconds", 60, "For each fuzzer.", lower_bound=1)
    flags.DEFINE_string("output", None, "Folder of a table; none is written without it.")
    commands.run(main)
