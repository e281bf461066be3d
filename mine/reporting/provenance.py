"""Where a number comes from: command, hardware, date."""

import datetime
import os
import pathlib
import platform
import shlex
import sys


def hardware() -> str:
    """The processor in words, and how many of it."""
    cpuinfo, known = pathlib.Path("/proc/cpuinfo"), {}
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        key, _, value = line.partition(":")
        known.setdefault(key.strip(), value.strip())
    name = known.get("model name") or platform.processor() or platform.machine()
    if {"cpu family", "model"} <= known.keys():
        # Of one name there may be several, whose instructions, and so whose numbers, differ.
        name += f" (family {known['cpu family']}, model {known['model']})"
    return f"{os.cpu_count()} x {name}"


def provenance(program: str) -> dict[str, str]:
    """What stands beside every table.

    Args:
        program: what Python ran: a module, or a path ending in ``.py``.

    Returns:
        ``command`` as one would type it, ``hardware``, ``date``.
    """
    run = [program] if program.endswith(".py") else ["-m", program]
    return {
        "command": shlex.join(["python", *run, *sys.argv[1:]]),
        "hardware": hardware(),
        "date": datetime.date.today().isoformat(),
    }
