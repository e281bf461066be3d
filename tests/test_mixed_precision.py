"""Networks may compute in half precision; what is computed of their outputs does not."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Lines, perceptron

import maml

SEED = tf.constant([1, 2])
EPISODE = Lines().sample(3, SEED)


@pytest.fixture
def mixed():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def made(kind, terms):
    contextual = maml.LEARNERS[kind].network_kind == "embedding"
    network = perceptron(9, 6 if contextual else 1)  # In single precision, whatever the policy.
    options = {"label_mi": {"bound": "mine"}}
    terms = maml.make_regularizers(terms, options, label_transform=maml.LabelScale())
    sizes = {"hidden": (7,), "dim_r": 6, "dim_z": 4} if contextual else {"inner_steps": 2}
    if kind == "tnp":
        sizes = {"width": 6, "depth": 2}
    if kind in ("acnp", "tnp"):
        sizes["heads"] = 2
    learner = maml.LEARNERS.make(kind, network, maml.NormalHead(), regularizers=terms, **sizes)
    learner.create_weights(EPISODE)
    return learner


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["maml", "metasgd", "cnp", "acnp", "tnp"])
def test_learners_and_terms_are_as_exact_under_a_mixed_policy(kind, request):
    expected = made(kind, "mr_w,mr_a,label_mi")
    request.getfixturevalue("mixed")
    learner = made(kind, "mr_w,mr_a,label_mi")
    np.testing.assert_allclose(learner(EPISODE), expected(EPISODE), rtol=1e-5, atol=1e-6)
    for training in (False, True):
        ours, theirs = (
            model.objective(EPISODE, SEED, training=training)[1] for model in (learner, expected)
        )
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value, rtol=1e-4, err_msg=name)
