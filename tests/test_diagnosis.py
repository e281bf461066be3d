"""The report on learners whose nature is known, the scores it rests on, and every verdict."""

import json
import math

import matplotlib.image
import matplotlib.pyplot
import numpy as np
import pytest
import tensorflow as tf
from toys import Lines

import maml
from maml.diagnostics import scores, verdict
from maml.diagnostics.intervals import Resampling
from maml.diagnostics.verdict import Skills

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


class Backwards(Lines):
    """Tasks that a memorizer of ``Lines`` takes for others: their slopes have the other sign."""

    def episodes(self, tasks, seed):
        episode = super().episodes(tasks, seed)
        return episode._replace(support_y=-episode.support_y, query_y=-episode.query_y)


class Unnamed(Lines):
    """Tasks of ``Lines`` whose inputs do not name them, of either sign."""

    def episodes(self, tasks, seed):
        episode = super().episodes(tasks, seed)
        sign = tf.where(tasks % 2 == 0, 1.0, -1.0)[:, tf.newaxis, tf.newaxis]
        hidden = tf.constant([1.0] + [0.0] * self.num_tasks)
        return maml.Episode(
            episode.support_x * hidden,
            episode.support_y * sign,
            episode.query_x * hidden,
            episode.query_y * sign,
        )


def diagnose(learner, family=None, held_out=None, **options):
    options = {"label_transform": maml.LabelScale(), "per_task": 4, "batch_size": 8} | options
    return maml.diagnose(learner, family or Lines(), held_out, **options)


def score_of(report, condition, split="training"):
    return report.splits[split]["scores"][condition]["mean"]


@pytest.fixture(scope="module")
def adapter():
    return diagnose(Blend(Lines(), trust=1.0), held_out=Backwards())


# -- learners of known nature ---------------------------------------------------------------------


def test_memorizer(adapter):
    found = diagnose(Blend(Lines(), trust=0.0), held_out=Backwards())
    for condition in ("right", "no_support", "mismatched_support", "mismatched_labels"):
        assert score_of(found, condition) == 0
    assert score_of(found, "relabeled") > 10
    for information in found.splits["training"]["informations"].values():
        for bound in information.values():
            assert bound["mean"] == pytest.approx(0, abs=1e-6)
    assert found.verdict == "memorization overfitting"
    # The same episodes for both.
    assert score_of(found, "constant") == score_of(adapter, "constant")
    # Training tasks alone show it.
    assert diagnose(Blend(Lines(), trust=0.0)).verdict == "memorization overfitting"


def test_ridge_regression_adapts(adapter):
    assert adapter.verdict == "adapts" and adapter.share["mean"] == pytest.approx(1)
    assert score_of(adapter, "right") == pytest.approx(0, abs=1e-5)
    assert score_of(adapter, "relabeled") == pytest.approx(0, abs=1e-4)
    # Eight slopes, 1 to 8: the mean squared difference of two is 12, of one to zero 25.5.
    episodes = list(Lines().fixed(4, 8, 0))
    power = np.mean([np.mean(e.query_x[..., 0] ** 2) for e in episodes])
    assert score_of(adapter, "mismatched_support") == pytest.approx(12 * power, rel=0.15)
    assert score_of(adapter, "no_support") == pytest.approx(25.5 * power, rel=0.15)
    training = adapter.splits["training"]
    assert training["tasks"] == 8 and adapter.normalization == "no normalization"
    for information in training["informations"].values():
        assert 1 < information["lower"]["mean"] <= math.log(8) + 1e-6
        assert information["upper"]["mean"] > math.log(8)


def test_without_held_out_tasks_nobody_can_tell_whether_it_adapts():
    found = diagnose(Blend(Lines(), trust=1.0))
    assert found.verdict == "cannot tell" and "held-out" in found.advice


def test_blend_of_both_adapts_in_part_by_its_weight():
    found = diagnose(Blend(Lines(), trust=0.7), held_out=Unnamed())
    assert score_of(found, "right") == pytest.approx(0, abs=1e-5)
    assert found.verdict == "adapts in part"
    assert found.share["mean"] == pytest.approx(0.7, abs=0.05)
    assert found.share["low"] <= found.share["mean"] <= found.share["high"]
    assert str(found).startswith("adapts in part, 0.")
    # The answer is the label on training tasks, and 0.7 of its change on relabeled ones.
    assert found.predicted_skill["mean"] == pytest.approx(2 * 0.7 - 1, abs=0.02)


def test_support_inputs_leak_the_task():
    """What I(ŷ; D | x) takes for adaptation, I(ŷ; Y | x, X) does not."""
    found = diagnose(NamesOfSupport(Lines(), trust=1.0), held_out=Backwards())
    informations = found.splits["training"]["informations"]
    assert informations["support_information"]["lower"]["mean"] > 1
    assert informations["label_information"]["upper"]["mean"] == pytest.approx(0, abs=1e-6)
    assert score_of(found, "mismatched_support") > 1 and score_of(found, "mismatched_labels") == 0
    assert found.verdict == "memorization overfitting"


def test_learner_that_is_no_better_than_a_constant_is_untrained():
    found = diagnose(Blend(Lines(), trust=0.0, scale=1.0), Backwards())
    assert score_of(found, "right") > score_of(found, "constant")
    assert found.verdict == "untrained"


def test_accuracy_is_judged_from_the_constant_predictor_up_to_one():
    found = diagnose(
        Nearest(),
        Clusters(),
        Clusters(),
        label_transform=maml.LabelPermutation(3),
        metrics=(maml.ACCURACY,),
    )
    assert score_of(found, "right") == score_of(found, "relabeled") == 1
    for condition in ("constant", "no_support"):
        assert score_of(found, condition) == pytest.approx(1 / 3, abs=1e-6)
    # Labels are permuted, since the i-th point of each task has the same class.
    assert score_of(found, "mismatched_labels") < 0.6
    assert found.splits["training"]["skills"]["right"]["mean"] == pytest.approx(1)
    assert found.verdict == "adapts"


def test_the_unit_of_labels_changes_nothing():
    """A log-likelihood has no zero, so the direction of a metric is said and not guessed."""

    class Scaled(Lines):
        def __init__(self, unit):
            super().__init__()
            self.unit = unit

        def episodes(self, tasks, seed):
            episode = super().episodes(tasks, seed)
            return episode._replace(
                support_y=self.unit * episode.support_y, query_y=self.unit * episode.query_y
            )

    shares = []
    for unit in (0.01, 1.0, 100.0):
        family = Scaled(unit)
        learner = Blend(family, trust=0.6, scale=0.1 * unit)
        learner.slopes *= unit
        found = diagnose(learner, family, Scaled(-unit))
        shares.append(found.share["mean"])
    np.testing.assert_allclose(shares, shares[1], rtol=1e-3)


# -- scores it rests on ---------------------------------------------------------------------------


def test_constant_predictor_is_the_best_constant_by_numpy(adapter):
    y = np.stack([episode.query_y for episode in Lines().fixed(4, 8, 0)], axis=1)[..., 0]
    errors = [((y - c) ** 2).mean() for c in np.linspace(-8, 8, 3201)]
    assert score_of(adapter, "constant") == pytest.approx(min(errors), rel=1e-4)


def test_constant_predictor_of_classes_is_the_share_of_the_most_frequent():
    classes = np.array([[0, 2, 2, 1], [2, 2, 0, 2]])
    found = scores.constant_scores(tf.one_hot(classes, 3), (maml.ACCURACY,))
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


class FewerShots(maml.LabelTransform):
    """The support set without its first shot."""

    relabels_queries = False

    def __call__(self, episode, seed):
        return episode._replace(
            support_x=episode.support_x[:, 1:], support_y=episode.support_y[:, 1:]
        )


class ByNumPy(maml.LabelTransform):
    """Doubles labels in NumPy, so that a graph knows no shape of them."""

    relabels_queries = False

    def __call__(self, episode, seed):
        y = tf.numpy_function(lambda y: 2 * y, [episode.support_y], tf.float32)
        return episode._replace(support_y=tf.ensure_shape(y, [None, None, 1]))


class Centered(Blend):
    """Slopes less their mean over the batch, which its normalization tells."""

    normalization = "current batch"

    def encode(self, x, y, training=False):
        slopes = super().encode(x, y)
        return slopes - tf.reduce_mean(slopes)


@pytest.mark.parametrize("kind", [Blend, Centered])
@pytest.mark.parametrize("transform", [FewerShots, ByNumPy, maml.LabelScale])
def test_relabelings_leave_the_score_of_the_right_support_set_as_it_is(kind, transform):
    family = Lines()
    learner, episode = kind(family, trust=0.5), family.episodes(tf.range(8), SEED)
    expected = scores.score_episodes(learner, episode, SEED)
    found = tf.function(scores.score_episodes, autograph=False)(learner, episode, SEED, transform())
    for name in ("mse", "mismatched_support_mse", "mismatched_labels_mse"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6)
    assert "label_information_lower" in found and "label_information_lower" not in expected


def test_a_learner_without_a_task_state_is_scored():
    class Zero(Blend):
        def encode(self, x, y, training=False):
            return ()

        def initial_state(self, batch_size):
            return ()

        def decode(self, state, x):
            return self.head(tf.zeros_like(x[..., :1]))

    family = Lines()
    episode = family.episodes(tf.range(8), SEED)
    found = scores.score_episodes(Zero(family, 0.0), episode, SEED, maml.LabelScale())
    expected = episode.query_y[..., 0].numpy() ** 2
    for name in ("mse", "no_support_mse", "mismatched_support_mse", "mismatched_labels_mse"):
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)


# -- the verdict ----------------------------------------------------------------------------------

LITTLE = 1e-9


def with_use(use, **more):
    """Perfect on training tasks, of which the support set decides a share ``use``."""
    return Skills(1.0, mismatched_labels=1 - use, mismatched_support=-1.0, **more)


NEW = Skills(1.0, mismatched_support=-1.0, mismatched_labels=-1.0)


@pytest.mark.parametrize(
    ("training", "held_out", "expected"),
    [
        # Around each threshold.
        (with_use(0.05 - LITTLE), Skills(0.0), "memorization overfitting"),
        (with_use(0.05 + LITTLE), Skills(0.5, slope=0.5), "adapts in part"),
        (with_use(0.4 - LITTLE), Skills(0.1), "memorization overfitting"),
        (with_use(0.4 + LITTLE), Skills(0.1), "learner overfitting"),
        (with_use(1.0), Skills(0.2), "learner overfitting"),
        (with_use(1.0), Skills(0.2 + LITTLE), "adapts in part"),
        (with_use(1.0), Skills(0.8 - LITTLE), "adapts in part"),
        (with_use(1.0), Skills(0.8), "adapts"),
        (Skills(0.1), Skills(0.1), "adapts"),
        (Skills(0.1 - LITTLE), Skills(-1.0), "untrained"),
        (Skills(0.0), Skills(0.2 - LITTLE), "untrained"),
        (Skills(0.0), Skills(0.2), "cannot tell"),
        # New tasks are answered without the support set as well: the tasks do not differ.
        (with_use(0.0), with_use(0.0), "cannot tell"),
        (with_use(1.0), with_use(0.0), "cannot tell"),
        # Training tasks are known, and new ones adapted to.
        (with_use(0.0), NEW, "adapts"),
        # The two splits are exchanged.
        (Skills(0.0), NEW, "cannot tell"),
        # Relabeled tasks in place of held-out ones.
        (with_use(1.0, relabeled=0.1), None, "learner overfitting"),
        (with_use(1.0, relabeled=0.5), None, "adapts in part"),
        (with_use(1.0, relabeled=1.0), None, "cannot tell"),
        (with_use(1.0), None, "cannot tell"),
        (with_use(0.0), None, "memorization overfitting"),
        (Skills(0.0), None, "untrained"),
        # The slope limits the share of a model that reads its support set ...
        (with_use(1.0, slope=1.0), Skills(0.9, slope=0.7), "adapts in part"),
        # ... and is the share where a memory answers most.
        (with_use(0.2, slope=1.0), Skills(-0.2, slope=0.3), "adapts in part"),
        # A slope that another task's support set gives as well is not due to the support set.
        (
            with_use(0.2, slope=1.0),
            Skills(0.1, slope=0.5, mismatched_support_slope=0.5),
            "memorization overfitting",
        ),
        # What a learner knows of all tasks is not due to the support set either.
        (with_use(1.0), Skills(0.6, no_support=0.55), "learner overfitting"),
        # A learner that has diverged, and labels that are all the same.
        (Skills(math.nan), Skills(0.5), "cannot tell"),
        (Skills(-math.inf), None, "cannot tell"),
        (with_use(1.0), Skills(math.nan), "cannot tell"),
    ],
)
def test_verdict(training, held_out, expected):
    words, reason, advice = verdict.decide(training, held_out)
    assert words == expected and words in verdict.VERDICTS
    assert reason.endswith(".") and (advice.endswith(".") or (words == "adapts" and not advice))


@pytest.mark.parametrize(
    ("new", "interval", "expected"),
    [
        (0.7, (0.4, 0.94), "adapts in part"),
        (0.7, (0.4, 1.0), "adapts"),
        (0.3, (0.1, 0.5), "adapts in part"),
        (0.3, (0.0, 0.5), "learner overfitting"),
        # An interval that holds both that the support set does not help and that it helps fully.
        (0.5, (0.0, 1.0), "cannot tell"),
        (0.6, (0.0, 0.93), "cannot tell"),
        (0.4, (0.0, 0.93), "cannot tell"),
        (0.1, (0.0, 0.8), "cannot tell"),
        (0.9, (0.2, 1.0), "cannot tell"),
        (0.1, (0.0, 0.8 - LITTLE), "learner overfitting"),
        (0.9, (0.2 + LITTLE, 1.0), "adapts"),
    ],
)
def test_a_part_needs_an_interval_apart_from_none_and_from_all(new, interval, expected):
    assert verdict.decide(with_use(1.0), Skills(new), interval)[0] == expected


def test_few_tasks_of_opposite_kinds_are_too_few_to_tell():
    """Half of six new tasks are answered perfectly, the others no better than by a constant."""
    training = {"mse": 0.0, "mismatched_support_mse": 2.0, "mismatched_labels_mse": 2.0}
    scores = {name: np.full(60, value) for name, value in training.items()}
    scores["constant_mse"] = np.ones(60)

    def verdict_of(tasks):
        new = {name: np.full(tasks, value[0]) for name, value in scores.items()}
        new["mse"] = np.arange(tasks) % 2.0
        return maml.MemorizationReport.from_scores(scores, new, maml.MSE)

    few, many = verdict_of(6), verdict_of(60)
    assert few.share["mean"] == many.share["mean"] == 0.5
    assert few.verdict == "cannot tell" and "more tasks" in few.advice
    assert few.share["low"] <= 0.2 and few.share["high"] >= 0.8
    assert many.verdict == "adapts in part"


def test_labels_that_are_all_the_same_tell_nothing():
    names = ("mse", "no_support_mse", "mismatched_support_mse", "constant_mse")
    found = maml.MemorizationReport.from_scores(
        {name: np.zeros((3, 2, 4)) for name in names}, None, maml.MSE
    )
    assert found.verdict == "cannot tell" and "all the same" in found.reason


# -- what is kept ---------------------------------------------------------------------------------


def test_json_brings_the_report_back(adapter):
    assert maml.MemorizationReport(**json.loads(json.dumps(adapter.to_dict()))) == adapter


def test_text_and_table_name_every_number(adapter):
    lines = str(adapter).splitlines()
    assert lines[0] == "adapts"
    assert lines[-1] == "  Means and 95 % intervals over tasks; normalization: none."
    assert lines[-1].strip() in adapter._repr_html_()
    assert "8 training tasks" in lines[1] and "8 held-out tasks" in lines[1]
    for split, of in adapter.splits.items():
        for value in of["scores"].values():
            text = "{mean:.3g} ({low:.3g} to {high:.3g})".format(**value)
            assert text in str(adapter) and text in adapter._repr_html_(), split
    assert "  mse with another task's support set  " in str(adapter)
    assert adapter.reason in str(adapter) and "To try" not in str(adapter)
    assert str(adapter).count(" nats") == 4


def test_classes_are_predicted_by_the_share_of_answers_that_follow():
    found = diagnose(Nearest(), Clusters(), batch_size=6, label_transform=maml.LabelPermutation(3))
    assert found.predicted_skill["mean"] == pytest.approx(1)
    assert "response to relabeling" in str(found)


def test_picture_is_a_png_and_the_plot_takes_axes(adapter, tmp_path):
    adapter.picture(tmp_path / "report.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "report.png").shape
    assert 600 < width < 1500 and 250 < height < 800
    figure, ax = matplotlib.pyplot.subplots()
    assert adapter.plot(ax, "CNP: ") is ax and ax.get_title() == "CNP: adapts"
    matplotlib.pyplot.close(figure)


def test_one_task_has_nobody_to_borrow_from():
    with pytest.raises(ValueError, match="two tasks"):
        diagnose(Blend(Lines(num_tasks=1), trust=0.0), Lines(num_tasks=1))


@pytest.mark.parametrize("tasks", [2, 3, 5, 8])
def test_intervals_over_few_tasks_hold_the_mean(tasks):
    held = np.zeros(2)
    for repeat in range(200):
        rng = np.random.default_rng([repeat, tasks])
        values, resampling = rng.standard_normal(tasks), Resampling(rng)
        found = resampling.percentiles(resampling.means(values), tasks)
        held += [of["low"] <= 0 <= of["high"] for of in (resampling.interval(values), found)]
    assert np.all(held >= 180)


def test_one_task_tells_no_interval():
    resampling = Resampling(np.random.default_rng(0))
    assert np.isnan(resampling.interval(np.ones(1))["low"])
    assert np.isnan(resampling.percentiles(resampling.means(np.ones(1)), 1)["high"])
