"""Does a change of names leave every number as it was? Runs two trees, compares to the last digit.

    python benchmarks/same_numbers.py --base=HEAD~1 --only=sinusoid,render

The base commit runs in a worktree of its own and is kept; the working tree runs afresh. Of a run's
results only values are compared, never names: arrays of saved learners, columns of ``history.csv``,
numbers in JSON. So keys may be renamed, and files moved. Costs are not compared.
A line for each case; the exit status is 1 if any differs.
"""

import collections
import concurrent.futures
import csv
import dataclasses
import hashlib
import importlib.metadata
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

import h5py
import numpy as np
from absl import app, flags
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
COSTS = re.compile(r"(^|_)(seconds|minutes|date|time|versions?|port)(_|$)")
"""JSON keys and columns that differ from run to run."""

OPTIONS = re.compile(r"^(config|options|base|episodes)$")
"""JSON keys of what was asked for, which is no result: versions name and nest options otherwise."""


@dataclasses.dataclass(frozen=True)
class Case:
    """Commands of bash; ``{out}`` is where their results go, ``{data}`` where their data is.

    Attributes:
        commands: what is run, in this order.
        files: endings of files whose content must be the same in every byte.
    """

    commands: tuple[str, ...]
    files: tuple[str, ...] = ()


# fmt: off
def _rendered(folder, models, images):
    return (
        f"python -m pose_data.make_cad --CAD_dir={folder}/CAD {models}",
        f"python -m pose_data.mujoco_render --CAD_dir={folder}/CAD --data_dir={folder} {images}",
        f"cp -r {folder}/rotate {folder}/rotate_resize",
        f"python -m pose_data.resize_images --data_dir={folder}/rotate_resize",
        f"python -m pose_data.data_gen --data_dir={folder}/rotate_resize --output_dir={folder} "
        "--num_val=8",
    )


def _pose(options):
    return ("python -m pose_code.train --data_dir={data} --logdir={out}/runs/run --steps=60 "
            f"--steps_per_epoch=20 --seed=0 --resume {options}",)


def _tasks(*runs):
    return tuple(
        f"python -m maml.train --model_save_filename={{out}}/{number}.keras --num_test_tasks=40 "
        f"--num_validation_tasks=40 --num_validation_batches=2 --steps_per_epoch=20 {options}"
        for number, options in enumerate(runs)
    )


def _estimates(*runs):
    return tuple(f"python -m mine.estimators --json {options} > {{out}}/{number}.json"
                 for number, options in enumerate(runs))


_NME = "--dataset=nme_sinusoid --meta_batch_size=20 --meta_lr_decay --shots=5 --steps=60"
_META_SGD = (f"{_NME} --learner=metasgd --meta_lr=0.002 "
             "--learner_options='inner_clip=10;inner_steps=3'")
_SINE = "--dataset=sinusoid --steps=40 --meta_lr_decay --inner_lr=0.02"
_IMAGES = ("--dataset=folder --data={out}/images.npz --network_options='filters=8' --ways=3 "
           "--shots=2 --queries=3 --meta_batch_size=4 --steps=40 --labels=fixed "
           "--regularizer=prediction_mi --regularizer_options=bound=exact")
_CRITIC = "--data={data}/samples.npz --steps=100"

DATA = Case(_rendered("{data}", "--num_per_class=2", "--num_images=24 --canonical=random"))
"""What the others read: made once, by the base."""

CASES = {
    "study_sinusoid": Case((
        "python -m maml.studies.memorization --steps=20 --seeds=1 --tables=cnp_5 "
        "--workers=1 --logdir={out}/runs --output={out}/table",
    )),
    "study_pose": Case((
        "python -m pose_code.study --data_dir={data} --tables=chosen "
        "--rows='none,Label-MI' --steps=20 --seeds=1 --workers=1 "
        "--logdir={out}/runs --output={out}/table",
    )),
    "pose_plain": Case((
        "python -m pose_code.baselines --data_dir={data} --logdir={out}/runs",
        *_pose("--regularizer=none"),
        "python -m maml.compare --runs={out}/runs --output={out}/table",
    )),
    "pose_label_mi": Case(_pose("--regularizer=label_mi")),
    "pose_prediction_mi": Case(
        _pose("--regularizer=prediction_mi --regularizer_options=weight=0.3")
    ),
    "sinusoid": Case(_tasks(
        f"{_NME} --learner=cnp --regularizer=mr_a,label_mi",
        f"{_NME} --learner=cnp --regularizer=label_augmentation "
        "--regularizer_options=probability=0.5",
        f"{_META_SGD} --regularizer=prediction_mi --regularizer_options=noise=0.2",
        f"{_META_SGD} --regularizer=mr_w --regularizer_options=weight=0.01",
    )),
    "robustness": Case(_tasks(
        f"{_SINE} --learner_options=inner_clip=10 --learner=maml",
        f"{_SINE} --learner_options=inner_clip=10 --learner=reptile --inner_batch_size=5",
        f"{_SINE} --learner_options='inner_clip=10;inner_optimizer=adam' --learner=imaml "
        "--regularization=20 --inner_steps=10",
    )),
    "fewshot": Case((
        "python -m maml.tasks.prepare --dataset=folder --source={data}/pictures "
        "--output={out}/images.npz",
        *_tasks(
            f"{_IMAGES} --learner=maml --inner_lr=0.1 --inner_steps=2",
            f"{_IMAGES} --learner=protonet",
        ),
    )),
    "mine": Case(_estimates(
        f"{_CRITIC} --bound=mine",
        f"{_CRITIC} --bound=infonce --critic=separable",
        f"{_CRITIC} --bound=js --critic=bilinear --seed=3",
        "--data={data}/conditional.npz --steps=100 --bound=nwj --folds=2",
        "--data={data}/samples.npz --bound=ksg",
        "--data={data}/samples.npz --bound=gaussian",
    )),
    "render": Case(
        _rendered("{out}", "--num_per_class=1", "--num_images=3 --canonical=random --seed=2"),
        files=(".off", ".png", ".pkl"),
    ),
}
# fmt: on


# -- what a run left behind ---------------------------------------------------------------------


def fingerprint(folder: pathlib.Path, endings: tuple[str, ...]) -> dict[str, list]:
    """Kind -> (value as text, where it was found) of all that is compared."""
    found = {"arrays": [], "columns": [], "numbers": [], "files": []}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        kind, values = None, ()
        if path.suffix == ".keras":
            kind, values = "arrays", arrays(path)
        elif path.name == "history.csv":
            kind, values = "columns", columns(path)
        elif path.suffix == ".json" and path.name != "config.json":  # Results repeat it.
            kind, values = "numbers", numbers(json.loads(path.read_text()))
        elif path.suffix in endings:
            kind, values = "files", [("", hashlib.sha256(path.read_bytes()).hexdigest())]
        for name, value in values:
            found[kind].append((value, f"{path.relative_to(folder)} {name}".strip()))
    return found


def arrays(path: pathlib.Path):
    """Yields name and checksum of each array in a saved learner."""
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    items = []
    with h5py.File(content) as file:
        file.visititems(lambda *item: items.append(item))
        for name, item in items:
            if isinstance(item, h5py.Dataset):
                value = np.asarray(item)
                whole = f"{value.dtype} {value.shape}".encode() + value.tobytes()
                yield name, hashlib.sha256(whole).hexdigest()


def columns(path: pathlib.Path):
    """Yields name and values of each column of a table, as they are written.

    But the sum of all losses to five digits: two runs of one tree have differed in its last, while
    all its terms, which are columns of their own, were the same.
    """
    with path.open(newline="") as file:
        for name, *values in zip(*csv.reader(file), strict=True):
            if name in ("loss", "val_loss"):
                values = [f"{float(value.replace('NA', 'nan')):.5g}" for value in values]
            if not COSTS.search(name) and name != "sha256":  # Of costs too.
                yield name, " ".join(values)


def numbers(content, name: str = ""):
    """Yields name and digits of each number in JSON, but for costs."""
    if isinstance(content, dict | list):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in pairs:
            if not COSTS.search(str(key)) and not OPTIONS.search(str(key)):
                yield from numbers(value, f"{name}.{key}".lstrip("."))
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield name, repr(content)


def differences(base: dict, now: dict) -> list[str]:
    """What of the base is missing, and what is new; there may be more numbers than there were."""
    lines = []
    for kind, there in base.items():
        before, after = (collections.Counter(of for of, _ in side[kind]) for side in (base, now))
        missing = before - after
        if kind == "numbers":  # A value may be written in fewer places than before.
            missing = collections.Counter({of: n for of, n in missing.items() if of not in after})
        new = (after - before).total() if kind != "numbers" else 0
        if missing or new:
            places = dict(there)
            first = [f"{places[value]} {value[:60]}" for value in list(missing)[:4]]
            counts = f"{missing.total()} of {before.total()} missing, {new} new"
            lines.append("; ".join([f"{kind}: {counts}", *first]))
    return lines


# -- running ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Side:
    """A tree that is run, where its results are put, and what it reads."""

    tree: pathlib.Path
    out: pathlib.Path
    data: pathlib.Path
    is_base: bool

    def run(self, command: str, cwd: pathlib.Path) -> str:
        """What a command prints, which runs on the packages of this tree.

        Raises:
            RuntimeError: it failed; the message has the last line that it wrote.
        """
        path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
        own = {"PYTHONPATH": str(self.tree), "PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
        process = subprocess.run(
            ["bash", "-c", command], cwd=cwd, env=os.environ | own, capture_output=True, text=True
        )
        if process.returncode:
            last = (process.stderr.strip() or "no message").splitlines()[-1]
            raise RuntimeError(f"{command} fails: {last}")
        return process.stdout

    def run_all(self, case: Case, out: pathlib.Path) -> None:
        """Runs the commands of a case, their results in a folder that is emptied."""
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        for command in case.commands:
            self.run(command.replace("{out}", str(out)).replace("{data}", str(self.data)), out)

    def result(self, name: str, revision: str) -> dict:
        """The fingerprint of a case, run unless it is the base's and was."""
        case = CASES[name]
        known = key(revision, *case.commands, *case.files, str(self.data))
        out = self.out / f"{name}-{known}"
        if not (self.is_base and (out / "complete").exists()):
            self.run_all(case, out)
            (out / "complete").touch()
        return fingerprint(out, case.files)

    def check_imports(self, cases: list[Case]) -> None:
        """Prints where the packages of all commands come from, and ends if not from this tree."""
        text = " ".join(word for of in cases for word in of.commands)
        names = sorted(set(re.findall(r"-m (\w+)", text)))
        code = "import sys; [print(__import__(name).__file__) for name in sys.argv[1:]]"
        files = self.run(f"python -c '{code}' {' '.join(names)}", self.out).split()
        print("base:" if self.is_base else "tree:", *files, flush=True)
        if not all(pathlib.Path(file).is_relative_to(self.tree) for file in files):
            sys.exit(f"Error: these are not the packages of {self.tree}.")


def key(*words: str) -> str:
    """A short checksum of words and of what is installed."""
    installed = [importlib.metadata.version(of) for of in ("tensorflow", "keras", "numpy")]
    return hashlib.sha256(json.dumps([words, installed]).encode()).hexdigest()[:12]


def make_data(base: Side) -> None:
    """Makes what the cases read unless it is there: renders of the base, pictures, samples."""
    done = base.data / "complete"
    if done.exists():
        return
    base.run_all(DATA, base.data)
    rng = np.random.default_rng(0)
    for number in range(18):
        folder = base.data / "pictures" / ("train", "val", "test")[number % 3] / f"class{number}"
        folder.mkdir(parents=True)
        pattern = rng.integers(0, 200, (84, 84, 3))
        for image in range(8):
            pixels = (pattern + rng.integers(0, 50, pattern.shape)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{image}.png")
    x, noise, z = rng.normal(size=(3, 600, 2))
    np.savez(base.data / "samples.npz", x=x, y=x + noise)
    np.savez(base.data / "conditional.npz", x=x + z, y=x + noise + z, z=z)
    done.touch()


def git(*words) -> str:
    """What git says of this repository."""
    command = ["git", "-C", ROOT, *words]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"Error: git {' '.join(map(str, words))}: {process.stderr.strip()}")
    return process.stdout.strip()


def compare(name: str, sides: tuple[Side, Side], revision: str) -> tuple[str, bool]:
    """The line of a case, and whether all is the same."""
    results, seconds = [], []
    for side in sides:
        start = time.perf_counter()
        try:
            results.append(side.result(name, revision))
        except (RuntimeError, OSError, ValueError) as error:
            return f"{name}: the {'base' if side.is_base else 'tree'}: {error}", False
        seconds.append(f"{time.perf_counter() - start:.0f}")
    found = differences(*results) if any(results[0].values()) else ["nothing to compare"]
    counts = ", ".join(f"{len(values)} {kind}" for kind, values in results[0].items() if values)
    took = f"base {seconds[0]} s, tree {seconds[1]} s"
    told = "\n  ".join(["DIFFERENT", *found]) if found else f"same ({counts}; {took})"
    return f"{name}: {told}", not found


def main(words):
    values = flags.FLAGS
    if words[1:]:
        sys.exit(
            "Error: Unexpected positional argument: expected flags, --name=value; received "
            f"{words[1]!r}."
        )
    if unknown := set(values.only) - CASES.keys():
        sys.exit(f"Error: --only has {min(unknown)!r}; there are {', '.join(CASES)}.")
    revision = git("rev-parse", "--verify", f"{values.base}^{{commit}}")
    work, tree = pathlib.Path(values.work).resolve(), pathlib.Path(values.tree).resolve()
    old = work / f"tree-{revision[:12]}"
    if not (old / ".git").exists():
        git("worktree", "add", "--force", "--detach", old, revision)
    data = work / f"data-{key(revision, *DATA.commands)}"
    sides = (
        Side(old, work / f"base-{revision[:12]}", data, True),
        Side(tree, work / f"now-{key(str(tree))}", data, False),
    )
    for side in sides:
        side.out.mkdir(parents=True, exist_ok=True)
        side.check_imports([CASES[name] for name in values.only])
    make_data(sides[0])
    same = []
    with concurrent.futures.ThreadPoolExecutor(values.parallel) as pool:
        jobs = [pool.submit(compare, name, sides, revision) for name in values.only]
        for job in concurrent.futures.as_completed(jobs):
            line, equal = job.result()
            print(line, flush=True)
            same.append(equal)
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    flags.DEFINE_string("base", "HEAD", "The commit that the working tree is compared with.")
    flags.DEFINE_string("tree", str(ROOT), "Folder of the working tree.")
    flags.DEFINE_list("only", list(CASES), "Cases, by comma; all by default.")
    work = os.path.join(tempfile.gettempdir(), "same_numbers")
    flags.DEFINE_string("work", work, "Folder of worktree, data and results, which is kept.")
    flags.DEFINE_integer("parallel", 2, "Cases side by side.", 1)
    app.run(main)
