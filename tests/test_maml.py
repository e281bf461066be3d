"""Episodes, distributions, label transforms, training and diagnostics of meta-learners."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from marks import exhaustive
from scipy import integrate, stats
from toys import UNREGISTERED, Lines, learner

import maml
from maml.core.episodes import fold_in
from maml.diagnostics.scores import relabel, sandwich
from maml.experiments import callbacks
from mine.reporting.statistics import mean_interval

SEED = tf.constant([5, 7])
PERIOD = 10.0
TRANSFORMS = {
    "offset": maml.LabelOffset(PERIOD),
    "scale": maml.LabelScale(),
    "swap": maml.LabelSwap(),
    "same": maml.SameTask(),
    "other": maml.OtherTask(),
}
TERMS = {
    "none": None,
    "label-ba": ("scale", "label", "ba"),
    "label-mine": ("scale", "label", "mine"),
    "label-dv": ("offset", "label", "dv"),
    "label-js": ("swap", "label", "js"),
    "prediction-mine": ("scale", "prediction", "mine"),
    "prediction-js": ("offset", "prediction", "js"),
    "prediction-same": ("same", "prediction", "mine"),
    "prediction-other": ("other", "prediction", "dv"),
}
HEADS = {"normal": maml.NormalHead(bounds=(-20, 20)), "circular": maml.CircularHead(PERIOD, 11)}


def build(kind, term, head="normal", weight=0.5, **options):
    regularizers = []
    if TERMS[term]:
        label_transform, target, bound = TERMS[term]
        kind_of_term = {"label": maml.LabelMI, "prediction": maml.PredictionMI}[target]
        own = {"weight": weight, "warmup_nats": 0.0}
        regularizers = [kind_of_term(TRANSFORMS[label_transform], bound, **own)]
    model = learner(kind, HEADS[head], 9, regularizers, **options)
    model.create_weights(Lines().sample(4, SEED))
    critics = keras.optimizers.Adam(1e-3, clipnorm=1.0) if model.critic_variables else None
    model.compile(keras.optimizers.Adam(1e-2), critic_optimizer=critics, jit_compile=False)
    return model


def fit(model, steps=4, epochs=1, start=0, more=()):
    return model.fit(
        Lines().dataset(4, seed=0, start=start * steps),
        epochs=epochs,
        initial_epoch=start,
        steps_per_epoch=steps,
        verbose=0,
        callbacks=list(more),
    ).history


# -- episodes -------------------------------------------------------------------------------------


def test_same_seed_same_episodes_and_another_seed_others():
    family = Lines()
    one, same, other = (family.sample(3, seed) for seed in ([1, 2], [1, 2], [1, 3]))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.query_x, other.query_x)


def test_stream_that_starts_later_is_the_same_stream():
    whole = list(Lines().dataset(2, seed=4).take(5))
    rest = list(Lines().dataset(2, seed=4, start=3).take(2))
    for a, b in zip(whole[3:], rest, strict=True):
        np.testing.assert_array_equal(a.support_x, b.support_x)


@pytest.mark.parametrize(("batch", "num"), [(2, None), (3, None), (8, None), (100, None), (2, 5)])
def test_fixed_episodes_take_every_task_equally_and_no_batch_holds_one_twice(batch, num):
    family, seen = Lines(num_tasks=8), []
    for episode in family.fixed(3, batch, seed=0, num_tasks=num):
        tasks = np.argmax(episode.query_x[:, 0, 1:], axis=-1).tolist()
        assert len(set(tasks)) == len(tasks) >= 2
        seen += tasks
    counts = np.bincount(seen, minlength=8)
    assert sorted(counts[counts > 0]) == [3] * (num or 8)


def test_tasks_are_evenly_spaced_whatever_their_number():
    family = Lines(num_tasks=8)
    np.testing.assert_array_equal(family.spaced(4), [0, 2, 4, 6])
    family.num_tasks = 1_000_000
    np.testing.assert_array_equal(family.spaced(5000), np.arange(5000) * 200)


# -- distributions --------------------------------------------------------------------------------


@pytest.fixture
def circular():
    logits = np.random.default_rng(0).normal(0, 2, (1, 9))
    return maml.Circular(tf.constant(logits), PERIOD)


def test_circular_density_integrates_to_one_and_wraps(circular):
    y = tf.constant(np.linspace(0, PERIOD, 20_001)[:-1, None])
    density = np.exp(circular.log_prob(y))
    assert density.mean() * PERIOD == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(circular.log_prob(y), circular.log_prob(y + PERIOD), atol=1e-6)


def test_circular_density_is_linear_between_knots(circular):
    knots = np.exp(circular.log_knots[0].numpy())
    grid = np.append(knots, knots[0]) * 9 / PERIOD
    y = np.random.default_rng(1).uniform(0, PERIOD, 50)
    expected = np.interp(y, np.arange(10) * PERIOD / 9, grid)
    actual = np.exp(circular.log_prob(tf.constant(y[:, None])))
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


def test_circular_samples_follow_the_density(circular):
    many = maml.Circular(tf.repeat(circular.log_knots, 20_000, axis=0), PERIOD)
    samples = many.sample(SEED).numpy()[:, 0]
    edges = np.linspace(0, PERIOD, 28)
    fine = edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(200) + 0.5) / 200
    mass = np.exp(circular.log_prob(tf.constant(fine.reshape(-1, 1)))).reshape(fine.shape).mean(1)
    expected = mass * np.diff(edges) * len(samples)
    observed, _ = np.histogram(samples, edges)
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


def test_circular_point_of_a_peak_across_the_seam():
    logits = np.full((1, 10), -30.0)
    logits[0, [0, 9]] = 0.0  # At 0 and 9: the middle of the shorter way is 9.5, not 4.5.
    peak = maml.Circular(tf.constant(logits), PERIOD)
    assert peak.mode().numpy().item() == pytest.approx(9.5, abs=1e-6)
    assert peak.mean().numpy().item() == pytest.approx(4.5, abs=1e-6)


def test_one_harmonic_is_a_von_mises_density_by_scipy():
    kappa, mu = 3.0, 4.0
    outputs = tf.constant([[kappa * np.cos(mu), kappa * np.sin(mu)]])
    label = np.linspace(0, PERIOD, 201)[:-1]
    density = maml.VonMisesHead(PERIOD, 1, 200)(outputs)
    turn = 2 * np.pi / PERIOD
    expected = turn * stats.vonmises(kappa, loc=mu).pdf(label * turn)
    np.testing.assert_allclose(
        np.exp(density.log_prob(tf.constant(label[:, None]))), expected, rtol=1e-5
    )


def test_harmonics_are_a_generalised_von_mises_density_by_quadrature():
    a, b = np.array([1.0, -2.0, 0.5]), np.array([0.3, 1.5, -0.7])

    def unnormalized(label):
        angle = 2 * np.pi / PERIOD * np.arange(1, 4) * label
        return np.exp(a @ np.cos(angle) + b @ np.sin(angle))

    total, _ = integrate.quad(unnormalized, 0, PERIOD, epsabs=1e-10)
    density = maml.VonMisesHead(PERIOD, 3, 200)(tf.constant([np.concatenate([a, b])]))
    label = PERIOD * np.arange(0, 200, 7) / 200
    np.testing.assert_allclose(
        np.exp(density.log_prob(tf.constant(label[:, None]))),
        [unnormalized(y) / total for y in label],
        rtol=1e-5,
    )


def test_normal_log_prob_matches_scipy_and_its_head_is_squared_error():
    y, location = np.array([[1.0, 2.0]]), np.array([[0.5, -1.0]])
    normal = maml.Normal(tf.constant(location), 0.7)
    expected = stats.norm(location, 0.7).logpdf(y).sum(-1)
    np.testing.assert_allclose(normal.log_prob(tf.constant(y)), expected, rtol=1e-12)
    head = maml.NormalHead(dim=2)
    loss = head.loss(head(tf.constant(location)), tf.constant(y))
    np.testing.assert_allclose(loss, ((y - location) ** 2).sum(-1), rtol=1e-12)


def test_bounded_outputs_stay_inside_and_are_the_identity_in_the_middle():
    head = maml.NormalHead(bounds=(-1.0, 11.0))
    means = head(tf.constant([[-1e6], [0.01], [1e6]])).mean().numpy().ravel()
    np.testing.assert_allclose(means, [-1.0, 5.01, 11.0], atol=1e-4)


# -- label transforms -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMS)
def test_label_transforms_are_drawn_from_their_seed_and_keep_shapes(name):
    episode = Lines().sample(6, SEED)
    first, again, other = (TRANSFORMS[name](episode, s) for s in ([1, 1], [1, 1], [1, 2]))
    assert all(a.shape == b.shape for a, b in zip(first, episode, strict=True))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    np.testing.assert_array_equal(first.query_x, episode.query_x)


def test_label_offset_moves_support_and_query_of_a_task_alike():
    episode = Lines().sample(6, SEED)
    shifted = maml.LabelOffset(PERIOD)(episode, SEED)
    moves = [
        np.mod(new - old, PERIOD)
        for new, old in (
            (shifted.support_y, episode.support_y),
            (shifted.query_y, episode.query_y),
        )
    ]
    by_task = np.concatenate([m[..., 0] for m in moves], axis=1)
    np.testing.assert_allclose(by_task, by_task[:, :1] * np.ones_like(by_task), atol=1e-4)
    assert len(np.unique(by_task[:, 0].round(3))) == 6
    assert np.all((shifted.query_y >= 0) & (shifted.query_y < PERIOD))


def test_label_scale_is_one_factor_a_task_within_its_limits():
    episode = Lines().sample(64, SEED)
    scaled = maml.LabelScale(0.5, 2.0)(episode, SEED)
    factor = (scaled.support_y / episode.support_y).numpy()[..., 0]
    np.testing.assert_allclose(factor, factor[:, :1] * np.ones_like(factor), rtol=1e-4)
    assert np.abs(factor).min() >= 0.5 and np.abs(factor).max() <= 2.0
    assert (factor > 0).any() and (factor < 0).any()
    with pytest.raises(ValueError, match="0 < low"):
        maml.LabelScale(0.0, 1.0)


def test_label_permutation_permutes_classes_of_support_and_query_alike():
    labels = tf.one_hot(tf.constant([[0, 1, 2, 3]] * 5), 4)
    episode = maml.Episode(labels, labels, labels, labels)
    changed = maml.LabelPermutation(4)(episode, SEED)
    np.testing.assert_array_equal(changed.support_y, changed.query_y)
    orders = np.argmax(changed.support_y, -1)
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len({tuple(order) for order in orders}) > 1


@pytest.mark.parametrize("seed", range(5))
def test_other_task_is_never_the_task_itself(seed):
    family = Lines(num_tasks=4)
    episode = family.episodes(tf.range(4), SEED)
    changed = maml.OtherTask()(episode, [seed, 0])
    own, lent = (np.argmax(e.support_x[:, 0, 1:], -1) for e in (episode, changed))
    assert not np.any(own == lent)


def test_same_task_draws_from_the_support_with_its_labels():
    episode = Lines().sample(3, SEED)
    changed = maml.SameTask()(episode, SEED)
    for task in range(3):
        pairs = {
            tuple(x) + tuple(y)
            for x, y in zip(
                episode.support_x[task].numpy(), episode.support_y[task].numpy(), strict=True
            )
        }
        assert {
            tuple(x) + tuple(y)
            for x, y in zip(
                changed.support_x[task].numpy(), changed.support_y[task].numpy(), strict=True
            )
        } <= pairs


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (maml.LabelMI, {"bound": "infonce"}, "`bound` of LabelMI: expected one of ba, plugin"),
        (maml.LabelMI, {"bound": "exact"}, "`bound` of LabelMI"),
        (maml.PredictionMI, {"bound": "ba"}, "`bound` of PredictionMI: expected one of mine"),
        (maml.LabelMI, {"label_transform": maml.SameTask()}, "does not relabel"),
        (maml.LabelMI, {"num_relabelings": 0}, "num_relabelings"),
    ],
)
def test_meaningless_terms_are_refused(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**({"label_transform": maml.LabelScale()} | options))


# -- training -------------------------------------------------------------------------------------


MORE_TERMS = {"label-js", "prediction-js"}
"""Left out by default: test_mine.py has this bound, other terms these transforms."""
TRAINED = [
    *itertools.product(["cnp"], sorted(set(TERMS) - MORE_TERMS)),
    *exhaustive(*itertools.product(["cnp"], sorted(MORE_TERMS))),
    *itertools.product(["maml"], ["label-mine", "prediction-mine"]),
    *itertools.product(["maml-batch", "cnp-products"], ["label-ba"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "term"), TRAINED)
def test_learners_train_with_every_term_and_trace_their_step_once(kind, term):
    """A step that is traced again costs seconds; test_traces.py has other learners.

    Without a critic, test_every_combination.py trains each learner of the registry.
    """
    head = "circular" if "offset" in str(TERMS[term]) else "normal"
    model = build(kind, term, head, **({} if "cnp" in kind else {"inner_steps": 1}))
    before = [v.numpy() for v in model.learner_variables]
    traces, forward = 0, model.forward

    def counted(*arguments, **options):
        nonlocal traces
        traces += 1
        return forward(*arguments, **options)

    model.forward = counted
    history = fit(model, steps=2, epochs=2)
    assert traces == 1
    assert np.isfinite(history["loss"]).all()
    assert history["skipped_steps"] == [0, 0]
    assert any((v.numpy() != b).any() for v, b in zip(model.learner_variables, before, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [*UNREGISTERED[:1], *exhaustive(*UNREGISTERED[1:-2]), *UNREGISTERED[-2:]]
)
def test_every_learner_is_scored(kind):
    """By default few: those of the registry are in test_every_combination.py."""
    model = build(kind, "none", **({} if "cnp" in kind else {"inner_steps": 1}))
    values = maml.Evaluator(model, label_transform=maml.LabelScale(), num_relabelings=2)(
        Lines(), 2, 4, 0
    )
    assert all(v.shape[:2] == (8, 2) and np.isfinite(v).all() for v in values.values())


def test_training_reduces_the_loss_of_a_learner_that_can_adapt():
    history = fit(build("cnp", "none"), steps=150, epochs=2)
    assert history["mse"][1] < 0.3 * history["mse"][0]


@pytest.mark.slow
def test_weight_zero_trains_the_critic_and_leaves_the_learner_alone():
    models = {term: build("cnp", term, weight=0.0) for term in ("none", "label-mine")}
    critic = [v.numpy() for v in models["label-mine"].critic_variables]
    for model in models.values():
        fit(model)
    for a, b in zip(*(m.learner_variables for m in models.values()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    moved = [
        np.abs(v.numpy() - b).max()
        for v, b in zip(models["label-mine"].critic_variables, critic, strict=True)
    ]
    assert max(moved) > 0


def test_weight_warms_up_over_training_steps():
    term = maml.LabelMI(maml.LabelScale(), weight=2.0, warmup=4, warmup_nats=0.0)
    model = learner("cnp", maml.NormalHead(), 9, [term])
    model.create_weights(Lines().sample(2, SEED))
    model.compile()
    history = fit(model, steps=1, epochs=6)
    np.testing.assert_allclose(history["label_mi_weight"], [0.5, 1.0, 1.5, 2.0, 2.0, 2.0])


@pytest.mark.parametrize("bound", ["ba", "mine"])
def test_several_relabelings_are_a_batch_of_copies_of_the_tasks(bound):
    """The mean over relabelings is the value of one relabeling of each copy of a task."""
    episode = Lines().sample(3, SEED)
    copies = maml.Episode(*(tf.tile(part, [4, 1, 1]) for part in episode))
    terms = []
    for count, batch in ((1, copies), (4, episode)):
        term = maml.LabelMI(maml.LabelScale(), bound=bound, num_relabelings=count)
        model = learner("cnp", maml.NormalHead(), 9, [term])
        model.create_weights(episode)
        value, _ = term.term(model, model_features(model, batch), None, None, SEED, training=False)
        terms.append(float(value))
    assert terms[0] == pytest.approx(terms[1], rel=1e-6)


@pytest.mark.parametrize(("nats", "pulls"), [(0.9, True), (1.1, False)])
def test_a_capped_term_pulls_only_below_the_cap(nats, pulls, monkeypatch):
    term = maml.LabelMI(maml.LabelScale(), cap=1.0, warmup_nats=0.0)
    model = learner("cnp", maml.NormalHead(), 9, [term])
    episode = Lines().sample(3, SEED)
    model.create_weights(episode)
    value = term.value
    monkeypatch.setattr(term, "value", lambda *args: value(*args)._replace(nats=tf.constant(nats)))
    with tf.GradientTape() as tape:
        batch = model_features(model, episode)
        value, _ = term.term(model, batch, None, None, SEED, training=False)
    gradients = tape.gradient(value, model.learner_variables, unconnected_gradients="zero")
    assert (float(tf.linalg.global_norm(gradients)) > 0) == pulls


def model_features(model, episode):
    return episode._replace(
        support_x=model.features(episode.support_x), query_x=model.features(episode.query_x)
    )


@pytest.mark.slow
def test_nats_are_reported_on_held_out_batches_only():
    model = build("cnp", "label-mine")
    assert "label_mi_nats" not in fit(model)
    held_out = model.evaluate(Lines().dataset(4, seed=9).take(2), verbose=0, return_dict=True)
    assert np.isfinite(held_out["label_mi_nats"])


def test_step_whose_gradient_is_not_finite_is_skipped_and_counted():
    model = build("cnp", "label-mine")
    good = Lines().sample(4, SEED)
    bad = good._replace(query_y=good.query_y * math.nan)
    before = [v.numpy() for v in model.trainable_variables]
    model.fit(
        tf.data.Dataset.from_tensors(bad), epochs=1, steps_per_epoch=1, verbose=0, shuffle=False
    )
    for variable, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert model.skipped.result() == 1
    assert int(model.optimizer.iterations) == 1
    history = fit(model)  # And nothing of it stays behind.
    assert history["skipped_steps"] == [0] and np.isfinite(history["loss"]).all()
    for variable in model.variables:
        assert np.isfinite(variable.numpy()).all() or variable.path.endswith("iterations")


def test_divergence_stops_with_a_sentence():
    watch = callbacks.StopOnDivergence()
    watch.set_model(learner("cnp", maml.NormalHead(), 9))
    watch.set_params({"steps": 10})
    watch.on_epoch_end(2, {"loss": 1.0, "skipped_steps": 4.0})
    with pytest.raises(FloatingPointError, match="5 of 10 steps.*Lower the learning rates"):
        watch.on_epoch_end(2, {"loss": 1.0, "skipped_steps": 5.0})


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["vectorized", "map_fn"])
def test_divergence_names_the_task_and_the_inner_step(mode):
    model = learner("maml", maml.NormalHead(), 9, inner_lr=100.0, task_map=mode)
    good = Lines().sample(4, SEED)
    model.create_weights(good)
    model.compile("sgd", jit_compile=False)
    assert model.divergence() is None
    # Single precision ends at 3e38: the square of 1e18 fits, its growth in one inner step does not.
    size = tf.constant([1.0, 1e18, 1.0, 1.0])[:, tf.newaxis, tf.newaxis]
    data = tf.data.Dataset.from_tensors(good._replace(support_y=size * good.support_y))
    with pytest.raises(
        FloatingPointError, match="inner loss of task 2.*before inner step 2.*Lower the"
    ):
        model.fit(data, verbose=0, callbacks=[callbacks.StopOnDivergence()])


def test_exploited_critic_is_reported_once(capsys):
    watch = callbacks.StopOnDivergence()
    watch.set_params({"steps": 10})
    for _ in range(2):
        watch.on_epoch_end(0, {"loss": 1.0, "skipped_steps": 0.0, "prediction_mi_power_ratio": 7.0})
    assert capsys.readouterr().out.count("being exploited") == 1


@pytest.mark.parametrize(("tasks", "each"), [(3, 3), (5, 2), (40, 1)])
def test_small_families_are_scored_on_several_episodes_of_a_task(tasks, each):
    """The error of few episodes would say more of them than of the learner."""
    model, asked = build("cnp", "none"), []

    def score(family, per_task, batch_size, seed, num_tasks):
        asked.append((per_task, num_tasks))
        return {"mse": np.ones((num_tasks, per_task, 1))}

    score.metrics = (maml.MSE,)
    families = {"few": Lines(num_tasks=tasks)}
    monitor = callbacks.Monitor(score, families, 4, episodes=10, report=False)
    fit(model, more=[monitor])
    assert asked == [(each, 10)]


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["cnp-products"])
def test_run_that_was_cut_resumes_to_the_same_numbers(kind, tmp_path):
    path = tmp_path / "run.weights.h5"
    options = {} if "cnp" in kind else {"inner_steps": 1}
    whole = build(kind, "prediction-mine", **options)
    fit(whole, epochs=3)
    first = build(kind, "prediction-mine", **options)
    fit(first, epochs=2, more=[callbacks.Checkpoint(path)])
    resumed = build(kind, "prediction-mine", seed=99, **options)  # Other weights, to be replaced.
    resumed.seed = first.seed
    assert callbacks.Checkpoint(path).restore(resumed) == 8
    fit(resumed, epochs=3, start=2)
    for a, b in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=a.path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_damaged_checkpoint_is_named(tmp_path):
    path = tmp_path / "run.weights.h5"
    fit(build("cnp", "none"), more=[callbacks.Checkpoint(path)])
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="run.weights.h5 is damaged"):
        callbacks.Checkpoint(path).restore(build("cnp", "none"))


# -- diagnostics ----------------------------------------------------------------------------------


class Memorizer(maml.MetaLearner):
    """Knows each task's slope from its name in x and never looks at the support set."""

    def __init__(self, family):
        super().__init__(maml.NormalHead(scale=0.1))
        self.slopes = tf.range(1.0, family.num_tasks + 1.0)

    def encode(self, x, y, training=False):
        return tf.zeros([tf.shape(x)[0], 1])

    def decode(self, state, x):
        return self.head(x[..., :1] * tf.linalg.matvec(x[..., 1:], self.slopes)[..., tf.newaxis])

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 1])


class LeastSquares(Memorizer):
    """Fits the slope to the support set and never looks at the task's name."""

    def encode(self, x, y, training=False):
        return tf.reduce_sum(x[..., :1] * y, 1) / tf.reduce_sum(x[..., :1] ** 2, 1)

    def decode(self, state, x):
        return self.head(x[..., :1] * state[:, tf.newaxis])


def test_diagnostics_tell_a_memorizer_from_a_learner():
    family = Lines()
    options = {"label_transform": maml.LabelScale(), "num_relabelings": 16}
    memorizer, adapter = (
        {k: v.mean() for k, v in maml.Evaluator(cls(family), **options)(family, 4, 4, 0).items()}
        for cls in (Memorizer, LeastSquares)
    )
    assert memorizer["mse"] == pytest.approx(0, abs=1e-9)
    assert memorizer["mismatched_support_mse"] == memorizer["no_support_mse"] == memorizer["mse"]
    assert memorizer["label_information_lower"] == pytest.approx(0, abs=1e-6)
    assert adapter["mse"] == pytest.approx(0, abs=1e-9)
    assert adapter["mismatched_support_mse"] > 1 and adapter["no_support_mse"] > 1
    assert 1 < adapter["label_information_lower"] <= math.log(16) + 1e-6


def test_label_information_of_a_linear_gaussian_learner_is_the_closed_form():
    """y^ = s y + sigma e with normal s: I = log(1 + y^2 / sigma^2) / 2 at each query."""

    class NormalScale(maml.LabelTransform):
        def __call__(self, episode, seed):
            tasks = tf.shape(episode.support_y)[0]
            scale = tf.random.stateless_normal([tasks, 1, 1], seed)
            return episode._replace(support_y=scale * episode.support_y)

    family = Lines(num_tasks=2, queries=400)
    episode = family.episodes(tf.range(2), SEED)
    model = LeastSquares(family)
    relabeled = relabel(episode, NormalScale(), 64, SEED)
    prediction = model.decode(model.encode_episode(relabeled), relabeled.query_x)
    found = sandwich(prediction, 64, fold_in(SEED, 1))
    truth = 0.5 * np.log(1 + (episode.query_y[..., 0] / model.head.scale) ** 2).mean()
    assert np.mean(found.lower) < truth + 0.05
    assert np.mean(found.upper) > truth - 0.05
    assert np.mean(found.upper) - np.mean(found.lower) < 0.35


def test_label_information_of_every_second_batch_is_that_of_all():
    family = Lines(num_tasks=8)

    def scored(**options):
        evaluate = maml.Evaluator(
            LeastSquares(family), label_transform=maml.LabelScale(), num_relabelings=3, **options
        )
        return evaluate(family, per_task=2, batch_size=2, seed=0)

    some, every = scored(information_every=2), scored()
    for name, values in every.items():
        if name.startswith(("label_information", "relabeled", "response", "answer_power")):
            values = values[[0, 1, 4, 5]]
        np.testing.assert_allclose(some[name], values, rtol=1e-5, err_msg=name)


def test_evaluator_needs_two_tasks():
    with pytest.raises(ValueError, match="two tasks"):
        maml.Evaluator(Memorizer(Lines(num_tasks=1)))(Lines(num_tasks=1), 1, 2, 0)


def test_mean_interval_is_students():
    values = np.array([1.0, 2.0, 4.0, 9.0])
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    result = mean_interval(values)
    assert result["mean"] == 4.0
    assert result["ci95"] == pytest.approx((high - low) / 2)
    assert math.isnan(mean_interval([1.0])["ci95"])
