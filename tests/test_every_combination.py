"""The smoke test that every registered task and every registered learner pass."""

import numpy as np
import pytest
import tensorflow as tf
import toys

import maml
from maml.experiments import Config

SMALL = {
    "learner.inner_steps": 2, "learner.hidden": (8,), "learner.dim_r": 8, "learner.dim_z": 8,
    "learner.num_samples": 2, "learner.particles": 2, "learner.depth": 1,
    "task.shots": 2, "task.queries": 3, "task.data": toys.characters(),
}  # fmt: skip
NETWORKS = {"folder": {"network.kind": "perceptron"}}
"""Task -> options of its networks; those of vectors have one small layer."""

BATCH = 2


def trained(task, kind, regularizer):
    """A learner after three training steps, and what they did to it.

    One graph is traced and run three times: run eagerly, ``tf.vectorized_map`` would trace its
    function anew in every step, which took three times as long.
    """
    defaults = SMALL | NETWORKS.get(task, {"network.hidden": (8,), "network.embedding": (8,)})
    given = {"task": task, "learner": kind, "regularizer": regularizer}
    config = Config.of(given, defaults)
    problem = config.make_problem()
    learner = config.make_learner(problem)
    learner.create_weights(problem.train.sample(BATCH, tf.constant([0, 0])))
    learner.compile(jit_compile=False)
    before = {v.path: v.numpy() for v in learner.learner_variables}
    data = problem.train.dataset(BATCH, seed=0)
    history = learner.fit(data, steps_per_epoch=3, verbose=0).history
    moved = {v.path: np.abs(v.numpy() - before[v.path]).max() for v in learner.learner_variables}
    return problem, learner, history, moved


ON_NUMBERS = ("cnp", "maml", "fomaml", "anil", "metasgd", "latent_np", "attentive_latent_np")
"""On sinusoids; test_pose_code.py trains and evaluates the others on numbers, the poses.

Slow to trace are abml, bmaml and platipus: two of them on one task are enough here, since
test_probabilistic_maml.py has all.
"""

EXHAUSTIVE = ("anil", "fomaml", "metasgd", "attentive_latent_np")
"""With --exhaustive only: each is a variant of one that is there."""

ELSEWHERE = (("functions", "maml"), ("nme_sinusoid", "cnp"))
"""Trained and scored in test_maml_train.py."""


def learners(task):
    """Every learner on classes and on numbers; on other tasks, one that adapts and one other."""
    if task == "clusters":
        return [kind for kind in sorted(maml.LEARNERS) if toys.trains(kind) and kind != "abml"]
    if task == "sinusoid":
        return ON_NUMBERS
    return ("maml", "cnp" if task in toys.REGRESSIONS else "protonet")


# Of images one: they are made by one function. The pose task is of a data set, see
# test_pose_code.py; policies have tests of their own, in test_rl.py.
CASES = [
    pytest.param(task, kind, marks=[pytest.mark.exhaustive] if kind in EXHAUSTIVE else [])
    for task in sorted(set(maml.TASKS) - {"omniglot", "miniimagenet", "pose"})
    if not toys.of_policies(task)
    for kind in learners(task)
    if (task, kind) not in ELSEWHERE
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "kind"), CASES)
def test_trains_predicts_and_is_evaluated(task, kind):
    """On clusters with the problem's information term, elsewhere without a regularizer."""
    term = task == "clusters"
    problem, learner, history, moved = trained(task, kind, "label_mi" if term else "none")
    assert np.isfinite(history["loss"]).all() and history["skipped_steps"] == [0]
    still = [path for path, distance in moved.items() if not distance > 0]
    assert moved and not still
    if term:
        loss, task_loss, surrogate = (
            history[name] for name in ("loss", "task_loss", "label_mi_surrogate")
        )
        assert loss[0] == pytest.approx(task_loss[0] - surrogate[0], abs=1e-4)
        if not maml.LEARNERS[kind].classification_only:  # Those can compare from the start.
            assert surrogate[0] < -0.5  # Near log(1/5) nats before anything is learned.

    episode = problem.test.sample(BATCH, tf.constant([0, 1]))
    prediction = learner(episode)
    assert prediction.shape == episode.query_y.shape and np.isfinite(prediction).all()

    evaluate = maml.Evaluator(
        learner, label_transform=problem.label_transform, num_relabelings=2, metrics=problem.metrics
    )
    scores = evaluate(problem.test, per_task=1, batch_size=BATCH, seed=0, num_tasks=BATCH)
    main = problem.metrics[0].name
    assert {main, f"no_support_{main}", f"mismatched_support_{main}"} <= set(scores)
    assert {"label_information_lower", "support_information_upper"} <= set(scores)
    for score in scores.values():
        assert score.shape[:2] == (BATCH, 1) and np.isfinite(score).all()


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("regularizer", sorted(set(maml.REGULARIZERS) - {"action_mi"}))
@pytest.mark.parametrize("kind", [kind for kind in sorted(maml.LEARNERS) if toys.trains(kind)])
def test_every_regularizer_trains_every_learner(kind, regularizer):
    """Of classes where the learner has classes only; policies have tests of their own."""
    task = "clusters" if maml.LEARNERS[kind].classification_only else "sinusoid"
    _, _, history, moved = trained(task, kind, regularizer)
    assert np.isfinite(history["loss"]).all() and history["skipped_steps"] == [0]
    assert moved and all(distance > 0 for distance in moved.values())
