"""Commands of the pose task, as a user runs them."""

import json
import os
import pathlib
import re
import subprocess
import sys

import commands
import pytest
from hands import FLAGS, tiny

import maml
from maml.experiments import training

ROOT = pathlib.Path(__file__).parent.parent


def run(module, *arguments, cwd=ROOT):
    return commands.run(f"pose_code.{module}", *arguments, cwd=cwd)


@pytest.mark.slow
def test_command_line_trains_resumes_and_compares(data_dir, tmp_path):
    common = [f"--data_dir={data_dir}", f"--logdir={tmp_path / 'run'}"]
    common += [*FLAGS, "--regularizer=label_mi", "--regularizer_options=warmup=2"]
    first = run("train", *common, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "on test tasks" in first.stdout
    record = json.loads((tmp_path / "run/results.json").read_text())
    command = record["provenance"]["command"]
    assert command.startswith("python -m pose_code.train --data_dir=")
    options = tiny(data_dir, regularizer="label_mi")
    assert record["config"] == options.describe(options.make_problem())
    again = run("train", *common, "--resume")
    assert again.returncode == 0 and "on test tasks" in again.stdout
    table = commands.run("maml.compare", f"--runs={tmp_path}", f"--output={tmp_path}", cwd=ROOT)
    assert table.returncode == 0 and record["method"] in table.stdout


@pytest.mark.slow
def test_the_pose_task_is_found_by_its_entry_point(data_dir, tmp_path):
    words = [flag for flag in FLAGS if not flag.startswith("--learner_options")]
    words += [
        "--learner=cnp",
        "--learner_options=hidden=8:8;interaction=64",
        "--eval_batch_size=16",
    ]
    process = commands.run(
        "maml.train", "--task=pose", f"--data_dir={data_dir}", f"--logdir={tmp_path / 'a'}", *words
    )
    assert process.returncode == 0, process.stderr
    own = training.run(tiny(data_dir), tmp_path / "b", verbose=0, pictures=False)
    records = [json.loads((tmp_path / "a/results.json").read_text()), own]
    # A command has TensorFlow rewrite its graphs, which the tests leave out.
    errors = [record["scores"]["test"]["mse"]["mean"] for record in records]
    assert errors[0] == pytest.approx(errors[1], rel=1e-4)


@pytest.mark.slow
def test_a_learner_of_ones_own_is_one_file(data_dir, tmp_path):
    """That of the page, written to a file as it stands there, by the command that stands there."""
    text = (ROOT / "docs/how_to/own_learner.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (learner,) = [block for block in blocks if "LEARNERS.register" in block]
    (tmp_path / "neighbours.py").write_text(learner)
    command = next(line for line in text.splitlines() if "--import=neighbours.py" in line)
    filled = command.replace("DATA", str(data_dir)).replace("LOGS", "logs").split()[3:]
    flags = [flag for flag in FLAGS if not flag.startswith("--learner_options")]
    process = run("train", *filled, *flags, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    record = json.loads((tmp_path / "logs/neighbours/results.json").read_text())
    assert record["method"].startswith("Neighbours + Label-MI")
    maml.import_files([str(tmp_path / "neighbours.py")])
    assert maml.load(tmp_path / "logs/neighbours/learner.keras").network_kind == "embedding"


def test_options_add_up_over_flags_and_the_last_value_counts(data_dir, tmp_path):
    """So FLAGS of a recipe take no option of the recipe away."""
    more = ["--network_options=embedding_normalization=layer", "--network_options=dim_w=9"]
    more += ["--learner_options=dim_r=7;hidden=6:6"]
    process = run("train", f"--data_dir={data_dir}", f"--logdir={tmp_path}", *FLAGS, *more)
    assert process.returncode == 0, process.stderr
    config = json.loads((tmp_path / "config.json").read_text())["config"]
    networks = config["network_options"]
    assert (networks["dim_w"], networks["embedding_normalization"]) == (9, "layer")
    assert (config["learner_options"]["dim_r"], config["learner_options"]["hidden"]) == (7, [6, 6])


SMALL = ("--task_options=cropped=false;image_size=16", "--shots=3", "--queries=3")


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("train", ["--data_dir=nowhere", "--logdir={tmp}"], "nowhere/train_data.pkl"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", *SMALL, "--shots=0"], "--shots:"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--shots=three"], "--shots:"),
        ("train", ["--logdir={tmp}", "--learner=mlp"], "Unknown learner 'mlp': expected one of"),
        ("train", ["--logdir={tmp}", "--learner_options=inner_lr=0.1"],
         "'inner_lr' has no effect with learner cnp: it is an option of maml"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", *SMALL, "--regularizer=mr_w,tea"],
         "Unknown regularizer 'tea'"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", *SMALL,
                   "--network_options=shared_tower=true"], "leave out shared_tower"),
        ("train", ["--logdir={tmp}", "--import=nothing.py"], "no file nothing.py"),
        ("train", ["--data_dir={data}"], "logdir"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--steps=7", "--steps_per_epoch=2"],
         "expected a multiple of 2"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--task_options=image_size=3"],
         "received 3 for images of 10 x 10; give another image_size"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--shots=3", "--queries=3",
                   "--task_options=image_size=8;cropped=false"],
         "needs 16: give a larger image_size"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", "--shots=9",
                   "--task_options=image_size=0;cropped=false"], "more (--num_images)"),
        ("train", ["--data_dir={data}", "--logdir={tmp}", *SMALL, "--meta_lr=1e15", "--steps=20",
                   "--steps_per_epoch=10"], "Lower the learning rates"),
        ("baselines", ["--data_dir=nowhere", "--logdir={tmp}"], "nowhere/train_data.pkl"),
    ],
)  # fmt: skip
def test_errors_are_one_sentence(module, arguments, message, data_dir, tmp_path):
    filled = [a.format(data=data_dir, tmp=tmp_path / "log") for a in arguments]
    process = run(module, *filled)
    assert process.returncode != 0
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert not list(tmp_path.rglob("results.json"))


def test_a_table_of_no_runs_is_refused_in_one_sentence(tmp_path):
    process = commands.run("maml.compare", f"--runs={tmp_path / 'log'}")
    assert process.returncode != 0 and "no finished run" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task.other_shots": (7,)}, r"at most 8 in all.* received 7 \+ 3"),
        ({"task.other_shots": (0,)}, "expected at least 1, received 0"),
        ({"task.other_shots": "1,a"}, "expected a sequence of int"),
        ({"task.other_shots": (2, 2)}, "`other_shots`: expected each value once"),
        ({"learner": "mlp"}, "Unknown learner"),
        ({"learner": "maml", "regularizer": "mr_a"}, "give it an embedding"),
    ],
)
def test_what_is_refused_claims_no_folder(data_dir, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        training.run(tiny(data_dir, **options), tmp_path / "log", verbose=0)
    assert not (tmp_path / "log").exists()


@pytest.mark.slow
def test_environment_is_left_alone():
    """Importing the package for a notebook defines no flags and touches no global seed."""
    code = (
        "from absl import flags; import pose_code.train, maml.compare, pose_code.baselines;"
        "import pose_code.study, pose_code.predict;"
        "assert 'data_dir' not in flags.FLAGS"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ, capture_output=True)
