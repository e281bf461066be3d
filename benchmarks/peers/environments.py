"""Makes the environments of the peers of benchmarks/learners.py: ``torch`` and ``jax``.

    python benchmarks/peers/environments.py --peers=PEERS

Each is a virtual environment in the folder PEERS, of the Python that this runs with, filled by pip
from the registry. Of PyTorch the smaller build for processors alone is chosen with
``PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu`` in the environment; any build will do.
A package that cannot be installed is named, and the others are there all the same.
"""

import pathlib
import subprocess
import sys
import tarfile
import tempfile
import venv

from absl import flags

from mine.reporting import commands

REQUIREMENTS = {
    "torch": (
        ["numpy", "absl-py", "setuptools"], ["torch==2.13.*"], ["torchopt==0.7.3"],
        ["higher==0.2.1"],
    ),
    "jax": (["numpy", "absl-py"], ["jax==0.10.2"]),
}  # fmt: skip
"""Name of an environment -> what is installed into it, one after the other."""

LEARN2LEARN = "0.2.0"


def pip(python: pathlib.Path, *arguments: str) -> bool:
    """Whether pip did it; if not, it has said why."""
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    return subprocess.run(command).returncode == 0


def unpack_learn2learn(python: pathlib.Path) -> bool:
    """Puts learn2learn's sources beside the other packages.

    They do not install on Python 3.11 and later, since a part for data sets is C code of an older
    Cython, and ask for packages of other fields; MAML is Python that needs PyTorch only.
    """
    find = "import sysconfig; print(sysconfig.get_path('purelib'))"
    told = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True)
    place, start = pathlib.Path(told.stdout.strip()), f"learn2learn-{LEARN2LEARN}/"
    with tempfile.TemporaryDirectory() as folder:
        wanted = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
        if not pip(python, "download", *wanted, "-d", folder, f"learn2learn=={LEARN2LEARN}"):
            return False
        with tarfile.open(next(pathlib.Path(folder).glob("*.tar.gz"))) as archive:
            for member in archive.getmembers():
                member.name = member.name.removeprefix(start)
                if member.name.startswith("learn2learn/"):
                    archive.extract(member, place, filter="data")
                elif member.name == "PKG-INFO":  # What its version is read from.
                    member.name = f"learn2learn-{LEARN2LEARN}.dist-info/METADATA"
                    archive.extract(member, place, filter="data")
    return True


def main() -> None:
    """Makes what is missing."""
    missing = []
    for name, requirements in REQUIREMENTS.items():
        folder = pathlib.Path(flags.FLAGS.peers) / name
        python = folder / "bin" / "python"
        if not python.exists():
            print(f"Making {folder}.", file=sys.stderr)
            venv.create(folder, with_pip=True, symlinks=True)
        missing += [of[-1] for of in requirements if not pip(python, "install", *of)]
        if name == "torch" and not unpack_learn2learn(python):
            missing.append("learn2learn")
    if missing:
        sys.exit(
            f"Error: pip could not install {', '.join(missing)}: what it says is above; run the "
            "same command again to try once more. benchmarks/learners.py works without."
        )


if __name__ == "__main__":
    flags.DEFINE_string("peers", None, "Folder of the environments.")
    flags.mark_flag_as_required("peers")
    commands.run(main, folders=["peers"])
