"""The scripts as a user runs them, and what they say when something is wrong."""

import json
import os
import pickle
import re
import shutil
import signal
import stat
import subprocess
import sys
import time

import cad_samples
import numpy as np
import pytest
import toys
from marks import exhaustive
from PIL import Image

SCRIPTS = ("convert_cad", "vary_cad", "mujoco_render", "resize_images", "data_gen")


pytestmark = pytest.mark.usefixtures("backend")


@pytest.mark.slow
@pytest.mark.parametrize("as_module", [False, True])
def test_the_five_commands(tmp_path, as_module):
    names = ["chair/01", "chair/02", "sofa/01", "bottle/01"]
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", names)
    data_dir, resized, out = tmp_path / "data", tmp_path / "data/rotate_resize", tmp_path / "out"
    shutil.copytree(cad_dir / "sofa", cad_dir / "bed")

    def run(name, *flags):
        process = cad_samples.run_script(name, *flags, as_module=as_module)
        assert process.returncode == 0, process.stderr
        return process

    run("convert_cad", f"--CAD_dir={cad_dir}")
    assert len(list(cad_dir.rglob("*.stl"))) == 5
    render = [f"--CAD_dir={cad_dir}", f"--data_dir={data_dir}", "--num_images=2"]
    # Below one image a second the bar tells seconds an image.
    assert re.search(r"8/8 \[.*(images/s|s/ images)", run("mujoco_render", *render).stderr)
    assert "0 objects rendered, 4 kept" in run("mujoco_render", *render).stdout
    with Image.open(data_dir / "contact_sheet.png") as sheet:
        assert sheet.height > 3 * 96
    shutil.copytree(data_dir / "rotate", resized)
    run("resize_images", f"--data_dir={resized}")
    run("data_gen", f"--data_dir={resized}", "--num_val=2", f"--output_dir={out}")
    with (out / "train_data.pkl").open("rb") as file:
        images, labels = pickle.load(file)
    assert np.shape(images) == (2, 2, 128, 128) and np.shape(labels) == (2, 2, 3)
    split = json.loads((out / "split.json").read_text())
    assert sorted(split["train"] + split["val"]) == ["bed/01", "chair/01", "chair/02", "sofa/01"]


def test_num_val_is_checked_before_rendering(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", [f"chair/0{i}" for i in range(1, 5)])
    given = [f"--CAD_dir={cad_dir}", f"--data_dir={tmp_path / 'data'}", "--num_images=1"]
    for num_val in (15, 1):
        process = cad_samples.run_script("mujoco_render", *given, f"--num_val={num_val}")
        cad_samples.assert_one_sentence(process, "Error", "expected 2 of 4", f"received {num_val}")
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_objects_of_other_models_are_not_mixed_in(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", ["chair/01", "sofa/01"])
    given = [f"--CAD_dir={cad_dir}", f"--data_dir={tmp_path / 'data'}", "--num_images=1"]
    assert cad_samples.run_script("mujoco_render", *given).returncode == 0
    before = cad_samples.files_under(tmp_path / "data")
    process = cad_samples.run_script("mujoco_render", *given, "--skip_classes=sofa")
    cad_samples.assert_one_sentence(process, "sofa/01", "--data_dir")
    assert cad_samples.files_under(tmp_path / "data") == before


def test_no_class_skipped_from_a_read_only_folder_with_a_bad_model(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", ["bottle/01", "train/01"])
    (cad_dir / "train/02.off").write_text("OFF\n")
    before = cad_samples.files_under(cad_dir)
    for folder in (cad_dir / "bottle", cad_dir / "train", cad_dir):
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    process = cad_samples.run_script(
        "mujoco_render",
        f"--CAD_dir={cad_dir}",
        f"--data_dir={tmp_path / 'data'}",
        "--skip_classes=",
        "--num_images=1",
    )
    for folder in (cad_dir, cad_dir / "bottle", cad_dir / "train"):
        folder.chmod(stat.S_IRWXU)
    cad_samples.assert_one_sentence(process, "train/02")
    assert "train/02 is not a readable .off file" in process.stderr
    assert cad_samples.files_under(cad_dir) == before
    rendered = sorted(p.parent.name for p in (tmp_path / "data/rotate").glob("*/*/0.png"))
    assert len(rendered) == 2 and "1 failed" in process.stdout


def test_convert_goes_on_after_a_bad_model(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path, ["chair/01", "chair/03"])
    (cad_dir / "chair/02.ply").write_text("ply\n")
    process = cad_samples.run_script("convert_cad", f"--CAD_dir={cad_dir}")
    cad_samples.assert_one_sentence(process, "1 of 3 files")
    assert "02.ply is not" in process.stderr
    assert sorted(p.name for p in cad_dir.rglob("*.stl")) == ["01.stl", "03.stl"]


def write_odd_models(folder):
    """Writes models of which none can be read, and returns a word of the reason for each."""
    folder.mkdir(parents=True)
    content = cad_samples.off_text(cad_samples.ASYMMETRIC)
    odd = {
        "index": content.replace("4 0 3 2 1", "4 0 3 2 99999999999999999999"),
        "claim": content.replace("24 18 0", "1000000000 18 0"),
        "nan": content.replace("4.0 1.0 1.0", "4.0 nan 1.0"),
        "empty": "",
    }
    for name, text in odd.items():
        (folder / f"{name}.off").write_text(text)
    (folder / "flat.obj").write_text("v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n")
    (folder / "folder.ply").mkdir()
    os.mkfifo(folder / "pipe.off")
    (folder / "gone.off").symlink_to(folder / "nowhere.off")
    (folder / "gone.stl").write_bytes(b"")
    (folder / "f\udcfc.off").write_text(content)
    reasons = {"index": "names vertex", "claim": "ends before its 1000000000", "nan": "finite"}
    reasons |= {"empty": "is empty", "flat": "2 numbers", "folder": "not a file"}
    return reasons | {"pipe": "not a file", "gone": "cannot be read", "f\\udcfc": "not UTF-8"}


def assert_named(reasons, messages):
    for name, reason in reasons.items():
        pattern = rf"x/{re.escape(name)}(\.\w+)? [^\n]*{reason}"
        assert re.search(pattern, messages), (name, messages)


@pytest.mark.skipif(sys.platform == "win32", reason="names and pipes as on Linux")
def test_models_that_cannot_be_read_are_named_and_the_others_go_on(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", ["chair/01", f"y/{'n' * 250}", "z/01"])
    reasons = write_odd_models(cad_dir / "x")
    out = tmp_path / "varied"
    process = cad_samples.run_script(
        "vary_cad", f"--CAD_dir={cad_dir}", f"--output_dir={out}", "--variants=1"
    )
    cad_samples.assert_one_sentence(process, "could not vary 10 of 12 models")
    assert_named(reasons, process.stderr)
    assert "n.off cannot be written: File name too long" in process.stderr
    assert sorted(cad_samples.files_under(out)) == ["chair/01~1.stl", "z/01~1.stl"]
    process = cad_samples.run_script("convert_cad", f"--CAD_dir={cad_dir}")
    cad_samples.assert_one_sentence(process, "could not convert 9 of 12 files")
    assert_named(reasons, process.stderr)
    made = [str(p.relative_to(cad_dir)) for p in cad_dir.rglob("*.stl") if p.name != "gone.stl"]
    assert sorted(made) == ["chair/01.stl", f"y/{'n' * 250}.stl", "z/01.stl"]


@pytest.mark.skipif(sys.platform == "win32", reason="names and pipes as on Linux")
def test_models_that_cannot_be_rendered_are_named_and_the_others_go_on(tmp_path, backend):
    names = ["train/01", "train/02", "chair/01", f"y/{'n' * 250}", "z/01"]
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", names)
    reasons = write_odd_models(cad_dir / "x")
    flags = [f"--CAD_dir={cad_dir}", f"--data_dir={tmp_path / 'data'}", "--num_images=1"]
    process = cad_samples.run_script("mujoco_render", *flags, "--image_size=32", "--workers=1")
    cad_samples.assert_one_sentence(process, "could not render")
    assert_named(reasons, process.stderr)
    assert "n cannot be written: File name too long" in process.stderr
    assert "train (2 models)" in process.stdout and "--skip_classes" in process.stdout
    assert "2 objects rendered, 0 kept, 10 failed" in process.stdout
    made = sorted(p.parent.name for p in (tmp_path / "data/rotate").glob("*/*/0.png"))
    assert made == ["01", "01"] and not (tmp_path / "data/.partial").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="names as on Linux")
def test_a_folder_whose_path_is_not_utf8_is_worked_in(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "CAD\udcfc", ["chair/01"])
    strict = {"PYTHONIOENCODING": "utf-8:strict"}  # As Python has it in all languages but C.
    process = cad_samples.run_script("convert_cad", f"--CAD_dir={cad_dir}", env=strict)
    assert process.returncode == 0, process.stderr
    assert "CAD\\udcfc: 1 converted" in process.stdout and (cad_dir / "chair/01.stl").exists()


def test_a_folder_of_skipped_classes_alone_says_so(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", ["train/01", "bottle/01"])
    process = cad_samples.run_script(
        "mujoco_render", f"--CAD_dir={cad_dir}", f"--data_dir={tmp_path / 'data'}"
    )
    cad_samples.assert_one_sentence(process, "bottle (1 model), train (1 model)", "--skip_classes")


@pytest.mark.parametrize(
    ("script", "flags", "word"),
    [
        ("convert_cad", ["--CAD_dir=nowhere"], "received nowhere, which is not a folder"),
        ("convert_cad", ["--CAD_dir={empty}"], "which holds none"),
        (
            "mujoco_render",
            ["--CAD_dir=nowhere", "--data_dir=x"],
            "received nowhere, which is not a folder",
        ),
        ("mujoco_render", ["--CAD_dir={empty}", "--data_dir=x"], "which holds none"),
        ("mujoco_render", ["--CAD_dir={cad}", "--data_dir={file}"], "file"),
        ("resize_images", ["--data_dir={empty}"], "mujoco_render.py"),
        ("data_gen", ["--data_dir={empty}"], "mujoco_render.py"),
        ("data_gen", ["--data_dir=nowhere"], "mujoco_render.py"),
    ],
)
def test_bad_folders(tmp_path, script, flags, word):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    cad_samples.write_cad(tmp_path / "cad", ["chair/01"])
    names = {name: tmp_path / name for name in ("empty", "file", "cad")}
    process = cad_samples.run_script(script, *(flag.format(**names) for flag in flags))
    cad_samples.assert_one_sentence(process, "Error", word)


@pytest.mark.parametrize(
    ("script", "flag"),
    [
        ("mujoco_render", "--num_images=0"),
        ("mujoco_render", "--image_size=4"),
        ("mujoco_render", "--workers=0"),
        ("mujoco_render", "--seed=-1"),
        ("mujoco_render", "--canonical=up"),
        ("resize_images", "--image_size=0"),
        ("data_gen", "--num_val=0"),
        ("data_gen", "--num_val=many"),
    ],
)
def test_bad_flag_values(script, flag):
    flags = ["--data_dir=x", *(["--CAD_dir=x"] if script == "mujoco_render" else [])]
    process = cad_samples.run_script(script, *flags, flag)
    assert process.returncode != 0 and "Traceback" not in process.stderr
    assert flag.split("=")[0].strip("-") in process.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_required_flags_and_help(script):
    process = cad_samples.run_script(script)
    assert process.returncode != 0 and "Traceback" not in process.stderr
    assert "Error: Missing flag --" in process.stderr
    assert "_dir:" in cad_samples.run_script(script, "--help").stdout


def test_without_opengl_one_sentence_says_what_to_install(tmp_path):
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", ["chair/01"])
    process = cad_samples.run_script(
        "mujoco_render",
        f"--CAD_dir={cad_dir}",
        f"--data_dir={tmp_path / 'data'}",
        env={"MUJOCO_GL": "nonsense"},
    )
    cad_samples.assert_one_sentence(process, "apt-get install libegl1 libgl1", "libosmesa6")
    assert len(process.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_importing_a_script_defines_no_flag_and_loads_nothing_heavy():
    code = (
        "import sys; from absl import app, flags; before = set(flags.FLAGS);"
        f"from pose_data import {', '.join(SCRIPTS)};"
        "assert set(flags.FLAGS) == before;"
        "assert not {'tensorflow', 'mujoco'} & set(sys.modules)"
    )
    process = cad_samples.run_python(code)
    assert process.returncode == 0, process.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
@pytest.mark.parametrize(
    "how",
    [signal.SIGKILL, *exhaustive(signal.SIGINT, signal.SIGTERM)],
)
def test_a_run_that_is_stopped_goes_on(tmp_path, how):
    """Ctrl-C goes to the whole group of processes, other signals to the parent alone."""
    names = [f"chair/{i:02d}" for i in range(6)]
    cad_dir = cad_samples.write_cad(tmp_path / "CAD", names)
    data_dir = tmp_path / "data"
    flags = [f"--CAD_dir={cad_dir}", f"--data_dir={data_dir}", "--num_images=60", "--workers=1"]
    flags.append("--image_size=32")
    process = subprocess.Popen(
        [sys.executable, "mujoco_render.py", *flags],
        cwd=cad_samples.PACKAGE,
        env={**os.environ, "PYTHONPATH": str(cad_samples.PACKAGE.parent)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # In the background of a script, where tests may run, Ctrl-C is ignored otherwise.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and not (data_dir / "rotate/chair/00/manifest.json").exists():
        time.sleep(0.02)
    (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == (-how if how == signal.SIGKILL else 128 + how)
    assert "Traceback" not in messages
    if how != signal.SIGKILL:
        assert f"Stopped by {how.name}: files that are complete are kept; run the" in messages
    toys.waited(lambda: toys.has_ended(process.pid), 20)
    done = {path.parent.name for path in data_dir.rglob("manifest.json")}
    assert 0 < len(done) < 6
    for folder in (data_dir / "rotate/chair").iterdir():
        assert len(list(folder.glob("*.png"))) == 60, "what is there is whole"
    again = cad_samples.run_script("mujoco_render", *flags)
    assert again.returncode == 0, again.stderr
    assert not (data_dir / ".partial").exists()
    assert len(list(data_dir.rglob("*.png"))) == 6 * 60 + 1
