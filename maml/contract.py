"""What methods of one's own take and return, one after the other, so that a fault has a sentence.

Used by :mod:`maml.testing`; a fault raises AssertionError.
"""

import contextlib
import inspect

import numpy as np
import tensorflow as tf

from maml.distributions.base import Distribution
from maml.learners.base import MetaLearner
from maml.regularizers.base import Regularizer
from mine.reporting.words import reason


@contextlib.contextmanager
def in_a_sentence(what: str, remedy: str = ""):
    """Within it, an exception of code of one's own becomes an AssertionError that says where."""
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        received = f"{type(error).__name__}: {reason(error)}".removesuffix(".")
        raise AssertionError(f"{what} raises {received}{remedy}.") from error


def check_signatures(component: MetaLearner | Regularizer) -> None:
    """Refuses methods that cannot be called as those of the base class are."""
    base = MetaLearner if isinstance(component, MetaLearner) else Regularizer
    for name in ("embed", "encode", "decode", "initial_state", "augment", "transform", "term"):
        known, own = getattr(base, name, None), getattr(component, name, None)
        if known is None:
            continue
        assert callable(own), f"{name} is no method: expected one, as of {base.__name__}."
        _, *expected = inspect.signature(known).parameters.values()
        # A learner that takes no mask refuses padding. Those with a default are given by name.
        given = [of for of in expected if of.name != "mask"]
        named = [
            of.name
            for of in given
            if of.default is not inspect.Parameter.empty or of.name == "training"
        ]
        positional = [None] * (len(given) - len(named))
        try:
            inspect.signature(own).bind(*positional, **dict.fromkeys(named))
        except TypeError as error:
            raise AssertionError(
                f"{name} of {type(component).__name__} cannot be called: expected the arguments "
                f"{', '.join(of.name for of in expected)}, by these names; {reason(error)}."
            ) from None


def check_steps(learner: MetaLearner, episode) -> None:
    """Refuses a learner that fails on a batch of episodes, or predicts no distribution.

    Args:
        learner: without weights; they are made.
        episode: for its head and networks.
    """
    kind = type(learner).__name__
    check_signatures(learner)
    with in_a_sentence(f"embed of {kind}"):
        support_x, query_x = map(learner.features, (episode.support_x, episode.query_x))
    with in_a_sentence(f"encode of {kind}"):
        state = learner.encode(support_x, episode.support_y, training=False)
    _check_decode(learner, state, query_x, f"decode of {kind}")
    with in_a_sentence(f"create_weights of {kind}"):
        learner.create_weights(episode)
    with in_a_sentence(f"initial_state of {kind}"):
        empty = learner.initial_state(len(episode.query_y))
    try:
        tf.nest.assert_same_structure(state, empty)
    except (ValueError, TypeError):
        raise AssertionError(
            "initial_state returns another structure than encode: expected the same nest of "
            "lists, tuples and tensors."
        ) from None
    sizes = [[list(np.shape(of))[1:] for of in tf.nest.flatten(nest)] for nest in (state, empty)]
    told = f"parts of the sizes {sizes[1]}, where encode returns {sizes[0]}"
    what = f"decode of {kind}, given what initial_state returns, {told},"
    if any(np.shape(of)[:1] != (len(episode.query_y),) for of in tf.nest.flatten(empty)):
        return  # The number of tasks has a sentence of its own.
    _check_decode(learner, empty, query_x, what)


def _check_decode(learner, state, query_x, what: str) -> None:
    with in_a_sentence(what):
        prediction = learner.decode(state, query_x)
    assert isinstance(prediction, Distribution), (
        f"{what} returns a {type(prediction).__name__}: expected a distribution, such as "
        "self.head(outputs)."
    )


def check_term(regularizer: Regularizer, learner: MetaLearner, episode, seed) -> None:
    """Refuses a regularizer whose term fails, or is no pair of a scalar and scalars to log.

    Args:
        regularizer: that no learner has.
        learner: without regularizers, and without weights; they are made.
        episode: for its head and networks.
        seed: stateless seed [2].
    """
    kind = type(regularizer).__name__
    check_signatures(regularizer)
    learner.create_weights(episode)
    features = learner.features(episode.query_x)
    episode = episode._replace(support_x=learner.features(episode.support_x), query_x=features)
    prediction = learner.decode(learner.encode_episode(episode), features)
    with in_a_sentence(f"term of {kind}"):
        found = regularizer.term(learner, episode, features, prediction, seed, training=False)
    assert isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], dict), (
        f"term of {kind} returns a {type(found).__name__}: expected a pair, (term, logs), of a "
        "scalar and a dictionary of the scalars in metric_names."
    )
