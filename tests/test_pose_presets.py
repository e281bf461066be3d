"""Presets and recipes of the pose task: the options of the committed tables."""

import json
import os
import pathlib
import re
import subprocess
import sys

import commands
import hands
import numpy as np
import pytest
from hands import FLAGS

import maml
from maml.experiments import Config
from maml.experiments.command_line import SHORT
from pose_code.presets import PRESETS, preset_options

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(scope="module")
def large_dir(tmp_path_factory):
    """Images of noise, as many and as large as the presets ask for."""
    folder, rng = tmp_path_factory.mktemp("large"), np.random.default_rng(0)
    parts = [(rng.integers(0, 255, (2, 30, 128, 128), np.uint8), rng.random((2, 30)))] * 2
    hands.write_images(folder, *parts)
    return folder


def preset(name, data_dir, **given):
    """A run of a preset, nothing changed but what is given."""
    options = preset_options(name, given.get("learner"))
    return Config.of({"task.data_dir": str(data_dir)} | given, options)


@pytest.mark.parametrize("learner", ["cnp", "maml"])
def test_unbounded_outputs_and_a_critic_without_a_power_penalty_are_refused(large_dir, learner):
    critic = {"regularizer": "mr_w, prediction_mi", "learner": learner}
    critic["prediction_mi.power_penalty"] = 0.0
    unfit = preset("paper", large_dir, **critic)
    with pytest.raises(ValueError, match="critic can be exploited.*`bounds`.*power_penalty"):
        unfit.make_learner(unfit.make_problem())
    for remedy in (
        {"head.bounds": (-1.0, 11.0)}, {"head": "circular"}, {"prediction_mi.power_penalty": 1.0}
    ):  # fmt: skip
        fit = preset("paper", large_dir, **critic | remedy)
        assert fit.make_learner(fit.make_problem()).regularizers


SAME = {
    "critic_lr": "critic_lr", "steps": "steps", "steps_per_epoch": "steps_per_epoch",
    "meta_batch_size": "meta_batch_size", "meta_lr": "meta_lr", "meta_lr_decay": "meta_lr_decay",
    "weight_decay": "weight_decay", "eval_episodes": "episodes_per_task",
    "information_draws": "num_relabelings", "shots": "task.shots", "queries": "task.queries",
    "image_size": "task.image_size", "cropped": "task.cropped",
    "num_validation": "task.num_validation", "extra_data_dir": "task.extra_data_dir",
    "image_augmentation": "task.image_augmentation", "other_shots": "task.other_shots",
    "dim_w": "network.dim_w", "filters": "network.filters", "precision": "network.precision",
    "normalization": "network.normalization", "shared_tower": "network.shared_tower",
    "embedding_normalization": "network.embedding_normalization",
    "dim_r": "learner.dim_r", "dim_z": "learner.dim_z", "interaction": "learner.interaction",
    "hidden": "learner.hidden", "heads": "learner.heads",
    "inner_lr": "learner.inner_lr", "inner_steps": "learner.inner_steps",
    "test_inner_steps": "learner.test_inner_steps", "inner_clip": "learner.inner_clip",
    "inner_optimizer": "learner.inner_optimizer", "recompute": "learner.recompute",
    "inner_batch_size": "learner.inner_batch_size", "adapt_only": "learner.adapt_only",
    "task_map": "learner.task_map", "multi_step": "learner.multi_step",
    "regularization": "learner.regularization", "solver": "learner.solver",
    "solver_steps": "learner.solver_steps", "damping": "learner.damping",
    "knots": "head.knots", "harmonics": "head.harmonics", "bounds": "head.bounds",
    "head": "head",
    "mi_bound": "label_mi.bound", "mi_weight": "label_mi.weight", "mi_warmup": "label_mi.warmup",
    "mi_warmup_nats": "label_mi.warmup_nats",
    "mi_draws": "label_mi.num_relabelings", "mi_cap": "label_mi.cap",
    "prediction_bound": "prediction_mi.bound", "prediction_weight": "prediction_mi.weight",
    "prediction_warmup": "prediction_mi.warmup", "prediction_cap": "prediction_mi.cap",
    "mi_noise": "prediction_mi.noise", "mi_power_penalty": "prediction_mi.power_penalty",
    "kl_weight": "mr_w.weight", "kl_sigma": "mr_w.sigma", "kl_layers": "mr_w.layers",
    "bottleneck_weight": "mr_a.weight", "l2_weight": "weight_decay.weight",
    "augment_probability": "label_augmentation.probability",
}  # fmt: skip
"""Options of the runs behind the committed tables, as they were called -> what they are called."""

EVERY = {
    "critic_lr": 1e-3, "steps_per_epoch": 100, "meta_batch_size": 10, "meta_lr": 1e-3,
    "meta_lr_decay": False, "weight_decay": 0.0, "eval_episodes": 40, "information_draws": 8,
    "shots": 15, "queries": 15, "image_size": 0, "cropped": False, "num_validation": 0,
    "extra_data_dir": "", "image_augmentation": [], "other_shots": [], "dim_w": 64, "filters": 64,
    "precision": "float32", "normalization": "batch", "shared_tower": False,
    "embedding_normalization": "none", "mi_bound": "ba", "mi_weight": 1.0, "mi_warmup": 0,
    "mi_warmup_nats": 0.5, "prediction_warmup": 0,
    "mi_draws": 1, "mi_cap": 0.0, "prediction_bound": "mine", "prediction_weight": 0.5,
    "prediction_cap": 0.0, "mi_noise": 0.0, "mi_power_penalty": 1.0, "kl_weight": 1e-5,
    "kl_sigma": 0.1, "kl_layers": None, "bottleneck_weight": 1e-3, "l2_weight": 1e-4,
    "augment_probability": 1.0,
}  # fmt: skip
"""What they were in every preset, unless it says otherwise; of Label-MI what they are since."""

CONTEXT = {"dim_r": 100, "dim_z": 64, "interaction": 64, "hidden": [100, 100]}
ADAPTING = {
    "inner_lr": 0.01, "inner_steps": 5, "test_inner_steps": None, "inner_optimizer": "sgd",
    "inner_clip": None, "inner_batch_size": None, "adapt_only": None, "task_map": "auto",
    "recompute": False,
}  # fmt: skip
BY_LEARNER = {
    "cnp": CONTEXT, "acnp": CONTEXT | {"heads": 8},
    "relative": {"interaction": 64, "hidden": [100, 100]},
    "maml": ADAPTING, "fomaml": ADAPTING, "anil": ADAPTING, "metasgd": ADAPTING,
    "reptile": ADAPTING, "maml++": ADAPTING | {"multi_step": 1000},
    "imaml": ADAPTING
    | {"regularization": 2.0, "solver": "cg", "solver_steps": 5, "damping": 0.0},
}  # fmt: skip
"""Options of the learners, which presets may change too."""

QUICK = {
    "mi_weight": 0.5, "mi_warmup_nats": 0.0,
    "cropped": True, "image_size": 40, "shots": 5, "queries": 5, "head": "", "knots": 60,
}  # fmt: skip
CPU = {
    "cropped": True, "image_size": 40, "embedding_normalization": "layer", "queries": 5,
    "image_augmentation": ["shift", "scale", "brightness"], "head": "von_mises", "knots": 360,
    "harmonics": 2, "meta_batch_size": 4, "meta_lr_decay": True,
}  # fmt: skip
PAPER = {"head": "normal", "bounds": None}
BY_PRESET = {
    ("quick", "embedding"): QUICK
    | {
        "meta_batch_size": 16,
        "steps": 2000,
        "prediction_warmup": 500,
        "mi_warmup": 500,
        "eval_episodes": 20,
    },
    ("quick", "network"): QUICK
    | {
        "dim_w": 196,
        "filters": 16,
        "meta_batch_size": 4,
        "steps": 500,
        "prediction_warmup": 100,
        "mi_warmup": 100,
    }
    | {"eval_episodes": 5},
    ("cpu", "embedding"): CPU
    | {"steps": 8000, "steps_per_epoch": 1000, "prediction_warmup": 500, "mi_draws": 32},
    ("cpu", "network"): CPU
    | {"dim_w": 196, "filters": 16, "steps": 6000, "steps_per_epoch": 500, "prediction_warmup": 200}
    | {"inner_lr": 0.1, "inner_steps": 3, "test_inner_steps": 5},
    ("paper", "embedding"): PAPER | {"interaction": 0, "steps": 140_000},
    ("paper", "network"): PAPER
    | {"dim_w": 196, "shots": 10, "queries": 10, "steps": 10_000, "meta_lr": 5e-4}
    | {"inner_lr": 0.002, "inner_steps": 5, "test_inner_steps": 20, "weight_decay": 2.0},
}
"""What a preset says otherwise, for each kind of network."""


@pytest.mark.parametrize("learner", sorted(BY_LEARNER))
@pytest.mark.parametrize("name", PRESETS)
def test_presets_give_the_options_of_the_committed_tables(name, learner, large_dir):
    own = BY_PRESET[name, maml.LEARNERS[learner].network_kind]
    expected = EVERY | BY_LEARNER[learner] | own
    known = {"task", "learner", "network", "head"}
    regularizers = "label_mi,prediction_mi,mr_w,mr_a,weight_decay,label_augmentation"
    chosen = preset(name, large_dir, learner=learner, regularizer=regularizers)
    found = {}
    for key, value in chosen.describe(chosen.make_problem()).items():
        role = key.removesuffix("_options")
        prefix = f"{role}." if role in known else ""
        found |= {f"{prefix}{k}": v for k, v in value.items()} if role != key else {key: value}
    assert {old: found[SAME[old]] for old in expected} == expected
    # All options, those that did not exist, or could not be changed, among them.
    fixed = {
        "task": "pose", "task.data_dir": str(large_dir), "learner": learner, "seed": 0,
        "regularizer": regularizers, "patience": 0, "num_validation_batches": 3,
        "num_validation_tasks": 1_000_000, "num_test_tasks": 1_000_000, "eval_batch_size": 16,
        "information_every": 1,
    }  # fmt: skip
    assert fixed.items() <= found.items()


def test_every_learner_has_presets():
    for name in PRESETS:
        for learner in maml.LEARNERS:
            assert Config.of({}, preset_options(name, learner)).learner == learner
        with pytest.raises(ValueError, match="Unknown learner 'mlp'"):
            preset_options(name, "mlp")


@pytest.mark.parametrize(
    "typed", ["warmup=3;num_relabelings=2", "label_mi.warmup=3;num_relabelings=2"]
)
def test_options_that_are_typed_replace_those_of_a_preset(typed, data_dir):
    given = {"regularizer": "label_mi", "regularizer_options": typed}
    found = Config.of(given, preset_options("cpu")).regularizers["label_mi"]
    assert found == {"warmup": 3, "num_relabelings": 2}
    given = {"regularizer": "mine", "regularizer_options": "mine.warmup=3"}
    assert Config.of(given, preset_options("cpu")).regularizers == {"prediction_mi": {"warmup": 3}}


@pytest.mark.slow
def test_a_recipe_trains_and_tabulates(data_dir, tmp_path):
    given = {"DATA_DIR": data_dir, "PRESET": "quick", "FLAGS": " ".join(FLAGS)}
    process = recipes("cnp", LOG_DIR=tmp_path, **given)
    assert process.returncode == 0, process.stderr
    assert "| CNP |" in (tmp_path / "cnp/table.md").read_text()
    # Refused before those that are known begin.
    unknown = recipes("mr_cnp_w", "nothing", DATA_DIR=data_dir, LOG_DIR=tmp_path / "none")
    assert unknown.returncode != 0 and "unknown recipe mr_cnp_w" in unknown.stderr
    unknown = recipes("cnp", "nothing", DATA_DIR=data_dir, LOG_DIR=tmp_path / "none")
    assert unknown.returncode != 0 and "unknown recipe nothing" in unknown.stderr
    assert "train" not in unknown.stderr and not (tmp_path / "none").exists()


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_every_command_of_the_recipes_has_options_that_exist(preset, large_dir, tmp_path):
    # It says what it was to run, a word a line.
    (tmp_path / "python").write_text("#!/bin/sh\nprintf '%s\\t' \"$@\"; echo\n")
    (tmp_path / "python").chmod(0o755)
    process = recipes(DATA_DIR="D", LOG_DIR="L", PRESET=preset, first=tmp_path)
    assert process.returncode == 0, process.stderr
    lines = [line.split("\t")[:-1] for line in process.stdout.splitlines()]
    trained = [words for words in lines if words[1] == "pose_code.train"]
    assert len(trained) == len({" ".join(words) for words in trained}) >= 13
    assert [words[1] for words in lines if words not in trained].count("maml.compare") >= 2
    if preset == "cpu":  # Regularizers are compared at equal networks and lengths.
        for learner in ("cnp", "maml"):
            ours = [words for words in trained if f"--learner={learner}" in words]
            regularizers = r"--(regularizer|regularizer_options|logdir)="
            rest = [[word for word in words if not re.match(regularizers, word)] for words in ours]
            assert len({tuple(sorted(words)) for words in rest}) == 1
    for _, module, *words in lines:
        checked = commands.run(module, *words, "--only_check_args")
        assert checked.returncode == 0, checked.stderr
    for _, _, *words in trained:
        given = dict(word.removeprefix("--").split("=", 1) for word in words if word != "--resume")
        assert given.pop("preset") == preset and given.pop("logdir")
        given |= {"data_dir": large_dir, "seed": int(given["seed"])}
        for name in ("steps", "meta_lr", "weight_decay"):
            given |= {name: json.loads(given[name])} if name in given else {}
        dotted = {f"{SHORT[k][0]}.{k}" if k in SHORT else k: v for k, v in given.items()}
        config = Config.of(dotted | {"task.data_dir": str(large_dir)}, preset_options(preset))
        problem = config.make_problem()
        learner = config.make_learner(problem)
        assert len(learner.regularizers) >= len(config.regularizers)
        if "mr_w" in config.regularizers:  # A layer that is named must be there.
            learner.create_weights(problem.train.sample(2, [0, 0]))


def recipes(*names, first=pathlib.Path(sys.executable).parent, **variables):
    """Runs recipes, with the programs of a folder before all others."""
    path = os.pathsep.join([str(first), os.environ["PATH"]])
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    return subprocess.run(
        [ROOT / "pose_code/run.sh", *names],
        env=environment | {"PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
