"""Ensembles: the mean of densities, by hand, and one file for all members."""

import numpy as np
import pytest
import tensorflow as tf
from toys import Lines, learner

import maml

SEED = tf.constant([3, 1])
HEADS = {
    "circle": lambda: maml.CircularHead(10.0, 20),
    "von Mises": lambda: maml.VonMisesHead(10.0, 2, 30),
    "normal": maml.NormalHead,
    "gaussian": maml.GaussianHead,
}


def made(head):
    """Two learners of one kind and one of another, and a batch of episodes."""
    episode = Lines(dtype=tf.float64).sample(3, SEED)
    members = [
        learner(kind, head, 9, dtype="float64", seed=seed)
        for kind, seed in (("cnp", 0), ("cnp", 1), ("relative-cnp", 2))
    ]
    rng = np.random.default_rng(0)
    for member in members:
        member.create_weights(episode)
        for variable in member.learner_variables:
            variable.assign(rng.normal(size=variable.shape))
    return maml.Ensemble(members, dtype="float64"), episode


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS)
def test_the_density_is_the_mean_of_the_members(name):
    model, episode = made(HEADS[name]())

    def density(member, y):
        d = member.encode(member.features(episode.support_x), episode.support_y)
        prediction = member.decode(d, member.features(episode.query_x))
        before = member.decode(member.initial_state(3), member.features(episode.query_x))
        return np.exp([prediction.log_prob(y), before.log_prob(y)])

    for y in np.random.default_rng(1).uniform(0, 10, (5, *episode.query_y.shape)):
        expected = np.mean([density(member, y) for member in model.members], axis=0)
        np.testing.assert_allclose(density(model, y), expected, rtol=1e-9)
    members = np.mean([member(episode) for member in model.members], axis=0)
    np.testing.assert_allclose(model(episode), members, rtol=1e-9)


def test_classes_are_averaged_too():
    logits = np.random.default_rng(0).normal(size=(3, 2, 4))
    mixture = maml.mix([maml.Categorical(part) for part in logits])
    expected = np.mean([tf.nn.softmax(part) for part in logits], axis=0)
    np.testing.assert_allclose(mixture.mean(), expected, rtol=1e-9)


def test_what_has_no_mixture_and_no_members_are_refused():
    mixture = maml.Mixture(maml.Normal(tf.zeros([2, 3, 1]), 1.0))
    with pytest.raises(ValueError, match="expected Categorical.*received Mixture"):
        maml.mix([mixture, mixture])
    with pytest.raises(ValueError, match="at least one learner"):
        maml.Ensemble([])


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_it_is_saved_and_loaded_and_scored_as_any_learner(ending, tmp_path):
    model, episode = made(maml.VonMisesHead(10.0, 2, 30))
    maml.save(model, tmp_path / f"model{ending}")
    loaded = maml.load(tmp_path / f"model{ending}")
    np.testing.assert_allclose(loaded(episode), model(episode), rtol=1e-12)
    evaluator = maml.Evaluator(loaded, label_transform=maml.LabelOffset(10.0), num_relabelings=2)
    scores = evaluator(Lines(dtype=tf.float64), 1, 4, 0, 8)
    assert all(np.isfinite(values).all() for values in scores.values())
