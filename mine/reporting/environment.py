"""The origin of a result: command, commit, hardware, versions, date."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import shlex
import subprocess
import sys

from mine.reporting.version import DISTRIBUTION


def hardware() -> str:
    """Name and number of the processors."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    known: dict[str, str] = {}
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        key, _, value = line.partition(":")
        known.setdefault(key.strip(), value.strip())
    name = known.get("model name") or platform.processor() or platform.machine()
    if {"cpu family", "model"} <= known.keys():
        # Models of one name may differ in instructions, and so in the last digits of results.
        name += f" (family {known['cpu family']}, model {known['model']})"
    return f"{os.cpu_count()} x {name}"


PACKAGES = (DISTRIBUTION, "tensorflow", "keras", "numpy", "mujoco")
"""Packages whose versions are recorded."""


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that numbers depend on; None of one that is absent."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def git_commit() -> str:
    """The commit of the checkout that this package is in, with a plus sign if it was changed."""
    here = pathlib.Path(__file__).resolve().parent

    def git(*arguments):
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    try:
        commit, ours = git("rev-parse", "HEAD"), git("ls-files", "--error-unmatch", __file__)
    except OSError:  # Git is not installed.
        return "not a checkout"
    if commit.returncode or ours.returncode:
        return "not a checkout"
    changed = git("status", "--porcelain", "--untracked-files=no").stdout.strip()
    return commit.stdout.strip() + ("+" if changed else "")


def provenance(program: str = "", command: str | None = None) -> dict:
    """The origin of a result.

    Args:
        program: the module that ran, or its path ending in ``.py``; flags are read from
            ``sys.argv``.
        command: the command itself, in place of ``program``.

    Returns:
        ``command`` as typed in a shell, ``git_commit``, ``hardware``, ``versions``, ``date``.
    """
    run = [program] if program.endswith(".py") else ["-m", program]
    return {
        "command": command or shlex.join(["python", *run, *sys.argv[1:]]),
        "git_commit": git_commit(),
        "hardware": hardware(),
        "versions": versions(),
        "date": datetime.date.today().isoformat(),
    }
