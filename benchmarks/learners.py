"""Training steps of learners: this library beside PyTorch, JAX and others, on the same problems.

    python benchmarks/peers/environments.py --peers=PEERS
    python benchmarks/learners.py --peers=PEERS --output=results/benchmarks

Each way to train is a process of its own (:mod:`benchmarks.peers.worker`), which keeps its compiled
step. All have the same initial weights and batches; the losses of the first steps are compared, so
that what is timed is the same mathematics. Then they take turns in rounds. Of each round the load
and what other programs took of the processors are noted. Writes ``learners.md``, ``.json`` and
``.png`` after each workload; workloads that are not asked for are kept from an earlier run.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from absl import flags
from peers import page

from mine import reporting
from mine.reporting import commands
from mine.reporting.progress import ProgressBar

FLAGS = flags.FLAGS
PEERS = pathlib.Path(__file__).resolve().parent / "peers"


class Entry(NamedTuple):
    """A way to train: the script in ``peers/``, and its name there."""

    script: str
    way: str
    same: bool = True
    """Whether its objective is the same, so that its losses are compared with ours."""

    @property
    def python(self) -> pathlib.Path:
        """The interpreter of its environment."""
        environment = self.script.partition("_")[0]
        if environment in ("ours", "tf1"):
            return pathlib.Path(sys.executable)
        return pathlib.Path(FLAGS.peers) / environment / "bin" / "python"


_TORCH = {"learn2learn": "learn2learn", "higher": "higher", "TorchOpt": "torchopt"}
_ON_TORCH = {name: Entry("torch_learners.py", way) for name, way in _TORCH.items()}
_TERMS = {
    f"{page.OURS}, with {term}": Entry("ours_learners.py", f"fit, {term}", same=False)
    for term in ("Label-MI", "Prediction-MI", "Prediction-MI of one relabeling")
}
VECTORS = {
    page.OURS: Entry("ours_learners.py", "fit, 20 steps together"),
    "ours, 1 step a call": Entry("ours_learners.py", "fit"),
    "TensorFlow 1 graph": Entry("tf1_learners.py", "session"),
    "JAX": Entry("jax_learners.py", "vmap"),
    "JAX, 20 steps a call": Entry("jax_learners.py", "vmap, 20 steps together"),
    "PyTorch, loop": Entry("torch_learners.py", "loop"),
    "PyTorch, torch.func": Entry("torch_learners.py", "func"),
    "PyTorch, torch.func, 2 threads": Entry("torch_learners.py", "func, 2 threads"),
    "PyTorch, torch.compile": Entry("torch_learners.py", "compiled"),
    **_ON_TORCH,
}
_CNP = {
    page.OURS: Entry("ours_learners.py", "fit"),
    "ours, 2 threads an operation": Entry("ours_learners.py", "fit, 2 threads"),
    f"{page.OURS}{page.HALF}": Entry("ours_learners.py", "fit, bfloat16"),
    **_TERMS,
    "TensorFlow 1 graph": Entry("tf1_learners.py", "session"),
    "JAX": Entry("jax_learners.py", "map"),
    "JAX, im2col": Entry("jax_learners.py", "map, im2col"),
    "PyTorch, loop": Entry("torch_learners.py", "loop"),
    "PyTorch, loop, 2 threads": Entry("torch_learners.py", "loop, 2 threads"),
    f"PyTorch, loop{page.HALF}": Entry("torch_learners.py", "loop, bfloat16"),
    f"PyTorch, loop, 2 threads{page.HALF}": Entry("torch_learners.py", "loop, 2 threads, bfloat16"),
}
_FUNC = {"PyTorch, torch.func": Entry("torch_learners.py", "func")}
IMAGES = _CNP | _FUNC | _ON_TORCH


class Workload(NamedTuple):
    """What is trained: its title, the ways to, and the steps whose mean losses are compared."""

    title: str
    entries: dict[str, Entry]
    compared: tuple[int, ...] = (1, 2)
    exact: bool = False
    """Whether losses are compared in double precision as well, of two tasks."""


WORKLOADS = {
    "sinusoid-1": Workload("sinusoids, MAML, 1 inner step", VECTORS, (20, 20)),
    "sinusoid-5": Workload("sinusoids, MAML, 5 inner steps", VECTORS, (20, 20)),
    "omniglot": Workload("5-way 1-shot images, MAML", IMAGES),
    "pose-maml": Workload("poses, MAML", IMAGES, exact=True),
    "pose-cnp": Workload("poses, CNP", _CNP),
}
"""By the names of :mod:`benchmarks.peers.workloads`."""

TOLERANCE, EXACT_TOLERANCE = 1e-2, 1e-6
"""Largest relative difference of losses that is taken for rounding: in single precision the first
updates of Adam make large steps of small differences; in double precision."""


class Failed(Exception):
    """A process ended; with the last line that it wrote to standard error."""


class Worker:
    """A process that trains in one way."""

    def __init__(self, entry: Entry, problem: pathlib.Path, errors: pathlib.Path):
        self.errors = errors
        arguments = [f"--problem={problem}", f"--entry={entry.way}"]
        root = str(PEERS.parents[1])
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": root}
        try:
            self.process = subprocess.Popen(
                [entry.python, PEERS / entry.script, *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors.open("w"), text=True,
                env=environment,
            )  # fmt: skip
        except OSError as error:
            raise Failed(
                f"no environment ({error.strerror}): make it by benchmarks/peers/environments.py"
            ) from error

    def answer(self) -> dict:
        """The next line of the process."""
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()  # It may still write why.
            written = self.errors.read_text(errors="replace").strip()
            raise Failed(written.rpartition("\n")[2][:200] or "it ended without a word")
        return json.loads(line)

    def steps(self, count: int) -> dict:
        """What ``count`` steps took, see :func:`benchmarks.peers.worker.serve`."""
        with contextlib.suppress(BrokenPipeError):  # Its answer tells why.
            self.process.stdin.write(json.dumps({"steps": count}) + "\n")
            self.process.stdin.flush()
        return self.answer() | {"steps": count}

    def end(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.communicate()


def make_problem(workload: str, path: pathlib.Path, **chosen) -> dict:
    """Writes a problem; returns its multiply-adds and the most that the machine makes a second."""
    command = [sys.executable, PEERS / "workloads.py", f"--workload={workload}", f"--output={path}"]
    command += [f"--{name}={value}" for name, value in chosen.items()]
    root = str(PEERS.parents[1])
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": root}
    )
    if done.returncode:
        sys.exit(f"Error: {workload} was not made: {done.stderr.strip().rpartition(chr(10))[2]}")
    return json.loads(done.stdout.splitlines()[-1])


def start(entries, compared, tolerance, problem, folder, stack) -> tuple[dict, list[dict]]:
    """Starts each entry, one after the other, and compares its losses with ours.

    Returns:
        The processes by name, and of each entry a row; with the reason of a failure if it failed.
    """
    workers, rows = {}, []
    for name, entry in ProgressBar(entries.items(), unit="start"):
        row = {"entry": name, "same": entry.same}
        rows.append(row)
        try:
            worker = Worker(entry, problem, folder / "errors.txt")
            stack.callback(worker.end)
            ready = worker.answer()
            first, *others = [worker.steps(count) for count in compared]
            row |= {"versions": ready["versions"], "first_s": ready["seconds"] + first["wall_s"]}
            row["losses"] = [answer["loss"] for answer in (first, *others)]
            if entry.same:
                row["difference"] = difference(row["losses"], rows[0].get("losses"))
                row["equal"] = row["difference"] is not None and row["difference"] <= tolerance
            workers[name] = worker
        except Failed as failure:
            row["failure"] = str(failure)
    return workers, rows


def difference(losses, reference) -> float | None:
    """The largest relative difference; None where a loss is missing or not finite."""
    if not reference or None in losses or None in reference:
        return None
    return max(abs(a - b) / abs(b) for a, b in zip(losses, reference, strict=True))


def busy() -> float:
    """Seconds that all processors have worked since the machine started (Linux)."""
    user, nice, system, _, _, *others = pathlib.Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *others))) / os.sysconf("SC_CLK_TCK")


def wait_for_quiet(seconds: float) -> None:
    """Waits until other programs leave the processors alone for a second, but not for longer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = busy()
        time.sleep(1)
        if busy() - before <= FLAGS.quiet:
            return


def make_round(worker: Worker, count: int) -> dict:
    """A round of one entry: what its steps took, the load, and the processors that others took."""
    wait_for_quiet(FLAGS.wait)
    before, clock = busy(), time.monotonic()
    answer = worker.steps(count)
    spent = busy() - before - answer["cpu_s"]
    answer["others"] = max(0.0, spent / (time.monotonic() - clock))
    answer["load"] = os.getloadavg()[0]
    return answer


def measure(name: str, folder: pathlib.Path) -> dict:
    """The result of a workload."""
    workload, problem = WORKLOADS[name], folder / "problem.npz"
    chosen = {of: e for of, e in workload.entries.items() if of in {page.OURS, *FLAGS.entries}}
    workload = workload._replace(entries=chosen)
    work = make_problem(name, problem, size=FLAGS.size)
    with contextlib.ExitStack() as stack:
        workers, rows = start(
            workload.entries, workload.compared, TOLERANCE, problem, folder, stack
        )
        for row in rows:
            row["rounds"] = []
        whole = workload.compared[0]  # Calls of 20 steps are not cut.
        counts = {
            of: whole * max(1, round(FLAGS.seconds / worker.steps(whole)["wall_s"]))
            for of, worker in workers.items()
        }
        for _ in ProgressBar(range(FLAGS.rounds), unit="round"):
            for row in rows:
                if row["entry"] in workers and "failure" not in row:
                    try:
                        of = row["entry"]
                        row["rounds"].append(make_round(workers[of], counts[of]))
                    except Failed as failure:
                        row["failure"] = str(failure)
    result = reporting.provenance("benchmarks/learners.py")
    result |= {"title": workload.title, "size": FLAGS.size, "quiet": FLAGS.quiet, **work}
    result["rows"] = rows
    if workload.exact:
        make_problem(name, problem, size=FLAGS.size, tasks=2, precision="float64")
        one_each = {entry.script: of for of, entry in reversed(workload.entries.items())}
        few = {of: e for of, e in workload.entries.items() if of in one_each.values()}
        with contextlib.ExitStack() as stack:
            _, result["exact"] = start(
                few, workload.compared, EXACT_TOLERANCE, problem, folder, stack
            )
    return result


def main() -> None:
    """Measures the workloads and writes what is found."""
    output = pathlib.Path(FLAGS.output)
    path = output / "learners.json"
    try:
        results = reporting.read_json(path) if path.exists() else {}
    except ValueError as error:
        sys.exit(f"Error: {error} Remove it or change --output.")
    for name in FLAGS.workloads:
        with tempfile.TemporaryDirectory() as folder:
            results[name] = measure(name, pathlib.Path(folder))
        # In one order, whatever was asked for first.
        results = {of: results[of] for of in WORKLOADS if of in results}
        reporting.write_tables(results, page.text(results), output, "learners")
        page.draw(results, output / "learners.png")
    print(page.text(results))


if __name__ == "__main__":
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table and the picture.")
    flags.DEFINE_string("peers", "", "Folder of benchmarks/peers/environments.py.")
    every = list(WORKLOADS)
    flags.DEFINE_multi_enum("workloads", every, every, "Which ones; name the flag for each.")
    every = list(VECTORS | IMAGES)
    flags.DEFINE_multi_enum("entries", every, every, "Ways to train; ours is always one.")
    flags.DEFINE_enum("size", "full", ["full", "small"], "Size of workloads; small is for tests.")
    flags.DEFINE_integer("rounds", 7, "Rounds.", 1)
    flags.DEFINE_float("seconds", 2.0, "Of each entry in a round, about; a step at least.", 0)
    flags.DEFINE_float("quiet", 0.2, "Processors that others may take in a quiet round.", 0)
    flags.DEFINE_float("wait", 0.0, "Seconds to wait for quiet before each turn, at most.", 0)
    commands.run(main, folders=["output"])
