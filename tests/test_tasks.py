"""Every registered task, against plain numpy; and the likelihood of classes."""

import dataclasses
import math
import warnings

import numpy as np
import pytest
import tensorflow as tf
import toys

import maml
from maml.distributions.metrics import accuracy
from maml.experiments import Config
from maml.nn.mlp import mlp_networks

SEED = tf.constant([3, 1])
IMAGES = ("folder", "miniimagenet", "omniglot")
PROBLEMS = [
    (name, {"data": toys.characters()} if name in IMAGES else {})
    # Of a data set, see test_pose_code.py, or to act in, see test_rl_environments.py.
    for name in sorted(set(maml.TASKS) - {"pose", "projected_images"})
    if not toys.of_policies(name)
] + [
    ("clusters", {"labels": "fixed"}),
    ("omniglot", {"data": toys.characters(), "labels": "fixed"}),
    ("projected_images", {"data": toys.characters(), "train_tasks": 2}),
    ("functions", {"shape": "harmonics", "test_shape": "step"}),
]
NAMES = ["-".join([name, *options]) for name, options in PROBLEMS]

problems = pytest.mark.parametrize(("name", "options"), PROBLEMS, ids=NAMES)


def arrays(episode):
    return maml.Episode(*(part.numpy() for part in episode))


def points(episode):
    """Support and queries of an episode together, x and y."""
    x, y = (np.concatenate(pair, axis=1) for pair in zip(*(episode[:2], episode[2:]), strict=True))
    return x, y


# -- what holds for every task ------------------------------------------------------------------


@problems
def test_episodes_have_the_shapes_that_learners_need(name, options):
    problem = maml.TASKS.make(name, shots=2, queries=3, **options)
    for family in problem.families.values():
        spec = maml.Episode(*family.dataset(4, seed=0).element_spec)
        assert all(part.shape.is_fully_defined() for part in spec)  # Or no step runs under XLA.
        episode = family.sample(4, SEED)
        for part, known in zip(episode, spec, strict=True):
            assert part.dtype == tf.float32 and part.shape == known.shape and part.shape[0] == 4
        assert episode.support_x.shape[1] * 3 == episode.query_x.shape[1] * 2
        assert episode.support_x.shape[2:] == episode.query_x.shape[2:]
        assert episode.support_y.shape[2:] == episode.query_y.shape[2:]

    network = problem.networks.network(problem.head.units)
    assert network.input_shape[1:] == problem.networks.embedding().input_shape[1:]
    distribution = problem.head(network(episode.query_x[0]))
    assert distribution.mean().shape == episode.query_y.shape[1:]
    for metric in problem.metrics:
        assert metric.fn(distribution, episode.query_y[0]).shape == episode.query_y.shape[1:2]


def test_a_problem_without_a_validation_split_monitors_those_it_has():
    problem = dataclasses.replace(maml.TASKS.make("sinusoid"), validation=None)
    assert problem.monitored == ("train",) and set(problem.families) == {"train", "test"}


@problems
def test_a_seed_gives_the_same_tasks_and_episodes_each_time(name, options):
    first, again = (maml.TASKS.make(name, **options) for _ in range(2))
    for family, same in zip(first.families.values(), again.families.values(), strict=True):
        episode = arrays(family.sample(4, SEED))
        for a, b in zip(episode, arrays(same.sample(4, SEED)), strict=True):
            np.testing.assert_array_equal(a, b)
        other = arrays(family.sample(4, SEED + 1))
        both = min(episode.support_x.shape[1], episode.query_x.shape[1])
        assert np.abs(episode.support_x - other.support_x).max() > 0.1
        assert np.abs(episode.support_x[:, :both] - episode.query_x[:, :both]).max() > 0


@pytest.mark.slow
@problems
def test_initial_weights_follow_the_seed_and_tasks_do_not(name, options):
    configs = [Config(task=name, task_options=options, seed=seed) for seed in (0, 0, 1)]
    problems = [config.make_problem() for config in configs]
    made = [
        problem.build_networks(seed=config.seed)
        for problem, config in zip(problems, configs, strict=True)
    ]
    for weights in (
        [networks.network(3).get_weights() for networks in made],
        [networks.embedding().get_weights() for networks in made],
        [
            config.make_learner(problem).network.get_weights()
            for problem, config in zip(problems, configs, strict=True)
        ],
    ):
        for a, b, c in zip(*weights, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.ndim == 1 or np.abs(a - c).max() > 0.01
    for a, b in zip(*(problem.test.sample(2, SEED) for problem in problems[1:]), strict=True):
        np.testing.assert_array_equal(a, b)


@problems
def test_only_without_mutual_exclusion_does_x_alone_give_the_answer(name, options):
    """The nearest x of other episodes answers, or does no better than the mean label."""
    problem = maml.TASKS.make(name, shots=4, queries=4, **options)
    (x, y), (query_x, query_y) = (
        [part.reshape(part.shape[0] * part.shape[1], -1) for part in points(arrays(episode))]
        for episode in (problem.train.sample(400, SEED), problem.train.sample(10, SEED + 1))
    )
    distance = (query_x**2).sum(1)[:, None] - 2 * query_x @ x.T + (x**2).sum(1)
    error = ((y[distance.argmin(axis=1)] - query_y) ** 2).mean()
    ratio = error / ((y.mean(axis=0) - query_y) ** 2).mean()
    if problem.mutually_exclusive:
        assert ratio > 0.9
    else:
        assert ratio < 0.1


@problems
def test_the_label_transform_makes_tasks_mutually_exclusive(name, options):
    """It gives one input several labels, and leaves inputs and the kind of labels alone."""
    problem = maml.TASKS.make(name, **options)
    episode = problem.train.sample(8, SEED)
    first, second = (problem.label_transform(episode, SEED + i) for i in range(2))
    np.testing.assert_array_equal(first.query_x, episode.query_x)
    assert first.query_y.shape == episode.query_y.shape
    changed = np.abs(first.query_y - second.query_y).max(axis=(1, 2)) > 1e-3
    assert changed.sum() >= 6


def test_the_diagnosis_relabels_nme_sinusoids_as_tested_tasks_are():
    """By positive scales, whatever the regularizers do; elsewhere it relabels as they do."""
    problem = maml.TASKS.make("nme_sinusoid")
    episode = problem.train.sample(100, SEED)

    def scales(label_transform):
        return (label_transform(episode, SEED).query_y / episode.query_y).numpy()

    assert (scales(problem.diagnostic_transform) > 0).all() and (
        scales(problem.label_transform) < 0
    ).any()
    other = maml.TASKS.make("sinusoid")  # Has no other, so the diagnosis has the one of training.
    assert other.diagnostic_transform is other.label_transform is not None


@problems
def test_no_split_is_that_of_training(name, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = maml.TASKS.make(name, **options)
    for split in {"validation", "test"} & set(problem.families):
        with pytest.warns(
            UserWarning, match=f"The {split} tasks are the training tasks.*`{split}`"
        ):
            dataclasses.replace(problem, **{split: problem.train})


# -- sinusoids ----------------------------------------------------------------------------------


def fit(x, y, harmonics=1):
    """Amplitude and phase of A sin(x - p) through points [n], by least squares."""
    a, b = np.linalg.lstsq(np.stack([np.sin(x), np.cos(x)], axis=1), y, rcond=None)[0]
    return math.hypot(a, b), math.atan2(-b, a) % (2 * math.pi)


@pytest.mark.parametrize("largest", [math.pi, 2 * math.pi])
def test_sinusoids_are_those_of_maml(largest):
    problem = maml.TASKS.make("sinusoid", phase=largest)
    for family in problem.families.values():
        tasks = tf.range(300)
        x, y = points(arrays(family.episodes(tasks, SEED)))
        assert -5 <= x.min() < -4.9 and 4.9 < x.max() <= 5
        found = np.array([fit(x[i, :, 0], y[i, :, 0]) for i in range(300)])
        amplitude, phase = found.T
        truth = amplitude[:, None] * np.sin(x[..., 0] - phase[:, None])
        np.testing.assert_allclose(y[..., 0], truth, atol=1e-4)
        assert 0.1 <= amplitude.min() < 0.2 and 4.9 < amplitude.max() <= 5
        assert phase.min() < 0.05 * largest and 0.95 * largest < phase.max() <= largest + 1e-4
        # A task is the same task each time: the other episode has other points on the same curve.
        again_x, again_y = points(arrays(family.episodes(tasks, SEED + 1)))
        truth = amplitude[:, None] * np.sin(again_x[..., 0] - phase[:, None])
        np.testing.assert_allclose(again_y[..., 0], truth, atol=1e-4)


def test_sinusoids_of_splits_are_different_ones():
    problem = maml.TASKS.make("sinusoid")
    tasks = [
        set(zip(family.amplitude.numpy().tolist(), family.phase.numpy().tolist(), strict=True))
        for family in problem.families.values()
    ]
    assert [len(t) for t in tasks] == [1_000_000, 2000, 2000]
    assert tasks[0].isdisjoint(tasks[1] | tasks[2]) and tasks[1].isdisjoint(tasks[2])


def test_training_inputs_of_nme_sinusoids_name_the_amplitude():
    family = maml.TASKS.make("nme_sinusoid", noise=0.0).train
    assert family.num_tasks == 20
    x, y = points(arrays(family.episodes(tf.range(20), SEED)))
    amplitudes = np.linspace(0.1, 4, 20)
    for task in range(20):
        np.testing.assert_array_equal(x[task, :, 1:], np.tile(np.eye(20)[task], (20, 1)))
        np.testing.assert_allclose(y[task], amplitudes[task] * np.sin(x[task, :, :1]), atol=1e-5)


def test_who_trusts_the_code_fails_on_nme_test_sinusoids():
    """Its expected error is the closed form that the docstring states."""
    problem = maml.TASKS.make("nme_sinusoid")
    amplitudes = np.linspace(0.1, 4, 20)
    square_of_sine = 0.5 - math.sin(10) / 20  # Mean over [-5, 5].
    expected = (3.9**2 / 12 + amplitudes.var()) * square_of_sine + 0.1**2
    assert expected == pytest.approx(1.41 + 0.01, abs=0.01)
    for family in (problem.validation, problem.test):
        x, y = points(arrays(family.episodes(tf.range(2000), SEED)))
        amplitude = np.array([fit(x[i, :, 0], y[i, :, 0])[0] for i in range(2000)])
        assert 0.0 < amplitude.min() < 0.2 and 3.9 < amplitude.max() < 4.1
        assert np.abs(np.corrcoef(amplitude, x[:, 0, 1:].argmax(-1))[0, 1]) < 0.06
        error = (amplitudes[x[..., 1:].argmax(-1)] * np.sin(x[..., 0]) - y[..., 0]) ** 2
        assert error.mean() == pytest.approx(expected, rel=0.06)


def test_nme_sinusoids_of_splits_are_different_ones():
    problem = maml.TASKS.make("nme_sinusoid")
    tasks = [
        set(zip(family.amplitude.numpy().tolist(), family.code.numpy().argmax(1), strict=True))
        for family in problem.families.values()
    ]
    assert tasks[0].isdisjoint(tasks[1] | tasks[2]) and tasks[1].isdisjoint(tasks[2])


def test_noise_has_the_deviation_that_was_asked_for():
    """In support and queries alike, and none of it twice."""
    clean, noisy = (
        maml.TASKS.make("sinusoid", shots=100, queries=100, noise=noise).test for noise in (0, 0.3)
    )
    pairs = zip(
        arrays(clean.sample(50, SEED)), arrays(noisy.sample(50, SEED)), ("x", "y") * 2, strict=True
    )
    noise = [b - a for a, b, kind in pairs if kind == "y"]
    for part in noise:
        assert part.std() == pytest.approx(0.3, rel=0.03)
    flat = np.concatenate(noise, axis=1).ravel()
    assert len(np.unique(flat.round(6))) > 0.9 * flat.size


# -- clusters -----------------------------------------------------------------------------------


def nearest(x, means):
    """Which of ``means`` [classes, features] is nearest to each of x [n, features]."""
    return ((x[:, None] - means) ** 2).sum(-1).argmin(-1)


@pytest.mark.parametrize("labels", ["shuffled", "fixed"])
def test_labels_of_clusters_name_the_nearest_mean(labels):
    problem = maml.TASKS.make("clusters", labels=labels, spread=0.01, shots=2, queries=3)
    for family in problem.families.values():
        means, members = family.means.numpy(), family.members.numpy()
        assert means.shape == (100, 16)
        assert all(len(set(row)) == 5 for row in members)
        episode = arrays(family.episodes(tf.range(200), SEED))
        x, y = points(episode)
        seen = {}
        for task in range(200):
            classes = nearest(x[task], means)
            np.testing.assert_array_equal(members[task][y[task].argmax(-1)], classes)
            assert (episode.support_y[task].sum(axis=0) == 2).all()
            assert (episode.query_y[task].sum(axis=0) == 3).all()
            for one, label in zip(classes, y[task].argmax(-1), strict=True):
                seen.setdefault(one, set()).add(label)
        if labels == "fixed":
            assert all(len(known) == 1 for known in seen.values())
        else:
            assert sum(len(known) > 1 for known in seen.values()) > 0.9 * len(seen)


def test_classes_of_splits_are_different_ones():
    problem = maml.TASKS.make("clusters")
    means = np.concatenate([family.means.numpy() for family in problem.families.values()])
    distance = ((means[:, None] - means) ** 2).sum(-1) + 100 * np.eye(len(means))
    assert distance.min() > 0.05


def test_nearest_mean_has_the_closed_form_accuracy_of_two_classes():
    """Two normals a distance r apart are told apart with probability Phi(r / (2 spread))."""
    spread = 1.5
    family = maml.TASKS.make("clusters", ways=2, spread=spread, shots=1, queries=500).test
    means, members = family.means.numpy(), family.members.numpy()[:20]
    episode = arrays(family.episodes(tf.range(20), SEED))
    for task, pair in enumerate(means[members]):
        hits = nearest(episode.query_x[task], pair) == episode.query_y[task].argmax(-1)
        r = np.linalg.norm(pair[0] - pair[1])
        best = 0.5 * (1 + math.erf(r / (2 * spread) / math.sqrt(2)))
        assert hits.mean() == pytest.approx(best, abs=4 * math.sqrt(0.25 / 1000))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "fix"}, "`labels`: expected one of shuffled, fixed; received 'fix'"),
        ({"ways": 5, "classes": 4}, "5 ways needs 5 classes or more, not 4"),
    ],
)
def test_clusters_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        maml.TASKS.make("clusters", **options)


# -- the likelihood of classes ------------------------------------------------------------------

PROBABILITIES = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])


def categorical():
    return maml.CategoricalHead(3)(tf.constant(np.log(PROBABILITIES) + 7.0))


def test_categorical_against_its_probabilities():
    distribution = categorical()
    for index in range(3):
        y = np.eye(3)[[index, index]]
        np.testing.assert_allclose(distribution.log_prob(y), np.log(PROBABILITIES[:, index]))
        np.testing.assert_allclose(
            maml.CategoricalHead(3).loss(distribution, y), -np.log(PROBABILITIES[:, index])
        )
    np.testing.assert_allclose(distribution.mean(), PROBABILITIES)
    np.testing.assert_allclose(distribution.critic_features(), PROBABILITIES)
    np.testing.assert_array_equal(distribution.mode(), np.eye(3)[[0, 2]])
    assert distribution.mode().dtype == tf.float64


def test_categorical_loss_of_huge_logits_is_finite_with_its_gradient():
    logits = tf.Variable([[1000.0, -1000.0]])
    with tf.GradientTape() as tape:
        loss = maml.CategoricalHead(2).loss(maml.CategoricalHead(2)(logits), [[0.0, 1.0]])
    np.testing.assert_allclose(loss, [2000.0])
    np.testing.assert_allclose(tape.gradient(loss, logits), [[1.0, -1.0]])


def test_categorical_samples_have_its_frequencies():
    distribution = maml.CategoricalHead(3)(
        tf.tile(tf.math.log(tf.constant(PROBABILITIES))[tf.newaxis], [20_000, 1, 1])
    )
    draws = distribution.sample(SEED).numpy()
    assert draws.shape == (20_000, 2, 3) and draws.dtype == np.float64
    assert set(np.unique(draws)) == {0, 1} and (draws.sum(-1) == 1).all()
    np.testing.assert_allclose(draws.mean(axis=0), PROBABILITIES, atol=0.015)
    both = (draws[:, 0, 0] * draws[:, 1, 0]).mean()
    assert both == pytest.approx(0.5 * 0.1, abs=0.006)  # Batch entries are independent.
    np.testing.assert_array_equal(draws, distribution.sample(SEED))


def test_accuracy_counts_the_likeliest_class():
    right = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    np.testing.assert_array_equal(accuracy(categorical(), right), [1, 0])


def test_a_single_layer_may_be_given_by_its_number_of_units():
    networks = mlp_networks(2, hidden=5, embedding=4, seed=0)
    shapes = [tuple(weights.shape) for weights in networks.network(3).weights]
    assert shapes == [(2, 5), (5,), (5, 3), (3,)]
    assert networks.embedding().output_shape == (None, 4)
