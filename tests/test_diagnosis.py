"""The diagnosis of learners whose nature is known, and its verdict at every threshold."""

import json
import math

import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from toys import Lines

import maml
from maml.diagnostics import report, scores
from maml.diagnostics.metrics import accuracy
from maml.diagnostics.report import HIGH_GAP, HIGH_NATS, LEAST_SKILL, LOW_GAP, LOW_NATS

SEED = tf.constant([5, 7])


class Blend(maml.MetaLearner):
    """Slopes from the task's name in x, and from ridge regression on its support set."""

    def __init__(self, family, trust, scale=0.1):
        super().__init__(maml.NormalHead(scale=scale))
        self.trust, self.slopes = trust, tf.range(1.0, family.num_tasks + 1.0)

    def encode(self, x, y, training=False):
        return tf.reduce_sum(x[..., :1] * y, 1) / (tf.reduce_sum(x[..., :1] ** 2, 1) + 1e-6)

    def decode(self, state, x):
        known = tf.linalg.matvec(x[..., 1:], self.slopes)[..., tf.newaxis]
        slope = (1 - self.trust) * known + self.trust * state[:, tf.newaxis]
        return self.head(x[..., :1] * slope)

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 1])


class NamesOfSupport(Blend):
    """Knows the slope of the task that its support *inputs* name, and reads no label."""

    def encode(self, x, y, training=False):
        return tf.linalg.matvec(x[:, 0, 1:], self.slopes)[:, tf.newaxis]


class Clusters(maml.TaskFamily):
    """Each class of a task is a place on a line; a query comes from the middle of one."""

    num_tasks, ways = 6, 3

    def episodes(self, tasks, seed):
        count = tf.shape(tasks)[0]
        places = tf.random.stateless_uniform([count, self.ways, 1], seed)
        labels = tf.repeat(tf.eye(self.ways)[tf.newaxis], count, axis=0)
        return maml.Episode(places, labels, places, labels)


class Nearest(maml.MetaLearner):
    """The label of the nearest support input, with this probability."""

    def __init__(self, sureness=0.97):
        super().__init__(maml.CategoricalHead(3))
        self.sureness = sureness

    def encode(self, x, y, training=False):
        return x, y

    def decode(self, state, x):
        nearest = tf.argmin(tf.abs(x - tf.linalg.matrix_transpose(state[0])), axis=-1)
        hot = tf.gather(state[1], nearest, batch_dims=1)
        return self.head(tf.math.log(hot * self.sureness + (1 - hot) * (1 - self.sureness) / 2))

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 1, 1]), tf.one_hot(tf.zeros([batch_size, 1], tf.int32), 3)


def diagnose(learner, family=None, **options):
    options = {"label_transform": maml.LabelScale(), "per_task": 4, "batch_size": 8} | options
    return maml.diagnose(learner, family or Lines(), **options)


@pytest.fixture(scope="module")
def adapter():
    return diagnose(Blend(Lines(), trust=1.0))


# -- learners of known nature ---------------------------------------------------------------------


def test_memorizer(adapter):
    found = diagnose(Blend(Lines(), trust=0.0))
    assert found.score["mean"] == found.no_support["mean"] == found.mismatched_support["mean"] == 0
    assert found.swap_gap == {"mean": 0, "ci95": 0}
    for information in (found.label_information, found.support_information):
        for bound in information.values():
            assert bound["mean"] == pytest.approx(0, abs=1e-6)
    assert found.verdict == "memorization overfitting"
    assert found.constant == adapter.constant  # The same episodes for both.


def test_ridge_regression_adapts(adapter):
    assert adapter.verdict == "adapts"
    assert adapter.score["mean"] == pytest.approx(0, abs=1e-5)
    # Eight slopes, 1 to 8: the mean squared difference of two is 12, of one to zero 25.5.
    episodes = list(Lines().fixed(4, 8, 0))
    power = np.mean([np.mean(e.query_x[..., 0] ** 2) for e in episodes])
    assert adapter.swap_gap["mean"] == pytest.approx(12 * power, rel=0.15)
    assert adapter.no_support["mean"] == pytest.approx(25.5 * power, rel=0.15)
    assert adapter.tasks == 8 and adapter.normalization == "no normalization"
    for information in (adapter.label_information, adapter.support_information):
        assert 1 < information["lower"]["mean"] <= math.log(8) + 1e-6
        assert information["upper"]["mean"] > math.log(8)


def test_blend_of_both_adapts_in_part():
    found = diagnose(Blend(Lines(), trust=0.5))
    assert found.score["mean"] == pytest.approx(0, abs=1e-5)
    assert found.verdict == "adapts in part"


def test_support_inputs_leak_the_task():
    """What I(ŷ; D | x) takes for adaptation, I(ŷ; Y | x, X) does not."""
    found = diagnose(NamesOfSupport(Lines(), trust=1.0))
    assert found.support_information["lower"]["mean"] > 1
    assert found.label_information["upper"]["mean"] == pytest.approx(0, abs=1e-6)
    assert found.verdict == "adapts in part" and "little on the labels in it" in found.reason


def test_learner_that_is_no_better_than_a_constant_does_not_adapt():
    found = diagnose(Blend(Lines(), trust=0.0, scale=1.0), Backwards())
    assert found.score["mean"] > found.constant["mean"]
    assert found.verdict == "does not adapt"


class Backwards(Lines):
    """Tasks that a memorizer of ``Lines`` takes for others."""

    def episodes(self, tasks, seed):
        episode = super().episodes(tasks, seed)
        return episode._replace(support_y=-episode.support_y, query_y=-episode.query_y)


def test_accuracy_is_judged_from_the_constant_predictor_up_to_one():
    found = diagnose(
        Nearest(),
        Clusters(),
        label_transform=maml.LabelPermutation(3),
        metrics={"accuracy": accuracy},
    )
    assert found.score["mean"] == 1
    for value in (found.constant, found.no_support):
        assert value["mean"] == pytest.approx(1 / 3, abs=1e-6)
    # Worse is lower here, and the gap is positive all the same.
    assert found.swap_gap["mean"] == pytest.approx(1 - found.mismatched_support["mean"], abs=1e-6)
    assert found.swap_gap["mean"] > 0.3
    assert found.verdict == "adapts"


# -- scores it rests on ---------------------------------------------------------------------------


def test_constant_predictor_is_the_best_constant_by_numpy(adapter):
    y = np.stack([episode.query_y for episode in Lines().fixed(4, 8, 0)], axis=1)[..., 0]
    errors = [((y - c) ** 2).mean() for c in np.linspace(-8, 8, 3201)]
    assert adapter.constant["mean"] == pytest.approx(min(errors), rel=1e-4)
    per_task = ((y - y.mean()) ** 2).mean(axis=(1, 2))
    half = stats.t.ppf(0.975, 7) * per_task.std(ddof=1) / math.sqrt(8)
    assert adapter.constant["ci95"] == pytest.approx(half, rel=1e-4)


def test_constant_predictor_of_classes_is_the_share_of_the_most_frequent():
    classes = np.array([[0, 2, 2, 1], [2, 2, 0, 2]])
    found = scores.constant_scores(tf.one_hot(classes, 3), {"accuracy": accuracy})
    np.testing.assert_array_equal(found["constant_accuracy"], classes == 2)


class Groups(maml.MetaLearner):
    """A sure answer that tells whether the first support label is even, and nothing else."""

    def __init__(self):
        super().__init__(maml.NormalHead(scale=0.01))

    def encode(self, x, y, training=False):
        return tf.math.floormod(y[:, 0], 2)

    def decode(self, state, x):
        return self.head(tf.repeat(state[:, tf.newaxis], tf.shape(x)[1], axis=1))

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 1])


@pytest.mark.parametrize(("tasks", "count"), [(8, 8), (8, 20), (6, 6)])
def test_support_information_of_two_groups_is_one_bit(tasks, count):
    """Half of n tasks answer alike: by hand, log 2 from below and log((n-1) / (n/2-1)) above."""
    numbers = tf.reshape(tf.range(tasks, dtype=tf.float32), [tasks, 1, 1])
    x = tf.zeros([tasks, 1, 1])
    episode = maml.Episode(x, numbers, x, numbers)
    found = scores.score_episodes(Groups(), episode, SEED, num_relabelings=count)
    above = math.log((tasks - 1) / (tasks / 2 - 1))
    np.testing.assert_allclose(found["support_information_lower"], math.log(2), atol=1e-5)
    np.testing.assert_allclose(found["support_information_upper"], above, atol=1e-5)
    assert not any(name.startswith("label_information") for name in found)


def test_swapped_score_is_the_mean_over_lenders_by_numpy():
    """Three lenders of eight are two, four and six places away."""
    numbers = np.arange(8.0, dtype=np.float32)
    y = tf.reshape(numbers, [8, 1, 1])
    episode = maml.Episode(tf.zeros([8, 1, 1]), y, tf.zeros([8, 1, 1]), y)

    class Echo(Groups):
        def encode(self, x, y, training=False):
            return y[:, 0]

    found = scores.score_episodes(Echo(), episode, SEED, num_relabelings=4)
    expected = np.mean([(numbers - np.roll(numbers, s)) ** 2 for s in (2, 4, 6)], axis=0)
    np.testing.assert_allclose(found["mismatched_support_mse"][:, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(found["mse"], 0)
    np.testing.assert_allclose(found["no_support_mse"][:, 0], numbers**2)


def test_scores_are_of_features_that_regularizers_have_transformed():
    class Halve(maml.Regularizer):
        def transform(self, features, seed=None):
            return features / 2

    family = Lines()
    learner = Blend(family, trust=0.0)
    learner.regularizers = [Halve()]
    episode = family.episodes(tf.range(8), SEED)
    found = scores.score_episodes(learner, episode, SEED)
    # Half the place and half the slope: a quarter of the answer.
    expected = (0.75 * episode.query_y[..., 0].numpy()) ** 2
    for name in ("mse", "no_support_mse", "mismatched_support_mse"):
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)


# -- the verdict ----------------------------------------------------------------------------------

NONE, SOME, MUCH = (0.0, 0.1), (0.3, 0.4), (1.0, 2.0)
LITTLE = 1e-9


@pytest.mark.parametrize(
    ("skill", "gap", "information", "expected"),
    [
        # The learners that the thresholds come from; a constant has the error 8.3.
        (-0.3, 0.036, (0.1, 0.15), "does not adapt"),
        (0.1, 0.31, (0.25, 0.29), "adapts in part"),
        (0.41, 1.2, (1.4, 1.9), "adapts"),
        # Around each threshold, alone.
        (1.0, LOW_GAP - LITTLE, NONE, "memorization overfitting"),
        (1.0, LOW_GAP, NONE, "adapts in part"),
        (1.0, 0.0, (0.0, LOW_NATS - LITTLE), "memorization overfitting"),
        (1.0, 0.0, (0.0, LOW_NATS), "adapts in part"),
        (LEAST_SKILL, 0.0, NONE, "memorization overfitting"),
        (LEAST_SKILL - LITTLE, 0.0, NONE, "does not adapt"),
        (1.0, HIGH_GAP, MUCH, "adapts"),
        (1.0, HIGH_GAP - LITTLE, MUCH, "adapts in part"),
        (1.0, 1.0, (HIGH_NATS, 1.0), "adapts"),
        (1.0, 1.0, (HIGH_NATS - LITTLE, 1.0), "adapts in part"),
        (LEAST_SKILL, 1.0, MUCH, "adapts"),
        (LEAST_SKILL - LITTLE, 1.0, MUCH, "adapts in part"),
        # Where the two criteria disagree, and in the middle.
        (1.0, 0.0, MUCH, "adapts in part"),
        (1.0, 1.0, NONE, "adapts in part"),
        (0.5, 0.2, SOME, "adapts in part"),
        (-0.5, -0.3, NONE, "does not adapt"),
        # Without the labels' information, the gap decides.
        (1.0, LOW_GAP - LITTLE, None, "memorization overfitting"),
        (1.0, LOW_GAP, None, "adapts in part"),
        (1.0, HIGH_GAP, None, "adapts"),
        # A learner that has diverged, and labels that are all the same.
        (math.nan, 0.5, MUCH, "cannot tell"),
        (math.inf, math.inf, MUCH, "cannot tell"),
        (1.0, math.nan, None, "cannot tell"),
        (1.0, 0.0, (math.nan, math.nan), "cannot tell"),
    ],
)
def test_verdict(skill, gap, information, expected):
    words, reason = report.verdict(skill, gap, information)
    assert words == expected
    assert f"skill {skill:.2f}" in reason and f"swap gap {gap:.2f}" in reason
    assert ("nats" in reason) == (information is not None)


def test_labels_that_are_all_the_same_tell_nothing():
    scores = {
        name: np.zeros((3, 2, 4))
        for name in ("mse", "no_support_mse", "mismatched_support_mse", "constant_mse")
    }
    scores |= {f"support_information_{side}": np.zeros((3, 2, 4)) for side in ("lower", "upper")}
    found = maml.Diagnosis.from_scores(scores, "no normalization")
    assert found.verdict == "cannot tell" and found.label_information is None


# -- what is kept ---------------------------------------------------------------------------------


def test_json_brings_the_diagnosis_back(adapter):
    assert maml.Diagnosis(**json.loads(json.dumps(adapter.to_json()))) == adapter


def test_text_names_every_number_and_the_normalization(adapter):
    lines = str(adapter).splitlines()
    assert lines[0].startswith("adapts (no normalization; ")
    assert "8 tasks" in lines[0] and lines[-1].strip() == adapter.reason
    for line, value in zip(
        lines[1:6],
        ("score", "no_support", "mismatched_support", "constant", "swap_gap"),
        strict=True,
    ):
        mean = getattr(adapter, value)["mean"]
        assert f"  {mean:.3g} ± " in line
    low, high = (adapter.label_information[side]["mean"] for side in ("lower", "upper"))
    assert lines[6].endswith(f"{low:.2f} to {high:.2f} nats") and "Y | x, X" in lines[6]
    assert "I(ŷ; D | x)" in lines[7] and lines[7].endswith(" nats")


def test_picture_is_a_png(adapter, tmp_path):
    adapter.picture(tmp_path / "diagnosis.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "diagnosis.png").shape
    assert 600 < width < 1500 and 250 < height < 800


def test_one_task_has_nobody_to_borrow_from():
    with pytest.raises(ValueError, match="two tasks"):
        diagnose(Blend(Lines(num_tasks=1), trust=0.0), Lines(num_tasks=1))
