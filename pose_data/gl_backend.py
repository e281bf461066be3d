"""Which OpenGL back end MuJoCo can draw with on this machine, found out before it is imported."""

import concurrent.futures
import os
import subprocess
import sys

_PROBE = (
    "import mujoco;"
    "context = mujoco.GLContext(16, 16);"
    "context.make_current();"
    "mujoco.MjrContext(mujoco.MjModel.from_xml_string('<mujoco/>'), mujoco.mjtFontScale(100))"
)
_SECONDS = 120


class GlError(RuntimeError):
    """OpenGL does not work; the message names the packages to install."""


def _failure(backend: str) -> str | None:
    """Returns why `backend` does not work, None where it does.

    The probe runs in a process of its own: a back end cannot be changed once MuJoCo is imported,
    and a broken driver may crash instead of raising.
    """
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env={**os.environ, "MUJOCO_GL": backend},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {_SECONDS} s"
    if probe.returncode == 0:
        return None
    # Clean-up noise may follow the error itself, so the first line that names an error is taken.
    lines = [line for line in probe.stderr.splitlines() if "Error" in line and line[0] != " "]
    return lines[0] if lines else f"crashed with exit code {probe.returncode}"


def _candidates() -> list[str]:
    """Back ends to try, in this order."""
    wanted = os.environ.get("MUJOCO_GL")
    usual = ["egl", "osmesa"] if sys.platform == "linux" else [""]
    return [wanted] if wanted else usual


def failures() -> dict[str, str | None]:
    """Every back end that :func:`choose` may try -> why it does not work; None where it does."""
    candidates = _candidates()
    with concurrent.futures.ThreadPoolExecutor() as threads:
        return dict(zip(candidates, threads.map(_failure, candidates), strict=True))


def choose() -> str:
    """Returns the value of MUJOCO_GL to draw with.

    MUJOCO_GL is respected where it is set; otherwise Linux tries `egl`, then `osmesa` (their images
    are the same bit for bit), and other systems use MuJoCo's own choice, the empty string.

    Raises:
        GlError: none works.
    """
    found = []
    for backend in _candidates():
        failure = _failure(backend)
        if failure is None:
            return backend
        found.append(f"{backend or 'default'}: {failure}")
    wanted = os.environ.get("MUJOCO_GL")
    hint = f"unset MUJOCO_GL={wanted}, or " if wanted else ""
    raise GlError(
        f"MuJoCo found no working OpenGL; {hint}install one with "
        f"`apt-get install libegl1 libgl1` or `apt-get install libosmesa6` ({'; '.join(found)})."
    )
