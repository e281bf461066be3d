"""Tasks of known distribution, and the learners that know it, against NumPy and SciPy."""

import numpy as np
import pytest
import tensorflow as tf
import toys
from scipy import special, stats

import maml
from maml.core.episodes import PaddedEpisode
from maml.experiments import Config, training
from maml.learners.exact.posteriors import GridPosterior, PosteriorOverTasks
from maml.learners.exact.priors import LinearPrior, SinusoidOrLinePrior
from maml.learners.exact.ridge import Ridge
from mine.reporting.processes import resources

SEED = tf.constant([5, 7])
NOISE = 0.4
NORMAL = maml.NormalHead()
LINEAR = LinearPrior(3, NOISE, 6, (1, 2))
AMBIGUOUS = SinusoidOrLinePrior(NOISE, 6, (1, 2))
LEARNERS = {
    "ridge": lambda head: Ridge(LINEAR, head),
    "posterior_over_tasks": lambda head: PosteriorOverTasks(LINEAR, head),
    "posterior over curves": lambda head: PosteriorOverTasks(AMBIGUOUS, head),
    "grid_posterior": lambda head: GridPosterior(AMBIGUOUS, head, points=8),
    "some of a grid": lambda head: GridPosterior(AMBIGUOUS, head, points=8, kept=9),
}


def problem(task="linear_regression", **options):
    return maml.TASKS.make(task, **options)


def linear(shots=5, queries=4, tasks=2):
    """Episodes in float64, by NumPy."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(tasks, shots + queries, 3))
    y = x @ rng.normal(size=(tasks, 3, 1)) + NOISE * rng.normal(size=(tasks, shots + queries, 1))
    return x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:]


def predicted(learner, x, y, query_x, mask=None):
    state = learner.encode(*map(tf.constant, (x, y)), mask=mask)
    return learner.decode(state, tf.constant(query_x))


# -- the learners ---------------------------------------------------------------------------------


def test_ridge_is_the_conditional_of_the_joint_normal_distribution_of_all_labels():
    x, y, query_x, query_y = linear()
    found = predicted(Ridge(LINEAR, maml.NormalHead()), x, y, query_x).log_prob(query_y)
    for task in range(2):
        for query in range(4):
            inputs = np.concatenate([x[task], query_x[task, query : query + 1]])
            joint = inputs @ inputs.T + NOISE**2 * np.eye(6)
            labels = np.append(y[task, :, 0], query_y[task, query, 0])
            expected = stats.multivariate_normal(np.zeros(6), joint).logpdf(labels)
            expected -= stats.multivariate_normal(np.zeros(5), joint[:5, :5]).logpdf(labels[:5])
            np.testing.assert_allclose(found[task, query], expected, rtol=1e-9)


@pytest.mark.parametrize("noise", [1e-1, 1e-3, 1e-6, 1e-9])
def test_ridge_is_exact_with_little_noise_and_few_shots_in_float32(noise):
    """As least squares by NumPy, with a row of noise for each weight; two shots, three inputs."""
    x, _, query_x, _ = (part.astype(np.float32) for part in linear(shots=2))
    weights = np.random.default_rng(1).normal(size=[2, 3, 1]).astype(np.float32)
    y = x @ weights
    found = predicted(Ridge(LinearPrior(3, noise), maml.NormalHead()), x, y, query_x)
    double = np.concatenate([x, np.tile(noise * np.eye(3), [2, 1, 1])], axis=1)
    for task in range(2):
        labels = np.append(y[task], np.zeros([3, 1]), axis=0)
        expected = query_x[task] @ np.linalg.lstsq(double[task], labels, rcond=None)[0]
        np.testing.assert_allclose(found.mean()[task], expected, atol=1e-5)
    # What two shots cannot tell of three weights stays as uncertain as it was.
    null = np.linalg.svd(x)[2][:, 2:]
    unseen = predicted(Ridge(LinearPrior(3, noise), maml.NormalHead()), x, y, null)
    np.testing.assert_allclose(
        unseen.standard_deviation()[:, :, 0], np.sqrt(1 + noise**2) * np.ones([2, 1]), rtol=1e-5
    )


def test_inputs_of_other_tasks_are_refused():
    x, y, query_x, _ = linear()
    learner = Ridge(LinearPrior(1, NOISE), maml.NormalHead())
    told = "Invalid inputs for ridge: expected 1 feature, as its tasks have; received 3"
    with pytest.raises(ValueError, match=told):
        learner(maml.Episode(x, y, query_x, query_x[..., :1]))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("train_tasks", lambda: LinearPrior(3, NOISE, 2_000_000_000)),
        ("train_tasks", lambda: SinusoidOrLinePrior(NOISE, 2_000_000_000)),
        ("train_tasks", lambda: PosteriorOverTasks(LinearPrior(1, NOISE, 10**9), NORMAL)),
        ("inputs", lambda: LinearPrior(2_000_000_000, NOISE, 6)),
        ("inputs", lambda: Ridge(LinearPrior(200_000, NOISE, 2), NORMAL)),
        ("points", lambda: GridPosterior(AMBIGUOUS, NORMAL, points=1_000_000)),
    ],
)
def test_sizes_that_no_memory_holds_are_refused(monkeypatch, name, make):
    monkeypatch.setattr(resources, "memory", lambda: 8e9)
    with pytest.raises(ValueError, match=f"`{name}`: expected one that fits this machine"):
        make()


def test_the_memorizer_weighs_the_training_tasks_by_their_likelihood():
    x, y, query_x, query_y = linear()
    vectors = LINEAR.training_parameters().numpy().astype(float)
    residuals = y - x @ vectors.T
    weights = special.softmax(-0.5 * np.sum(residuals**2, axis=1) / NOISE**2, axis=-1)
    values = query_x @ vectors.T
    prediction = predicted(PosteriorOverTasks(LINEAR, maml.NormalHead()), x, y, query_x)
    expected = np.sum(values * weights[:, np.newaxis], axis=-1)
    np.testing.assert_allclose(prediction.mean()[..., 0], expected, rtol=1e-9)
    density = np.sum(weights[:, None] * stats.norm(values, NOISE).pdf(query_y), axis=-1)
    np.testing.assert_allclose(prediction.log_prob(query_y), np.log(density), rtol=1e-9)


def test_the_grid_gives_the_density_of_a_sum_over_finer_cells():
    rng = np.random.default_rng(0)
    x, query_x = rng.uniform(-5, 5, (1, 5, 1)), rng.uniform(-5, 5, (1, 3, 1))
    y = 1.5 * np.sin(x - 1.0) + NOISE * rng.normal(size=x.shape)
    query_y = 1.5 * np.sin(query_x - 1.0)
    learner = GridPosterior(SinusoidOrLinePrior(NOISE), maml.NormalHead())
    found = predicted(learner, x, y, query_x).log_prob(query_y)[0]
    middles = (np.arange(250) + 0.5) / 250
    first, second = (axis.ravel() for axis in np.meshgrid(middles, middles))

    def curves(at):
        sines = (0.1 + 4.9 * first) * np.sin(at - np.pi * second)
        return np.concatenate([sines, (6 * first - 3) * at + 6 * second - 3], axis=-1)

    log_weights = stats.norm(curves(x[0]), NOISE).logpdf(y[0]).sum(0)
    terms = special.log_softmax(log_weights)
    terms = terms + stats.norm(curves(query_x[0]), NOISE).logpdf(query_y[0])
    np.testing.assert_allclose(found, special.logsumexp(terms, axis=-1), atol=0.01)


def test_without_a_support_set_predictions_are_those_of_the_prior():
    x = np.array([[[1.0, -2.0, 0.5]]])
    ridge = Ridge(LINEAR, maml.NormalHead(), dtype="float64")
    deviation = ridge.decode(ridge.initial_state(1), tf.constant(x)).standard_deviation()
    np.testing.assert_allclose(deviation, [[[np.sqrt(NOISE**2 + 5.25)]]], rtol=1e-9)
    memory = PosteriorOverTasks(LINEAR, maml.NormalHead(), dtype="float64")
    mean = memory.decode(memory.initial_state(1), tf.constant(x)).mean()
    vectors = LINEAR.training_parameters().numpy().astype(float)
    np.testing.assert_allclose(mean[0, 0], x[0] @ vectors.mean(0), rtol=1e-6)


def test_functions_that_are_left_out_have_no_weight():
    """Of tasks of all kinds, flat sinusoids, whose phase nothing tells, among them."""
    x, y, query_x, query_y = problem("sinusoid_or_line").test.sample(100, SEED)
    prior = SinusoidOrLinePrior(0.3)
    some, most = (
        predicted(GridPosterior(prior, maml.NormalHead(), kept=kept), x, y, query_x)
        for kept in (1024, 8192)
    )
    np.testing.assert_allclose(some.log_prob(query_y), most.log_prob(query_y), atol=0.02)
    np.testing.assert_allclose(some.mean(), most.mean(), atol=0.02)


def test_no_exact_learner_is_left_out():
    made = {type(make(maml.NormalHead())) for make in LEARNERS.values()}
    assert made == {maml.LEARNERS[name] for name in maml.LEARNERS if not toys.trains(name)}


@pytest.mark.parametrize("kind", LEARNERS)
def test_they_keep_the_contract_of_learners(kind):
    learner = LEARNERS[kind](maml.NormalHead(scale=0.5))
    maml.testing.check_learner(learner, (learner.prior.inputs,))


@pytest.mark.parametrize("kind", LEARNERS)
def test_padding_changes_nothing_even_if_it_is_not_finite(kind):
    learner = LEARNERS[kind](maml.NormalHead())
    inputs = learner.prior.inputs
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1, 4, inputs)), rng.normal(size=(1, 4, 1))
    query_x = rng.normal(size=(1, 3, inputs))
    expected = predicted(learner, x[:, :2], y[:, :2], query_x).mean()
    x[:, 2:], y[:, 2:] = np.nan, np.nan
    mask = tf.constant([[True, True, False, False]])
    np.testing.assert_allclose(predicted(learner, x, y, query_x, mask).mean(), expected, rtol=1e-9)
    episode = PaddedEpisode(*map(tf.constant, (x, y, query_x, np.zeros([1, 3, 1]))), mask)
    assert np.isfinite(learner(episode)).all()


@pytest.mark.slow
def test_each_is_best_where_it_should_be_and_the_diagnosis_says_so():
    made = problem(inputs=4, shots=8, train_tasks=8)
    verdicts, errors = {}, {}
    for kind in ("ridge", "posterior_over_tasks"):
        learner = maml.make_learner(kind, made.networks, made.head)
        report = maml.diagnose(learner, made.train, made.test, made.label_transform, max_tasks=80)
        verdicts[kind] = report.verdict
        errors[kind] = {
            split: float(np.mean((learner(episode) - episode.query_y) ** 2))
            for split, episode in (
                ("train", made.train.sample(200, SEED)),
                ("test", made.test.sample(200, SEED)),
            )
        }
    assert verdicts == {"ridge": "adapts", "posterior_over_tasks": "learner overfitting"}
    assert errors["posterior_over_tasks"]["train"] < errors["ridge"]["train"]
    assert errors["ridge"]["test"] < 0.3 * errors["posterior_over_tasks"]["test"]


@pytest.mark.parametrize("head", [maml.CategoricalHead(3), maml.NormalHead(2)])
def test_heads_of_other_labels_are_refused(head):
    with pytest.raises(ValueError, match="`head`: expected a head of one number"):
        Ridge(LINEAR, head)


def test_tasks_that_an_exact_learner_does_not_know_are_refused():
    cases = {
        "ridge": ("sinusoid", "expects tasks of a known distribution, such as linear_regression"),
        "grid_posterior": ("linear_regression", "Invalid tasks for grid_posterior"),
        "posterior_over_tasks": ("linear_regression", "`train_tasks`.*received 0, infinitely many"),
    }
    for kind, (task, message) in cases.items():
        made = problem(task)
        with pytest.raises(ValueError, match=message):
            maml.make_learner(kind, made.networks, made.head)
    made = problem("sinusoid_or_line")
    with pytest.raises(ValueError, match="Invalid tasks for ridge"):
        maml.make_learner("ridge", made.networks, made.head)


# -- their runs -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_trains_nothing_and_has_all_scores(tmp_path):
    given = {"task": "linear_regression", "learner": "ridge", "task.inputs": 2}
    config = Config.of(given, {"steps": 500, "num_test_tasks": 50, "num_validation_tasks": 50})
    assert config.steps == 1
    record = training.run(config, tmp_path / "run", verbose=0, pictures=False)
    assert record["cost"]["steps"] == 0 and record["diagnosis"]["verdict"] == "adapts"
    assert record == training.run(config, tmp_path / "run", resume=True, verbose=0, pictures=False)
    assert type(maml.load(tmp_path / "run" / "learner.keras")) is Ridge


@pytest.mark.parametrize("option", [{"steps": 500}, {"regularizer": "label_mi"}])
def test_options_of_training_are_refused(option):
    with pytest.raises(ValueError, match="no effect.*which has no weights to train"):
        Config.of({"task": "linear_regression", "learner": "ridge", **option})


def test_options_of_networks_are_refused():
    given = {"task": "linear_regression", "learner": "ridge", "network.hidden": (8,)}
    config = Config.of(given)
    with pytest.raises(ValueError, match="no effect"):
        config.make_learner(config.make_problem())


# -- the tasks ------------------------------------------------------------------------------------


def test_linear_tasks_are_linear_and_have_the_noise_that_is_asked_for():
    made = problem(inputs=3, shots=300, queries=300, noise=0.2, train_tasks=5)
    assert made.train.num_tasks == 5 and made.mutually_exclusive
    assert made.test.num_tasks == made.validation.num_tasks == 2000
    assert problem().train.num_tasks == 1_000_000
    assert not problem(train_tasks=1).mutually_exclusive
    for family in (made.train, made.test):
        episode = family.episodes(tf.constant([0, 3]), SEED)
        for x, y in zip(episode.support_x.numpy(), episode.support_y.numpy(), strict=True):
            w, residual, *_ = np.linalg.lstsq(x, y, rcond=None)
            assert np.sqrt(residual[0] / 297) == pytest.approx(0.2, rel=0.15)
        np.testing.assert_allclose(family.parameters[3], w[:, 0], atol=0.06)
    again = problem(inputs=3, train_tasks=5).train.parameters
    np.testing.assert_array_equal(made.train.parameters, again)
    vectors = made.test.parameters.numpy()
    assert not np.isin(made.train.parameters, vectors).any()
    np.testing.assert_allclose(np.cov(vectors.T), np.eye(3), atol=0.12)


def test_half_of_the_ambiguous_tasks_are_lines():
    made = problem("sinusoid_or_line", noise=1e-6, shots=4, queries=20)
    line, first, second = made.test.parameters.numpy().T
    assert np.mean(line) == pytest.approx(0.5, abs=0.05)
    for kind, ends in ((0, ((0.1, 5), (0, np.pi))), (1, ((-3, 3), (-3, 3)))):
        for values, (low, high) in zip((first, second), ends, strict=True):
            own = values[line == kind]
            assert stats.kstest(own, stats.uniform(low, high - low).cdf).pvalue > 1e-3
    tasks = tf.range(6)
    episode = made.test.episodes(tasks, SEED)
    x = episode.query_x.numpy()
    assert np.abs(x).max() <= 5 and x.shape == (6, 20, 1)
    a, b = first[:6, None, None], second[:6, None, None]
    expected = np.where(line[:6, None, None] > 0, a * x + b, a * np.sin(x - b))
    np.testing.assert_allclose(episode.query_y, expected, atol=1e-4)
    np.testing.assert_allclose(made.test.true_labels(tasks, episode.query_x), expected, atol=1e-5)


def test_a_noise_of_zero_has_no_density_and_is_refused():
    for task in ("linear_regression", "sinusoid_or_line"):
        with pytest.raises(ValueError, match="`noise`: expected a finite number above 0"):
            problem(task, noise=0.0)


@pytest.mark.parametrize("option", ["shots", "queries", "train_tasks"])
def test_numbers_that_are_not_whole_are_refused(option):
    with pytest.raises(ValueError, match=f"`{option}`: expected a whole number, . or more"):
        maml.TASKS.make("linear_regression", **{option: 2.5})
