"""Packages that only extras install, and how a command ends where one is missing."""

import sys
import traceback

from mine.reporting.imports import EngineError
from mine.reporting.version import DISTRIBUTION

EXTRAS = {
    **dict.fromkeys(
        ("pandas", "tensorboard", "jinja2", "markdown_it", "markupsafe"), "experiments"
    ),
    **dict.fromkeys(("mujoco", "trimesh", "mapbox_earcut", "PIL"), "pose"),
    "gymnasium": "rl",
    **dict.fromkeys(("dask", "distributed", "mpi4py", "submitit"), "scale"),
}
"""Package -> the extra that installs it."""


def sentence(error: BaseException) -> str | None:
    """What to do about a package of an extra, or an engine of Keras; None of any other error."""
    if isinstance(error, EngineError):
        return str(error)
    name = (getattr(error, "name", None) or "").partition(".")[0]
    if not isinstance(error, ImportError) or name not in EXTRAS:
        return None
    if f"'{DISTRIBUTION}[" in str(error):  # It says itself what to do.
        return str(error)
    return f"The package {name} is missing: pip install '{DISTRIBUTION}[{EXTRAS[name]}]'."


def install() -> None:
    """Has Python end in that sentence, without a traceback, where a module of ours needs one."""
    before = sys.excepthook
    if getattr(before, "explains_extras", False):
        return

    def explain(kind, error, trace):
        told = sentence(error)
        packages = {
            (frame.f_globals.get("__package__") or "").partition(".")[0]
            for frame, _ in traceback.walk_tb(trace)
        }
        if told is None or not packages & {"mine", "maml", "pose_data", "pose_code"}:
            before(kind, error, trace)
        else:
            print(f"Error: {told}", file=sys.stderr)

    explain.explains_extras = True  # type: ignore[attr-defined]
    sys.excepthook = explain
