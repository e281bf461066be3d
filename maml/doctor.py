"""What the main job needs of this machine: what is there, what is missing, what command mends it.

    python -m maml.doctor
    python -m maml.doctor --data_dir=DATA

Packages and OpenGL are tried in processes of their own, so that one that fails, crashes or hangs is
one line of the report. The exit status is 0 if the main job (``./run.sh``) can run and the data
that is named is there, 1 if not.
"""

# Nothing is imported here that may be what is broken.
import argparse
import concurrent.futures
import contextlib
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
from typing import NamedTuple

from mine.reporting.tables import counted
from mine.reporting.version import DISTRIBUTION

SECONDS = 120
"""After how long without an answer something counts as broken."""

NEEDED, OPTIONAL = ("", "pose", "experiments"), ("dev", "bench", "notebooks")
"""Extras that the main job needs, "" for none, and others."""

MUJOCO = "import os; os.environ['MUJOCO_GL'] = 'disable'; import mujoco"
"""Imports MuJoCo, whatever there is to draw with."""

IMPORTS = {
    "absl-py": "import absl", "markdown-it-py": "import markdown_it", "mujoco": MUJOCO,
    "pillow": "import PIL",
}  # fmt: skip
"""How a package is imported, where its name does not say."""

DISK, MEMORY = 2.0, 2.0
"""GiB that an installation and the main job take at most."""

LIBRARIES = "apt-get install -y libegl1 libgl1"
"""What installs OpenGL."""


REINSTALL = "again "
"""Before what pip is to install although it is there."""


class Finding(NamedTuple):
    """A line of the report.

    Attributes:
        what: it is about.
        state: as it was found.
        needed: whether the main job cannot run as it is, or data that is named is not there.
        remedy: the command that mends it, or what pip is to install.
    """

    what: str
    state: str
    needed: bool = False
    remedy: str = ""


def attempt(code: str) -> tuple[str, str]:
    """Runs code in a Python process of its own.

    Args:
        code: that may fail, crash or hang.

    Returns:
        ``(output, failure)``: what it printed, and why it failed; "" if it did not.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer in {SECONDS} s"
    if done.returncode == 0:
        return done.stdout, ""
    errors = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode < 0:
        return done.stdout, f"crashed by signal {-done.returncode}"
    return done.stdout, errors[-1].strip() if errors else f"ended with {done.returncode}"


# -- packages -------------------------------------------------------------------------------------


def requirements(extras=NEEDED) -> list:
    """What the installed distribution requires, each once, with some extras; of ours, nothing.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed.
        ImportError: packaging is not.
    """
    from packaging.requirements import Requirement

    every = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or ()]
    wanted = {
        written(of): of
        for of in every
        if of.name != DISTRIBUTION
        and any(of.marker is None or of.marker.evaluate({"extra": extra}) for extra in extras)
    }
    return list(wanted.values())


def written(requirement) -> str:
    """A requirement as pip takes it, without its marker."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def package(requirement, imported=()) -> Finding:
    """Whether a package is there, in the range of versions, and can be imported.

    Args:
        requirement: of :func:`requirements`.
        imported: names of packages of which it is known that they can.
    """
    name, wanted = requirement.name, str(requirement.specifier)
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, f"missing; expected {wanted}", True, written(requirement))
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(name, f"{version}; expected {wanted}", True, written(requirement))
    code = IMPORTS.get(name, f"import {name.replace('-', '_')}")
    failure = "" if name in imported else attempt(code)[1]
    if failure:
        state = f"{version} cannot be imported: {failure}"
        return Finding(name, state, True, REINSTALL + written(requirement))
    return Finding(name, f"{version} ({wanted})")


def packages(threads, tensorflow: concurrent.futures.Future) -> list[Finding]:
    """Ours, and what the main job needs.

    Args:
        threads: that try packages.
        tensorflow: what :func:`attempt` gives of ``DEVICES``.
    """
    try:
        needed = requirements()
        version = importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        root = pathlib.Path(__file__).resolve().parents[1]
        return [Finding(DISTRIBUTION, "not installed", True, f"{root}[pose,experiments]")]
    except ImportError as error:
        return [Finding("packaging", f"cannot be imported: {error}", True, "packaging>=22")]
    both = ("keras", "tensorflow")
    found = {of.name: threads.submit(package, of) for of in needed if of.name not in both}
    # TensorFlow is slow to import: once if all is well.
    imported = both if not tensorflow.result()[1] else ()
    found |= {of.name: threads.submit(package, of, imported) for of in needed if of.name in both}
    return [Finding(DISTRIBUTION, version), *(found[of.name].result() for of in needed)]


def optional() -> list[Finding]:
    """What is not installed of extras that the main job does not need."""
    found = []
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, ImportError):
        for extra in OPTIONAL:
            own = [of for of in requirements([extra]) if of not in requirements([""])]
            absent = []
            for requirement in own:
                try:
                    importlib.metadata.version(requirement.name)
                except importlib.metadata.PackageNotFoundError:
                    absent.append(written(requirement))
            state = "installed"
            if absent:
                state = f"not installed; optional: pip install {shlex.join(absent)}"
            found.append(Finding(f"extra [{extra}]", state))
    return found


# -- the machine ----------------------------------------------------------------------------------


def python() -> Finding:
    """The interpreter, against the range of the distribution."""
    version, wanted = platform.python_version(), ">=3.10"
    state = f"{version} ({wanted}), {sys.executable}"
    return Finding("python", state, sys.version_info < (3, 10), "")


DEVICES = (
    "import keras, tensorflow as tf; print(*(d.name for d in tf.config.list_physical_devices()))"
)
"""Prints what TensorFlow computes on."""


def devices(output: str, failure: str) -> Finding:
    """What TensorFlow computes on, from what :func:`attempt` gives of ``DEVICES``."""
    if failure:
        return Finding("devices", f"unknown, since TensorFlow fails: {failure}")
    state = ", ".join(of.removeprefix("/physical_device:") for of in output.split()) or "none"
    if "GPU" not in state and shutil.which("nvidia-smi"):
        state += "; for the NVIDIA GPU, optional: pip install 'tensorflow[and-cuda]>=2.18,<3'"
    return Finding("devices", state)


OPENGL = "import json; from pose_data import gl_backend as g; print(json.dumps(g.failures()))"
"""Prints the back ends that MuJoCo may draw with, and why each fails."""


def opengl() -> list[Finding]:
    """The back ends that MuJoCo may draw with, of which one is enough."""
    failure = attempt(MUJOCO)[1]
    output, failure = ("", failure) if failure else attempt(OPENGL)
    if failure:
        return [Finding("OpenGL", f"not tried, since MuJoCo fails: {failure}", True)]
    tried = json.loads(output)
    works = None in tried.values()
    spare = "not needed, and does not work: " if works else ""
    mend = "unset MUJOCO_GL" if os.environ.get("MUJOCO_GL") else LIBRARIES
    return [
        Finding(
            f"OpenGL {of or 'default'}",
            f"{spare}{why}" if why else "works",
            not works,
            "" if works else mend,
        )
        for of, why in tried.items()
    ]


def disk(folder: str) -> Finding:
    """Free disk where the main job writes."""
    free = shutil.disk_usage(folder).free / 2**30
    remedy = "" if free >= DISK else "OUTPUT=FOLDER_ON_ANOTHER_DISK ./run.sh"
    return Finding("disk", f"{free:.1f} GiB free in {folder}", free < DISK, remedy)


def memory() -> Finding:
    """The memory of the machine, or of the container this runs in."""
    sizes = []
    with contextlib.suppress(ValueError, OSError, AttributeError):  # Not on every system.
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(ValueError, OSError):  # No container, or no limit.
        sizes.append(int(pathlib.Path("/sys/fs/cgroup/memory.max").read_text()))
    if not sizes:
        return Finding("memory", "unknown")
    total = min(sizes) / 2**30
    return Finding("memory", f"{total:.1f} GiB; expected {MEMORY:g} or more", total < MEMORY)


def threads_of() -> Finding:
    """Processors, and variables that bound what libraries use of them."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    bounds = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    return Finding(
        "threads", ", ".join([f"{usable} of {counted(os.cpu_count() or 1, 'processor')}", *bounds])
    )


def data(folder: str) -> list[Finding]:
    """The files of the pose problem in a folder."""
    remedy = f"./run.sh data --data_dir={shlex.quote(folder)}"
    found = []
    for name in ("train_data", "val_data"):
        shards = pathlib.Path(folder) / name
        path, size = shards if os.path.isdir(shards) else shards.with_suffix(".pkl"), 0
        with contextlib.suppress(OSError):  # Absent, or out of reach.
            size = sum(of.stat().st_size for of in (*path.glob("*"), path) if of.is_file())
        state = f"{size / 2**20:.1f} MiB" if size else "missing or empty"
        found.append(Finding(str(path), state, not size, "" if size else remedy))
    return found


# -- the report -----------------------------------------------------------------------------------


def examine(data_dir: str | None) -> list[Finding]:
    """All findings, in the order of the report."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
        tensorflow, drawing = threads.submit(attempt, DEVICES), threads.submit(opengl)
        found = [python(), *packages(threads, tensorflow)]
        found += [devices(*tensorflow.result()), *drawing.result()]
    found += [threads_of(), memory(), disk(os.getcwd())]
    found += data(data_dir) if data_dir else [Finding("data", "none named; --data_dir=DIR looks")]
    return found + optional()


def mending(found: list[Finding]) -> str:
    """One command that mends all that a command can mend; "" if there is none."""
    remedies = list(dict.fromkeys(of.remedy for of in found if of.needed and of.remedy))
    commands = [of for of in remedies if of.startswith(("apt-get", "unset", "OUTPUT", "./run.sh"))]
    again = [of.removeprefix(REINSTALL) for of in remedies if of.startswith(REINSTALL)]
    new = [of for of in remedies if of not in commands and not of.startswith(REINSTALL)]
    for words in (["--force-reinstall", *again] if again else [], new):
        if words:
            commands.insert(0, f"{shlex.quote(sys.executable)} -m pip install {shlex.join(words)}")
    return " && ".join(commands)


def _folder(word: str) -> str:
    if not word.strip():  # As of a variable of the shell that is not set.
        raise argparse.ArgumentTypeError("expected a folder; received none")
    return word


def main(words=None) -> int:
    """Prints the report; returns the exit status."""
    summary = "What the main job needs of this machine, and what command mends what is missing."
    parser = argparse.ArgumentParser("python -m maml.doctor", description=summary)
    text = "Folder in which to look for the pickles of poses."
    parser.add_argument("--data_dir", type=_folder, help=text)
    found = examine(parser.parse_args(words).data_dir)
    width = max(len(of.what) for of in found)
    lines = [f"{'FAULT' if of.needed else 'ok':6}{of.what:{width}}  {of.state}" for of in found]
    faults = [of.what for of in found if of.needed]
    if faults:
        lines += ["", f"To be mended: {', '.join(faults)}."]
        lines += [f"To mend it: {mending(found)}"] if mending(found) else []
    else:
        lines += ["", "The main job can run: ./run.sh"]
    print("\n".join(lines))
    return 1 if faults else 0


def cli():
    """The command, as ``maml-doctor``."""
    sys.exit(main())


if __name__ == "__main__":
    cli()
