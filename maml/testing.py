"""Checks that a learner or a regularizer keeps the contract of its base class.

As scikit-learn's ``check_estimator``: one call for a class of one's own. A check that fails raises
AssertionError with a sentence.

    maml.testing.check_learner(MyLearner(network, maml.NormalHead()))
    maml.testing.check_regularizer(MyRegularizer(maml.LabelScale()))
"""

import contextlib
import inspect
import json
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

from maml import contract
from maml.core.episodes import Episode, PaddedEpisode
from maml.core.gradient_check import ignores, wrong_gradients
from maml.core.options import parameters
from maml.distributions.base import Head
from maml.distributions.categorical import CategoricalHead
from maml.distributions.circular import CircularHead
from maml.distributions.normal import NormalHead
from maml.learners import saving
from maml.learners.base import MetaLearner
from maml.learners.neural_processes import CNP
from maml.nn.mlp import perceptron
from maml.regularizers.base import Regularizer

TASKS, SHOTS, QUERIES, SEED = 3, 4, 5, (0, 1)


def check_learner(learner: MetaLearner, input_shape: tuple[int, ...] | None = None) -> None:
    """Checks a learner: shapes, states, what predictions depend on, gradients, training, saving.

    * Predictions are the same each time, depend on the support labels, and not on the other tasks
      of the batch, in training neither. They do not depend on the other queries, unless a network
      normalizes by the current batch.
    * If ``encode`` has an argument ``mask``, padding changes no prediction.
    * The gradient of the objective is its finite difference in float64; of a learner whose
      ``exact_gradient`` is False, that of the query loss at a constant task state.

    Args:
        learner: untrained; it is trained for two steps.
        input_shape: of one input; read from the learner's networks if None.

    Raises:
        AssertionError: the learner breaks the contract; the message says which part of it.
    """
    input_shape = input_shape or _input_shape(learner)
    episode = example_episode(learner.head, input_shape)
    twin = _copy(learner)
    contract.check_steps(_copy(learner), episode)
    for one in (learner, twin):
        one.create_weights(episode)
    twin.set_weights(learner.get_weights())
    _check_states(learner, episode)
    shaken = _copy(learner)
    shaken.create_weights(episode)
    _shake(shaken)
    _check_dependence(shaken, episode)
    _check_mask(shaken, episode)
    _check_learner_gradient(learner, input_shape)
    before = [weight.copy() for weight in learner.get_weights()]
    for one in (learner, twin):
        one.compile("adam")
        logs = one.train_step(episode), one.train_step(episode)
        for name, value in logs[-1].items():
            assert np.isfinite(value), f"The metric {name} is not finite after a training step."
    after = learner.get_weights()
    moved = any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert moved or not learner.trainable_variables, "A training step changes no weight."
    same = all(np.allclose(a, b) for a, b in zip(after, twin.get_weights(), strict=True))
    assert same, "Two learners with the same configuration, weights and seed train differently."
    _check_saving(learner, episode)


def check_regularizer(regularizer: Regularizer, head: Head | None = None) -> None:
    """Checks a regularizer inside a small neural process: shapes, metrics, gradients, saving.

    Its gradient, and that of the meta-loss with it, are finite differences in float64. Where
    ``exact_gradient`` is False it is checked with ``weight=1`` if that makes it exact; otherwise
    the term's gradient must only not be zero.

    Args:
        regularizer: whatever it needs is in it.
        head: whose predictions it takes; a normal one if None.

    Raises:
        AssertionError: the regularizer breaks the contract; the message says which part of it.
    """
    head = head or NormalHead()
    copy = _copy(regularizer)
    assert copy.metric_names == regularizer.metric_names, "get_config loses an argument."
    learner = CNP(perceptron(2, (8,), 6, 0), head, (8,), 6, 4, regularizers=[regularizer])
    episode = example_episode(head, (2,))
    seed = tf.constant(SEED, tf.int32)
    plain = CNP(perceptron(2, (8,), 6, 0), head, (8,), 6, 4)
    contract.check_term(_copy(regularizer), plain, episode, seed)
    changed = regularizer.augment(episode, seed)
    for name, part, own in zip(Episode._fields, changed, episode, strict=True):
        if own is not None:
            assert part.shape == own.shape, f"augment changes the shape of {name}."
    learner.create_weights(episode)
    features = learner.features(episode.query_x)
    assert features.shape[:2] == episode.query_x.shape[:2], "transform loses tasks or queries."
    logged = set()
    for training in (False, True):
        objective, logs = learner.objective(episode, seed, training=training)
        assert objective.shape == () and np.isfinite(objective), "The term is not a finite scalar."
        logged |= set(logs) - {"loss", "task_loss", "mse"}
    unknown = sorted(logged - set(regularizer.metric_names))
    assert not unknown, f"term logs {unknown}, which metric_names does not list."
    missing = sorted(set(regularizer.metric_names) - logged)
    assert not missing, f"metric_names lists {missing}, which term never logs."
    again = learner.objective(episode, seed, training=False)[0]
    assert np.allclose(learner.objective(episode, seed, training=False)[0], again), (
        "The term differs between two calls with the same seed."
    )
    _check_regularizer_gradient(regularizer, head)
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


# -- copies ---------------------------------------------------------------------------------------


def _copy(component):
    """A new object from the configuration of a learner or regularizer, which must be complete."""
    kind = type(component).__name__
    arguments = parameters(type(component))
    for name in arguments:
        assert hasattr(component, name), (
            f"The constructor of {kind} takes `{name}`, and there is no attribute of this name: "
            f"keep it as self.{name}, so that {kind} can be saved."
        )
    config = component.get_config()
    lost = sorted(set(arguments) - set(config) - {"dtype"})
    assert not lost, f"get_config of {kind} loses the arguments {lost}."
    remedy = "; take **options, and pass them to super().__init__"
    with contract.in_a_sentence(f"The constructor of {kind}, given its get_config,", remedy):
        copy = type(component).from_config(config)
    again = copy.get_config()
    changed = sorted(name for name in config if _text(config[name]) != _text(again.get(name)))
    assert not changed, (
        f"A {kind} made from get_config has other values of {changed}: keep each argument as it "
        "was given."
    )
    return copy


def _text(config) -> str:
    """What can be compared of a configuration: of Keras' own objects their class alone."""

    def plain(part):
        if isinstance(part, dict):
            if str(part.get("module", "")).partition(".")[0] == "keras":
                return part.get("class_name")
            return {name: plain(value) for name, value in part.items()}
        return [plain(value) for value in part] if isinstance(part, list | tuple) else part

    return json.dumps(plain(config), sort_keys=True, default=str)


def _double(config):
    """A configuration whose layers compute in float64, for finite differences."""
    if isinstance(config, dict):
        return {name: _double(value) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_double(value) for value in config)
    floats = ("float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")
    return "float64" if isinstance(config, str) and config in floats else config


def _shake(learner) -> None:
    """Moves all weights away from where layers start, such as from zeros, and from kinks."""
    rng = np.random.default_rng(0)
    for variable in learner.trainable_variables:
        variable.assign_add(rng.normal(0, 0.05, variable.shape).astype(variable.dtype))


def _for_differences(kind, config, input_shape):
    """``(learner, episode)`` in float64; in float32 if there is something fixed to that in it."""
    seed = tf.constant(SEED, tf.int32)
    for change, dtype in ((_double, "float64"), (dict, "float32")):
        with contextlib.nullcontext() if dtype == "float32" else contextlib.suppress(Exception):
            copy = kind.from_config(change(config))
            episode = example_episode(copy.head, input_shape, dtype)
            copy.create_weights(episode)
            _shake(copy)
            copy.objective(episode, seed, training=True)
            return copy, episode


# -- the checks -----------------------------------------------------------------------------------


def _check_states(learner, episode) -> None:
    support_x, query_x = learner.features(episode.support_x), learner.features(episode.query_x)
    state = learner.encode(support_x, episode.support_y)
    for part in tf.nest.flatten(state):
        assert _leading(part) == TASKS, "encode returns a state without a leading axis of tasks."
    for tasks in (1, TASKS):
        empty = learner.initial_state(tasks)
        for part in tf.nest.flatten(empty):
            assert _leading(part) == tasks, (
                f"initial_state({tasks}) returns a part of shape {tuple(np.shape(part))}: expected "
                f"a leading axis of {tasks} tasks."
            )
    for of in (state, empty):
        prediction = learner.decode(of, query_x)
        assert prediction.mean().shape == episode.query_y.shape, "decode's mean has another shape."
        log_prob = prediction.log_prob(tf.stack([episode.query_y] * 2))[0]
        assert log_prob.shape == (TASKS, QUERIES), "log_prob is not [tasks, queries]."
        assert np.isfinite(log_prob).all(), "The log-likelihood of a label is not finite."


def _leading(part) -> int:
    return int(np.shape(part)[0]) if np.ndim(part) else 0


def _predicted(learner, episode, training=False):
    """Expected labels at the queries, as task_loss has them: [tasks, queries, dim]."""
    embedded = episode._replace(
        support_x=learner.features(episode.support_x), query_x=learner.features(episode.query_x)
    )
    return learner.task_loss(embedded, training)[1].mean().numpy()


def _check_dependence(learner, episode) -> None:
    """What predictions depend on, and what they do not depend on."""
    for training in (False, True):
        when = "In training, a" if training else "A"
        together = _predicted(learner, episode, training)
        assert np.array_equal(together, _predicted(learner, episode, training)), (
            "Two predictions of the same episode differ: draw random numbers from seeds only."
        )
        if "transductive" not in learner.normalization:
            for task in range(TASKS):
                alone = _predicted(learner, _task(episode, task), training)[0]
                assert np.allclose(alone, together[task], atol=1e-4), (
                    f"{when} task's prediction depends on the other tasks of its batch."
                )
    together = learner(episode).numpy()
    if "transductive" not in learner.normalization:
        for query in range(QUERIES):
            one = learner(episode._replace(query_x=episode.query_x[:, query : query + 1]))
            assert np.allclose(one[:, 0], together[:, query], atol=1e-4), (
                "The prediction at a query depends on the other queries."
            )
    # Labels of another shot, of another task, of another class or component.
    relabeled = [tf.roll(episode.support_y, 1, axis) for axis in (1, 0, 2)]
    assert any(
        not np.array_equal(learner(episode._replace(support_y=y)), together) for y in relabeled
    ), "Predictions do not depend on the support labels, so the learner cannot adapt to a task."


def _task(episode, task):
    return type(episode)(*(part[task : task + 1] for part in episode))


def _check_mask(learner, episode) -> None:
    """Padded support sets, with garbage where they are padded, against each task without it."""
    takes_mask = "mask" in inspect.signature(learner.encode).parameters
    if not takes_mask or "current batch" in learner.normalization:
        return
    shots = episode.support_y.shape[1]
    sizes = [shots, 2, 3]
    mask = tf.sequence_mask(sizes, shots)
    x, y = (
        tf.where(tf.reshape(mask, [TASKS, shots] + [1] * (part.shape.rank - 2)), part, 3.0)
        for part in (episode.support_x, episode.support_y)
    )
    padded = PaddedEpisode(x, y, episode.query_x, episode.query_y, mask)
    try:
        found = learner(padded)
    except Exception as error:
        raise AssertionError(
            f"encode has an argument `mask`, and {type(error).__name__} is raised for a padded "
            f"support set: {error}"
        ) from error
    for task, size in enumerate(sizes):
        one = _task(episode, task)
        short = one._replace(support_x=one.support_x[:, :size], support_y=one.support_y[:, :size])
        assert np.allclose(found[task], learner(short)[0], rtol=1e-3, atol=1e-4), (
            "A prediction depends on the padding of its support set: encode has an argument "
            "`mask`, which says which shots are real, and does not use it everywhere."
        )


def _check_learner_gradient(learner, input_shape) -> None:
    config = learner.get_config()
    if "regularizers" in config:  # They may scale gradients, and have a check of their own.
        config["regularizers"] = []
    copy, episode = _for_differences(type(learner), config, input_shape)
    seed = tf.constant(SEED, tf.int32)
    variables, keep = list(copy.learner_variables), copy.non_trainable_variables
    names = [variable.path for variable in variables]
    function, what = lambda: copy.objective(episode, seed, training=True)[0], "the objective"
    if not copy.exact_gradient:
        what = "the query loss at a constant task state"
        support = copy.features(episode.support_x), episode.support_y
        state = copy.encode(*support, training=True)
        parts = [tf.Variable(part) for part in tf.nest.flatten(state)]
        variables += [part for part in parts if part.dtype.is_floating]
        names += ["the task state"] * (len(variables) - len(names))

        def function():
            values = tf.nest.pack_sequence_as(state, [tf.convert_to_tensor(p) for p in parts])
            prediction = copy.decode(values, copy.features(episode.query_x))
            return tf.reduce_mean(copy.head.loss(prediction, episode.query_y))

    wrong = wrong_gradients(function, variables, keep)
    assert not wrong, (
        f"The gradient of {what} differs from its finite difference, for "
        f"{', '.join(dict.fromkeys(names[index] for index in wrong))}. If it is an approximation "
        "on purpose, give the learner the property exact_gradient = False."
    )


def _check_regularizer_gradient(regularizer, head) -> None:
    config = regularizer.get_config()
    if not regularizer.exact_gradient:
        whole = {"weight": 1.0, "warmup": 0, "warmup_nats": 0.0, "cap": 0.0}
        config |= {name: value for name, value in whole.items() if name in config}
    copy = type(regularizer).from_config(config)
    inside = CNP(perceptron(2, (8,), 6, 0), head, (8,), 6, 4, regularizers=[copy])
    learner, episode = _for_differences(CNP, inside.get_config(), (2,))
    seed = tf.constant(SEED, tf.int32)
    variables, keep = learner.trainable_variables, learner.non_trainable_variables

    def objective():
        return learner.objective(episode, seed, training=True)[0]

    def term():
        value, logs = learner.objective(episode, seed, training=True)
        return value - logs["task_loss"]

    if not copy.exact_gradient:
        assert not ignores(term, variables, keep), "The gradient of the term is zero."
        return
    for function, what in ((term, "the term"), (objective, "the objective with the regularizer")):
        wrong = wrong_gradients(function, variables, keep)
        assert not wrong, (
            f"The gradient of {what} differs from its finite difference, for "
            f"{', '.join(variables[index].path for index in wrong)}. If it is scaled or estimated "
            "on purpose, give the regularizer the property exact_gradient = False."
        )


def _check_saving(learner, episode) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "learner.keras"
        saving.save(learner, path)
        loaded = saving.load(path)
    assert np.allclose(loaded(episode), learner(episode), atol=1e-5), (
        "A learner that was saved and loaded predicts something else."
    )
