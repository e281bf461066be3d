"""Checks that a learner or a regularizer keeps the contract of its base class.

As scikit-learn's ``check_estimator``: one call for a class of one's own. A check that fails raises
AssertionError with a sentence.

    maml.testing.check_learner(MyLearner(network, maml.NormalHead()))
    maml.testing.check_regularizer(MyRegularizer(maml.LabelScale()))
"""

import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

from maml.core.episodes import Episode
from maml.distributions.base import Head
from maml.distributions.categorical import CategoricalHead
from maml.distributions.circular import CircularHead
from maml.distributions.normal import NormalHead
from maml.learners import saving
from maml.learners.base import MetaLearner
from maml.learners.neural_processes import CNP
from maml.nn.mlp import perceptron
from maml.regularizers.base import Regularizer

TASKS, SHOTS, QUERIES = 3, 4, 5


def check_learner(learner: MetaLearner, input_shape: tuple[int, ...] | None = None) -> None:
    """Checks a learner: shapes, states, training, independence of tasks, saving.

    Args:
        learner: untrained; it is trained for two steps.
        input_shape: of one input; read from the learner's networks if None.

    Raises:
        AssertionError: the learner breaks the contract; the message says which part of it.
    """
    episode = example_episode(learner.head, input_shape or _input_shape(learner))
    learner.create_weights(episode)
    twin = type(learner).from_config(learner.get_config())
    twin.create_weights(episode)
    twin.set_weights(learner.get_weights())
    _check_states(learner, episode)
    _check_tasks_are_independent(learner, episode)
    before = [weight.copy() for weight in learner.get_weights()]
    for one in (learner, twin):
        one.compile("adam")
        logs = one.train_step(episode), one.train_step(episode)
        for name, value in logs[-1].items():
            assert np.isfinite(value), f"The metric {name} is not finite after a training step."
    after = learner.get_weights()
    moved = any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert moved, "A training step changes no weight."
    same = all(np.allclose(a, b) for a, b in zip(after, twin.get_weights(), strict=True))
    assert same, "Two learners with the same configuration, weights and seed train differently."
    _check_saving(learner, episode)


def check_regularizer(regularizer: Regularizer, head: Head | None = None) -> None:
    """Checks a regularizer inside a small neural process: shapes, metrics, gradients, saving.

    Args:
        regularizer: whatever it needs is in it.
        head: whose predictions it takes; a normal one if None.

    Raises:
        AssertionError: the regularizer breaks the contract; the message says which part of it.
    """
    head = head or NormalHead()
    learner = CNP(perceptron(2, (8,), 6, 0), head, (8,), 6, 4, regularizers=[regularizer])
    episode = example_episode(head, (2,))
    seed = tf.constant([0, 1], tf.int32)
    changed = regularizer.augment(episode, seed)
    for name, part, own in zip(Episode._fields, changed, episode, strict=True):
        if own is not None:
            assert part.shape == own.shape, f"augment changes the shape of {name}."
    learner.create_weights(episode)
    features = learner.features(episode.query_x)
    assert features.shape[:2] == episode.query_x.shape[:2], "transform loses tasks or queries."
    for training in (False, True):
        objective, logs = learner.objective(episode, seed, training=training)
        assert objective.shape == () and np.isfinite(objective), "The term is not a finite scalar."
        unknown = set(logs) - {"loss", "task_loss", "mse", *regularizer.metric_names}
        assert not unknown, f"term logs {sorted(unknown)}, which metric_names does not list."
    again = learner.objective(episode, seed, training=False)[0]
    assert np.allclose(learner.objective(episode, seed, training=False)[0], again), (
        "The term differs between two calls with the same seed."
    )
    copy = type(regularizer).from_config(regularizer.get_config())
    assert copy.metric_names == regularizer.metric_names, "get_config loses an argument."
    check_learner(
        CNP(perceptron(2, (8,), 6, 0), head, (8,), 6, 4, regularizers=[copy]), input_shape=(2,)
    )


def example_episode(head: Head, input_shape: tuple[int, ...], dtype: str = "float32") -> Episode:
    """A batch of episodes of noise whose labels fit a head.

    Args:
        head: of the learner.
        input_shape: of one input.
        dtype: of inputs and labels.
    """
    rng = np.random.default_rng(0)

    def labels(count):
        if isinstance(head, CategoricalHead):
            classes = np.arange(count) % head.classes
            return np.broadcast_to(np.eye(head.classes)[classes], (TASKS, count, head.classes))
        if isinstance(head, CircularHead):
            return rng.uniform(0, head.period, (TASKS, count, 1))
        return rng.normal(size=(TASKS, count, getattr(head, "dim", 1)))

    shots = max(SHOTS, getattr(head, "classes", 0))
    parts = []
    for count in (shots, QUERIES):
        parts += [rng.normal(size=(TASKS, count, *input_shape)), labels(count)]
    return Episode(*(tf.constant(part, dtype) for part in parts))


def _input_shape(learner: MetaLearner) -> tuple[int, ...]:
    for name in ("embedding", "network"):
        network = getattr(learner, name, None)
        if isinstance(network, keras.Model):
            return tuple(network.input_shape[1:])
    raise ValueError(
        f"{type(learner).__name__} has no attribute `network` or `embedding` to read the shape of "
        "inputs from: pass input_shape."
    )


def _check_states(learner, episode) -> None:
    support_x, query_x = learner.features(episode.support_x), learner.features(episode.query_x)
    state = learner.encode(support_x, episode.support_y)
    for part in tf.nest.flatten(state):
        assert part.shape[0] == TASKS, "encode returns a state without a leading axis of tasks."
    empty = learner.initial_state(TASKS)
    tf.nest.assert_same_structure(state, empty)
    for of in (state, empty):
        prediction = learner.decode(of, query_x)
        assert prediction.mean().shape == episode.query_y.shape, "decode's mean has another shape."
        log_prob = prediction.log_prob(episode.query_y)
        assert log_prob.shape == (TASKS, QUERIES), "log_prob is not [tasks, queries]."
        assert np.isfinite(log_prob).all(), "The log-likelihood of a label is not finite."


def _check_tasks_are_independent(learner, episode) -> None:
    if "transductive" in learner.normalization:
        return
    together = learner(episode)
    for task in range(TASKS):
        alone = learner(Episode(*(of if of is None else of[task : task + 1] for of in episode)))
        assert np.allclose(alone[0], together[task], atol=1e-4), (
            "A task's prediction depends on the other tasks of its batch."
        )


def _check_saving(learner, episode) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "learner.keras"
        saving.save(learner, path)
        loaded = saving.load(path)
    assert np.allclose(loaded(episode), learner(episode), atol=1e-5), (
        "A learner that was saved and loaded predicts something else."
    )
