"""Commands on a disk that is full: a sentence with the path, and what was whole still is."""

import csv
import shutil
import subprocess

import cad_samples
import commands
import numpy as np
import pytest
from marks import exhaustive
from PIL import Image

KILOBYTES = 8000
RUN = ["--steps=8", "--steps_per_epoch=2", "--meta_batch_size=2", "--num_validation_batches=1",
       "--num_test_tasks=4", "--num_validation_tasks=4"]  # fmt: skip


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={KILOBYTES}k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def leave(disk, kilobytes):
    """Fills a disk up to some kilobytes."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    free = shutil.disk_usage(disk).free // 1024
    ballast.write_bytes(bytes(1024 * (free - kilobytes)))


def told(disk, module, *arguments):
    """The sentence of a command that meets the full disk; checks that nothing is left half-done."""
    done = commands.run(module, *arguments, cwd=disk.parent)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("Error: ") == 1, done.stderr
    sentence = done.stderr[done.stderr.index("Error: ") :]
    assert sentence.startswith("Error: Cannot write disk"), sentence
    assert "no space left on device; files that were complete are unchanged" in sentence
    left = [path for path in disk.rglob(".*") if ".tmp" in path.name or path.name == ".lock"]
    assert not left
    return sentence


@pytest.mark.parametrize("kilobytes", [20, *exhaustive(0, 1000)])
def test_a_training_ends_in_a_sentence_and_goes_on(disk, kilobytes):
    """Whichever of its files meets the full disk."""
    leave(disk, kilobytes)
    arguments = ["--learner=cnp", "--logdir=disk/run", *RUN]
    assert "run the same command with --resume" in told(disk, "maml.train", *arguments)
    leave(disk, 0)  # What is there is as it was, whatever comes.
    done = [path for path in (disk / "run").rglob("*") if path.suffix in (".json", ".csv")]
    assert all(path.stat().st_size for path in done)
    (disk / "ballast").unlink()
    went_on = commands.run("maml.train", *arguments, "--resume", cwd=disk.parent)
    assert went_on.returncode == 0, went_on.stderr
    with (disk / "run/history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2", "3"]


@pytest.mark.slow
def test_an_h5_file_of_a_learner_that_does_not_fit_is_not_begun(disk):
    leave(disk, 4)
    told(disk, "maml.train", "--learner=cnp", "--model_save_filename=disk/x.h5", *RUN)
    assert not (disk / "x.h5").exists()


@pytest.mark.slow
def test_a_study_says_so_and_not_that_memory_is_wanting(disk):
    leave(disk, 100)
    study = ["--logdir=disk/runs", "--output=disk/out", "--seeds=1", "--steps=20", "--workers=2"]
    sentence = told(disk, "maml.studies.memorization", *study, "--rows=none", "--tables=cnp_10")
    assert "memory" not in sentence.replace("memorization", "")


@pytest.mark.slow
@pytest.mark.usefixtures("backend")
def test_renders_are_whole_or_not_there(disk):
    cad_dir = cad_samples.write_cad(disk.parent / "CAD")
    leave(disk, 100)
    flags = [f"--CAD_dir={cad_dir}", "--data_dir=disk/data", "--num_images=40", "--workers=2"]
    told(disk, "pose_data.mujoco_render", *flags, "--image_size=64")
    for folder in (disk / "data/rotate").glob("*/*"):
        assert len(list(folder.glob("*.png"))) == 40
    assert not (disk / "data/.partial").exists()


def _images(folder, count, size):
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 255, [size, size], np.uint8)
        path = folder / f"{number % 3}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def _rotate(folder, size):
    import pickle

    for name in ("a/1", "a/2", "a/3", "a/4"):
        (folder / name).mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 255, [size, size], np.uint8)
        Image.fromarray(pixels).save(folder / name / "0.png")
        (folder / name / "label").write_bytes(pickle.dumps([[0, 0.5, 0.0, 1.0]], protocol=2))


def test_files_of_data_are_whole_or_as_they_were(disk):
    """Prepared images, pickles, small images, CAD models."""
    leave(disk, 20)
    (disk / "mine.npz").write_bytes(b"old")
    (disk / "val_data.pkl").write_bytes(b"old")
    _images(disk.parent / "images", 9, 84)
    _rotate(disk.parent / "rotate", 64)
    prepare = ["--dataset=folder", "--source=images", "--output=disk/mine.npz"]
    assert "disk/mine.npz" in told(disk, "maml.tasks.prepare", *prepare)
    generate = ["--data_dir=rotate", "--output_dir=disk", "--num_val=2"]
    assert "disk/" in told(disk, "pose_data.data_gen", *generate)
    assert (disk / "mine.npz").read_bytes() == b"old" == (disk / "val_data.pkl").read_bytes()
    told(disk, "pose_data.make_cad", "--CAD_dir=disk/CAD", "--classes=car")
    assert all(path.read_text().startswith("OFF") for path in disk.glob("CAD/*/*.off"))
    leave(disk, 60)
    shutil.copytree(disk.parent / "rotate", disk / "small")
    leave(disk, 0)
    told(disk, "pose_data.resize_images", "--data_dir=disk/small", "--image_size=63")
    sizes = [Image.open(path).size for path in (disk / "small").rglob("*.png")]
    assert len(sizes) == 4 and set(sizes) <= {(63, 63), (64, 64)}


@pytest.mark.slow
def test_estimates_and_tables_are_whole_or_not_there(disk):
    x = np.random.default_rng(0).normal(size=[400, 1])
    np.savez(disk.parent / "samples.npz", x=x, y=x)
    leave(disk, 4)
    curve = ["--data=samples.npz", "--steps=50", "--curve=disk/curve.png"]
    assert "disk/curve.png" in told(disk, "mine.estimators", *curve)
    suite = ["--output=disk", "--samples=200", "--seeds=1", "--estimators=gaussian"]
    told(disk, "mine.benchmarks", *suite)
    run = ["--learner=cnp", "--logdir=run", *RUN]
    assert commands.run("maml.train", *run, cwd=disk.parent).returncode == 0
    leave(disk, 4)
    told(disk, "maml.compare", "--runs=run", "--output=disk/table")
    (disk / "ballast").unlink()
    shutil.copytree(disk.parent / "run", disk / "run")
    leave(disk, 4)
    before = {path.name for path in (disk / "run").iterdir()}
    told(disk, "maml.evaluate", "--model_save_filename=disk/run/learner.keras")
    assert {path.name for path in (disk / "run").iterdir()} == before
