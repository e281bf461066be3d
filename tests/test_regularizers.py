"""Regularizers: values against closed forms, gradients against finite differences, combinations."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats
from toys import Lines, finite_differences, learner

import maml
import mine
from maml.core.episodes import fold_in
from maml.regularizers.base import normal_kl
from maml.regularizers.information import label_information
from maml.regularizers.prediction_mi import PredictionMI

SEED = tf.constant([5, 7])
SCALE = maml.LabelScale()

KINDS = {
    "mr_w": lambda dtype: maml.MRW(0.01, dtype=dtype),
    "mr_a": lambda dtype: maml.MRA(0.1, dtype=dtype),
    # Of weight 1, the default, since the weight scales the gradient and not the value.
    "label_mi": lambda dtype: maml.LabelMI(SCALE, num_relabelings=2, warmup_nats=0.0, dtype=dtype),
    "label_mi, critic": lambda dtype: maml.LabelMI(SCALE, "mine", dtype=dtype),
    "label_mi, plugin": lambda dtype: maml.LabelMI(
        SCALE, "plugin", negatives=2, warmup_nats=0.0, dtype=dtype
    ),
    "prediction_mi": lambda dtype: PredictionMI(SCALE, dtype=dtype),
    "prediction_mi, one copy": lambda dtype: PredictionMI(SCALE, num_relabelings=1, dtype=dtype),
    "weight_decay": lambda dtype: maml.WeightDecay(0.3, dtype=dtype),
    "label_augmentation": lambda dtype: maml.LabelAugmentation(SCALE, 0.5, dtype=dtype),
}

CRITICS = ("label_mi, critic", "prediction_mi", "prediction_mi, one copy")
"""Those whose learner and critic step by different gradients."""


def made(kind, *regularizers, dtype="float64"):
    """A learner with regularizers, and a batch of episodes, weights created."""
    episode = Lines(dtype=tf.as_dtype(dtype)).sample(3, SEED)
    options = {} if "cnp" in kind else {"inner_steps": 1}
    model = learner(kind, maml.NormalHead(), 9, regularizers, dtype, **options)
    model.create_weights(episode)
    return model, episode


def trained(model, steps, rate=0.01, epochs=1):
    model.compile(keras.optimizers.Adam(rate), jit_compile=False)
    return model.fit(
        Lines().dataset(4, seed=0), steps_per_epoch=steps, epochs=epochs, verbose=0, shuffle=False
    ).history


def logs_of(model, episode, seed=SEED, training=True):
    return {k: v.numpy() for k, v in model.objective(episode, seed, training=training)[1].items()}


def scramble(variables, low=-1.0, high=1.0):
    """Values apart from all that initial ones have in common."""
    rng = np.random.default_rng(0)
    for variable in variables:
        variable.assign(rng.uniform(low, high, variable.shape))


def test_noise_of_attention_starts_by_what_its_kernels_sum_over():
    episode = Lines().sample(3, SEED)
    model = learner("acnp", maml.NormalHead(), 9, [maml.MRW(sigma=0.3, layers=["all"])])
    model.create_weights(episode)
    attention, (noisy,) = model.attention, model.regularizers
    layers = attention.query_dense, attention.value_dense, attention.output_dense
    starts = {id(k): float(tf.exp(s).numpy().flat[0]) for k, s in noisy._posteriors(model)}
    inputs = [layer.kernel.shape[0] for layer in layers[:2]] + [
        attention._num_heads * attention._key_dim
    ]
    for layer, count in zip(layers, inputs, strict=True):
        assert starts[id(layer.kernel)] == pytest.approx(0.3 / math.sqrt(count))


def kl_by_hand(mean, sigma, prior):
    return np.log(prior / sigma) + (sigma**2 + mean**2) / (2 * prior**2) - 0.5


# -- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in KINDS if name not in CRITICS])
def test_meta_gradient_equals_finite_differences(name):
    """Of MAML at a fixed seed, noise included; critics are in test_maml_gradients.py.

    Of a neural process, ``maml.testing.check_regularizer`` has them, see test_testing.py.
    """
    model, episode = made("maml", KINDS[name]("float64"))
    variables = model.learner_variables

    def objective():
        return model.objective(episode, SEED, training=True)[0]

    with tf.GradientTape() as tape:
        value = objective()
    gradients = tape.gradient(value, variables, unconnected_gradients="zero")
    expected = finite_differences(objective, variables)
    scale = max(np.abs(e).max() for e in expected)
    for variable, gradient, reference in zip(variables, gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, reference, atol=1e-6 * scale, err_msg=variable.path)


@pytest.mark.parametrize("name", KINDS)
def test_regularizers_come_back_from_their_configuration(name):
    one = KINDS[name]("float64")
    config = json.dumps(one.get_config())
    again = type(one).from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config and again.dtype == "float64"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("maml", "mr_w,label_mi"),
        ("maml-map_fn", "label_mi,label_augmentation,mr_w,mr_a"),
        ("cnp", "mr_a,mr_w,weight_decay,label_augmentation,label_mi,mine"),
    ],
)
def test_regularizers_combine(kind, names):
    terms = maml.make_regularizers(
        names, {"label_mi": {"bound": "mine"}, "mr_w": {"weight": 1e-3}}, label_transform=SCALE
    )
    model, _ = made(kind, *terms, dtype="float32")
    history = trained(model, 3)
    assert np.isfinite(history["loss"]).all() and history["skipped_steps"] == [0]
    held_out = model.evaluate(Lines().dataset(4, seed=9).take(2), verbose=0, return_dict=True)
    assert np.isfinite(
        [held_out["label_mi_nats"], held_out["mr_w_nats"], held_out["mr_w_sigma"]]
    ).all()


@pytest.mark.slow
def test_trained_noise_is_saved_with_its_learner(tmp_path):
    model, episode = made("maml", *maml.make_regularizers("mr_w,mr_a"), dtype="float32")
    trained(model, 5)
    maml.save(model, tmp_path / "learner.keras")
    again = maml.load(tmp_path / "learner.keras")
    np.testing.assert_allclose(again(episode), model(episode), rtol=1e-6)
    assert logs_of(again, episode) == pytest.approx(logs_of(model, episode), rel=1e-5)


# -- by name --------------------------------------------------------------------------------------


def test_each_regularizer_takes_its_own_options():
    own = {"mr_w": {"weight": 0.1}, "label_mi": {"weight": 0.3}, "weight_decay": {"weight": 0.5}}
    kl, information, decay = maml.make_regularizers(
        "mr_w, label_mi,weight_decay", own, sigma=0.2, warmup=4, bound="plugin",
        label_transform=SCALE,
    )  # fmt: skip
    assert (kl.weight, kl.sigma, decay.weight) == (0.1, 0.2, 0.5)
    assert (information.weight, information.warmup, information.bound) == (0.3, 4, "plugin")
    both = maml.make_regularizers(
        "mr_a,label_augmentation", weight=0.1, probability=0.2, label_transform=SCALE
    )
    assert (both[0].weight, both[1].probability) == (0.1, 0.2)
    assert maml.make_regularizers("none") == []


def test_short_form_is_the_regularizer_that_it_stands_for():
    (short,) = maml.make_regularizers("mine", label_transform=SCALE, noise=0.2)
    assert type(short) is PredictionMI and short.bound == "mine" and short.noise == 0.2
    assert maml.REGULARIZERS.full_name("mine") == "prediction_mi"
    assert "mine" not in set(maml.REGULARIZERS)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("mr_w,mr_w", "'mr_w' is named twice"),
        ("mine,prediction_mi", "'prediction_mi' is named twice"),
        (
            "mr_w,memory",
            "Unknown regularizer 'memory': expected one of none, .*mr_w.*[.] One",
        ),
        (
            "label-mi",
            "expected one of none, .*; did you mean label_mi[?] One of your own",
        ),
        ("nine", "; did you mean none or mine[?] One of"),
        ("none,mr_w", "or none alone, received 'none,mr_w'"),
        ("", "or none alone, received ''"),
        ([["mr_w"]], r"expected names, received \[\['mr_w'\]\]"),
        ({"mr_w": 1, 2: 3}, "expected names, received {"),
    ],
)
def test_names_that_make_no_sense_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        maml.make_regularizers(names)


def test_options_that_nothing_takes_are_refused():
    with pytest.raises(
        ValueError,
        match="'wieght' has no effect with regularizer mr_w: mr_w takes weight, sigma, prior_scale",
    ):
        maml.make_regularizers("mr_w", wieght=0.1)
    with pytest.raises(ValueError, match="'weight' has no effect with regularizer none"):
        maml.make_regularizers("none", weight=0.1)
    with pytest.raises(ValueError, match="'weight' is ambiguous: mr_w and mr_a take it"):
        maml.make_regularizers("mr_w,mr_a", weight=0.1)
    problem = maml.TASKS.make("sinusoid")
    with pytest.raises(ValueError, match="Unknown option `inner_step` of the learner 'cnp'"):
        maml.make_learner("cnp", problem.networks, problem.head, inner_step=3)


# -- noise in the weights -------------------------------------------------------------------------


def test_divergence_of_normals_equals_closed_form_and_monte_carlo():
    rng = np.random.default_rng(0)
    for mean, sigma, prior in [(0.0, 1.0, 1.0), (0.7, 0.2, 1.0), (-1.5, 2.0, 0.5)]:
        nats = normal_kl(mean, math.log(sigma), prior).numpy()
        assert nats == pytest.approx(kl_by_hand(mean, sigma, prior), rel=1e-5, abs=1e-7)
        own = stats.norm(mean, sigma)
        draws = own.rvs(100_000, random_state=rng)
        ratio = own.logpdf(draws) - stats.norm(0, prior).logpdf(draws)
        assert abs(nats - ratio.mean()) < 4 * ratio.std() / math.sqrt(len(draws)) + 1e-6


@pytest.mark.parametrize("kind", ["maml-embedding", "cnp-products"])
def test_weight_kl_is_that_of_the_kernels_on_the_way_of_the_query(kind):
    term = maml.MRW(weight=0.1, prior_scale=0.7, dtype="float64")
    model, episode = made(kind, term)
    last = model.decoder + model.products[2:] if "cnp" in kind else model.network.layers
    kernels = [layer.kernel for layer in (*model.embedding.layers, *last)]
    scramble(term.log_sigmas, -4.0, 0.5)
    sigmas = {variable.shape: np.exp(variable.numpy()) for variable in term.log_sigmas}
    assert len(sigmas) == len(kernels)  # All of them differ in shape.
    nats = sum(kl_by_hand(k.numpy(), sigmas[k.shape], 0.7).sum() for k in kernels)
    sigma = np.concatenate([s.ravel() for s in sigmas.values()]).mean()
    for training in (False, True):  # The kernels' means, also where they are noisy.
        objective, logs = model.objective(episode, SEED, training=training)
        assert logs["mr_w_nats"].numpy() == pytest.approx(nats, rel=1e-12)
        assert logs["mr_w_sigma"].numpy() == pytest.approx(sigma, rel=1e-12)
        assert (objective - logs["task_loss"]).numpy() == pytest.approx(0.1 * nats, rel=1e-12)


def test_noise_of_weights_is_drawn_from_their_posteriors():
    term = maml.MRW(dtype="float64")
    model, _ = made("maml", term)
    scramble(term.log_sigmas, -4.0, 0.5)
    standard = []
    for seed in range(40):
        pairs = term.perturb(model, [seed, 0])
        for (kernel, value), log_sigma in zip(pairs, term.log_sigmas, strict=True):
            standard.append(np.ravel((value - kernel) / tf.exp(log_sigma)))
    standard = np.concatenate(standard)
    assert stats.kstest(standard, "norm").pvalue > 1e-3
    assert len(np.unique(standard)) == len(standard)  # No two weights share their noise.


@pytest.mark.parametrize("kind", ["maml", "cnp"])
@pytest.mark.parametrize("name", ["mr_w", "mr_a"])
def test_noise_is_of_training_and_of_its_seed_only(kind, name):
    term = KINDS[name]("float64")
    model, episode = made(kind, term)
    plain, _ = made(kind)
    mse = logs_of(plain, episode)["mse"]
    assert logs_of(model, episode, training=False)["mse"] == pytest.approx(mse, rel=1e-12)
    np.testing.assert_allclose(model(episode), plain(episode), rtol=1e-12)
    before = [v.numpy() for v in model.learner_variables]
    noisy = [logs_of(model, episode, [seed, 0])["mse"] for seed in (1, 1, 2)]
    assert noisy[0] == noisy[1]
    assert abs(noisy[0] - mse) > 1e-4 * mse < abs(noisy[0] - noisy[2])
    for variable, value in zip(model.learner_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_sigma_moves_up_where_noise_does_no_harm_and_stays_low_where_it_does():
    term = maml.MRW(weight=1e-3)
    family, idle = Lines(), Lines(num_tasks=2)
    model = learner("maml", maml.NormalHead(), 9, [term], inner_steps=1)
    model.create_weights(family.sample(2, SEED))
    start = term.log_sigmas[0].numpy()
    np.testing.assert_allclose(start, math.log(0.1) - 0.5 * math.log(9), rtol=1e-6)

    def widen(episode):  # Two tasks, so that the other names in x are always zero.
        pad = [[0, 0], [0, 0], [0, 6]]
        x, query_x = tf.pad(episode.support_x, pad), tf.pad(episode.query_x, pad)
        return episode._replace(support_x=x, query_x=query_x)

    model.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    dataset = idle.dataset(4, seed=0).map(widen)
    history = model.fit(dataset, steps_per_epoch=75, epochs=2, verbose=0).history
    moved = term.log_sigmas[0].numpy() - start
    assert np.abs(moved).min() > 1e-3
    assert moved[3:].min() > 1.5 > 1.0 > moved[:1].mean()
    assert history["mr_w_sigma"][1] > 1.2 * history["mr_w_sigma"][0]


def test_what_layers_keep_is_kept_from_a_step_with_noisy_weights():
    """Moments of critics, MINE's running mean, counters: as without noise."""
    information = maml.LabelMI(SCALE, bound="mine", dtype="float64")
    quiet = maml.MRW(sigma=1e-12, dtype="float64")
    states = []
    for regularizers in ([information], [KINDS["label_mi, critic"]("float64"), quiet]):
        model, episode = made("maml", *regularizers)
        before = {v.path: v.numpy() for v in model.non_trainable_variables}
        model.objective(episode, SEED, training=True)
        after = [v.numpy() for v in model.non_trainable_variables]
        changed = [np.any(v != b) for v, b in zip(after, before.values(), strict=True)]
        assert sum(changed) > 5
        states.append(after)
    for plain, scoped in zip(*states, strict=True):
        np.testing.assert_allclose(scoped, plain, rtol=1e-9, atol=1e-12)


def test_weight_kl_of_named_layers_and_of_convolutions():
    images = tf.random.stateless_normal([2, 3, 6, 6, 1], SEED)
    labels = tf.reduce_mean(images, [2, 3])
    episode = maml.Episode(images, labels, images, labels)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3, name="first"),
            layers.SeparableConv2D(2, 3),
            layers.Flatten(name="flat"),
            layers.Dense(1),
        ]
    )

    def log_sigmas(names):
        term = maml.MRW(layers=names)
        model = maml.MAML(network, maml.NormalHead(), inner_steps=1, regularizers=[term])
        model.create_weights(episode)
        assert np.isfinite(logs_of(model, episode)["loss"])
        return term.log_sigmas

    shapes = [(3, 3, 1, 4), (3, 3, 4, 1), (1, 1, 4, 2), (8, 1)]
    assert sorted(tuple(v.shape) for v in log_sigmas(None)) == sorted(shapes)
    (first,) = log_sigmas(["first"])
    np.testing.assert_allclose(tf.exp(first), 0.1 / 3, rtol=1e-5)  # The fan-in is nine.
    assert [tuple(v.shape) for v in log_sigmas([network.name])] == shapes
    assert [tuple(v.shape) for v in log_sigmas(["all"])] == shapes
    with pytest.raises(ValueError, match="no layer of the learner: hidden; its layers are.*first"):
        log_sigmas(["hidden"])
    with pytest.raises(ValueError, match="no kernel"):
        log_sigmas(["flat"])


def test_weight_decay_is_half_the_sum_of_squares_of_all_kernels_but_critics():
    regularizers = [KINDS[name]("float64") for name in ("weight_decay", "label_mi, critic", "mr_w")]
    model, episode = made("cnp", *regularizers)
    layers = [*model.embedding.layers, model.lift, *model.encoder, model.project, *model.decoder]
    square = sum((layer.kernel.numpy() ** 2).sum() for layer in layers)
    for training in (False, True):  # Of the means, also where kernels are noisy.
        term, _ = regularizers[0].term(model, episode, None, None, SEED, training)
        assert term.numpy() == pytest.approx(0.3 / 2 * square, rel=1e-12)
        with model._perturbed(SEED):
            term, _ = regularizers[0].term(model, episode, None, None, SEED, training)
        assert term.numpy() == pytest.approx(0.3 / 2 * square, rel=1e-12)


# -- noise in the features ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["maml", "cnp"])
def test_mr_a_nats_equal_closed_form(kind):
    term = maml.MRA(weight=0.2, dtype="float64")
    model, episode = made(kind, term)
    scramble(term.trainable_variables)
    mean, log_sigma = term.posterior.mean, term.posterior.log_sigma
    features = model.embed(episode.query_x).numpy()
    mu = features @ mean.kernel.numpy() + mean.bias.numpy()
    sigma = np.exp(features @ log_sigma.kernel.numpy() + log_sigma.bias.numpy())
    nats = kl_by_hand(mu, sigma, 1.0).sum(-1).mean()
    np.testing.assert_allclose(model.features(episode.query_x), mu, rtol=1e-12)
    for training in (False, True):
        objective, logs = model.objective(episode, SEED, training=training)
        assert logs["mr_a_nats"].numpy() == pytest.approx(nats, rel=1e-12)
        assert (objective - logs["task_loss"]).numpy() == pytest.approx(0.2 * nats, rel=1e-12)


def test_features_are_drawn_from_the_bottleneck():
    term = maml.MRA(dtype="float64")
    model, _ = made("cnp", term)
    scramble(term.trainable_variables)
    episode = Lines(dtype=tf.float64).sample(300, SEED)
    mean, log_sigma = term.posterior(model.embed(episode.query_x))
    standard = (model.features(episode.query_x, SEED) - mean) / tf.exp(log_sigma)
    assert stats.kstest(np.ravel(standard), "norm").pvalue > 1e-3


def test_each_of_two_bottlenecks_is_charged_for_what_it_was_given():
    first, second = (maml.MRA(1.0, dtype="float64") for _ in range(2))
    model, episode = made("cnp", first, second)
    scramble(first.trainable_variables)
    objective, logs = model.objective(episode, SEED)
    nats = 0.0
    features = model.embed(episode.query_x)
    for part in (first, second):
        features, log_sigma = part.posterior(features)
        nats += kl_by_hand(features.numpy(), np.exp(log_sigma), 1.0).sum(-1).mean()
    assert (objective - logs["task_loss"]).numpy() == pytest.approx(nats, rel=1e-12)


def test_bottleneck_refuses_images_and_names_the_remedy():
    images = tf.zeros([2, 3, 6, 6, 1])
    network = keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model = maml.MAML(network, maml.NormalHead(), regularizers=[maml.MRA()])
    episode = maml.Episode(images, images[:, :, 0, 0], images, images[:, :, 0, 0])
    with pytest.raises(ValueError, match=r"\(2, 3, 6, 6, 1\): give it an embedding"):
        model.create_weights(episode)


# -- information on predictions -------------------------------------------------------------------


@pytest.mark.parametrize(("noise", "deviation"), [(0.2, 0.2), (0.0, 0.5)])
def test_the_mine_critic_sees_predictions_through_its_noise(noise, deviation, monkeypatch):
    """Of the deviation that was asked for, or of the likelihood's (0.5)."""
    term = PredictionMI(SCALE, noise=noise, dtype="float64")
    episode = Lines(dtype=tf.float64).sample(500, SEED)
    model = learner("cnp", maml.NormalHead(scale=0.5), 9, [term], "float64")
    model.create_weights(episode)
    episode = episode._replace(
        support_x=model.features(episode.support_x), query_x=model.features(episode.query_x)
    )
    critic, seen = term.critic, []

    def spy(inputs, training):
        seen.append(inputs[0].numpy())
        return critic(inputs, training=training)

    monkeypatch.setattr(term, "critic", spy)
    term.term(model, episode, None, None, SEED, False)
    relabeled = SCALE(episode, fold_in(SEED, 0))
    state = model.encode(relabeled.support_x, relabeled.support_y)
    noise = seen[0][:500] - model.decode(state, relabeled.query_x).critic_features().numpy()
    assert noise.std() == pytest.approx(deviation, rel=0.05)
    assert abs(noise.mean()) < 5 * deviation / math.sqrt(noise.size)


# -- new tasks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_tasks_are_relabeled_with_a_probability_support_and_queries_alike(probability):
    term = maml.LabelAugmentation(SCALE, probability)
    episode = Lines().sample(2000, SEED)
    changed = term.augment(episode, SEED)
    np.testing.assert_array_equal(changed.support_x, episode.support_x)
    np.testing.assert_array_equal(changed.query_x, episode.query_x)
    support = np.squeeze(changed.support_y / episode.support_y, -1)
    factors = np.concatenate([support, np.squeeze(changed.query_y / episode.query_y, -1)], axis=1)
    np.testing.assert_allclose(factors, factors[:, :1] * np.ones_like(factors), rtol=1e-4)
    relabeled = np.sum(np.abs(factors[:, 0] - 1) > 1e-6)
    assert stats.binomtest(int(relabeled), 2000, probability).pvalue > 1e-3
    if probability in (0.0, 1.0):
        assert relabeled == 2000 * probability
    other = term.augment(episode, SEED + 1)
    assert np.array_equal(changed.query_y, other.query_y) == (probability == 0.0)


def test_augmentation_is_of_training_only_and_before_all_else():
    model, episode = made("cnp", maml.LabelAugmentation(SCALE, dtype="float64"))
    plain, _ = made("cnp")
    for name in ("loss", "mse"):
        own = logs_of(model, episode, training=False)[name]
        assert own == pytest.approx(logs_of(plain, episode, training=False)[name], rel=1e-12)
    seed = fold_in(fold_in(SEED, 0), -1)
    relabeled = model.regularizers[0].augment(episode, seed)
    assert not np.allclose(relabeled.query_y, episode.query_y)
    expected = logs_of(plain, relabeled)
    assert logs_of(model, episode) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: maml.LabelAugmentation(maml.SameTask()), "SameTask does not relabel the queries"),
        (lambda: maml.LabelAugmentation(SCALE, 1.5), "`probability`: expected .* 1 at most"),
        (lambda: maml.MRW(sigma=0.0), "`sigma`: expected a finite number above 0"),
        (lambda: maml.MRW(prior_scale=-1.0), "`prior_scale`: expected a finite number above 0"),
        (lambda: maml.MRA(sigma=0.0), "`sigma`: expected a finite number above 0"),
        (
            lambda: PredictionMI(SCALE, "plugin"),
            "one of mine, dv, js, nwj, exact; received 'plugin'",
        ),
        (
            lambda: maml.LabelMI(SCALE, "exact"),
            "one of ba, plugin, mine, dv, js, nwj; received 'exact'",
        ),
        (lambda: maml.LabelMI(maml.SameTask()), "SameTask does not relabel .*use PredictionMI"),
        (
            lambda: made("cnp", PredictionMI(SCALE, "exact")),
            "needs predictions of classes",
        ),
        (
            lambda: maml.LabelMI(SCALE, negatives=0),
            "`negatives`: expected a whole number, 1 or more; received 0",
        ),
        (
            lambda: maml.LabelMI(SCALE, num_relabelings=0),
            "`num_relabelings`: expected a whole number, 1 or more",
        ),
        (lambda: PredictionMI(SCALE, noise=-1.0), "`noise`: expected at least 0, received -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# -- information without a critic -----------------------------------------------------------------


def plug_in_by_hand(log_prob):
    """log_prob [n, n, ...] -> mean over all of log q(y_n|d_n) - log mean_m q(y_n|d_m)."""
    n = len(log_prob)
    own = np.stack([log_prob[i, i] for i in range(n)])
    return (own - special.logsumexp(log_prob, axis=1) + np.log(n)).mean()


@pytest.mark.parametrize("kind", ["maml", "cnp"])
def test_plug_in_information_by_hand(kind):
    term = maml.LabelMI(SCALE, bound="plugin", negatives=3, dtype="float64")
    model, episode = made(kind, term)
    x = {"support_x": model.embed(episode.support_x), "query_x": model.embed(episode.query_x)}
    draws = [SCALE(episode._replace(**x), fold_in(fold_in(SEED, 0), i)) for i in range(4)]
    states = [model.encode(draw.support_x, draw.support_y) for draw in draws]
    q = [model.decode(state, x["query_x"]) for state in states]
    log_prob = np.array([[other.log_prob(draw.query_y).numpy() for other in q] for draw in draws])
    objective, logs = model.objective(episode, SEED)
    assert logs["label_mi_nats"].numpy() == pytest.approx(plug_in_by_hand(log_prob), rel=1e-10)
    assert logs["label_mi_surrogate"].numpy() == logs["label_mi_nats"].numpy()
    assert (logs["task_loss"] - objective).numpy() == pytest.approx(logs["label_mi_nats"].numpy())
    assert not term.critic_variables and "label_mi_effective_negatives" not in logs


def test_weight_scales_the_gradient_of_the_plug_in_information():
    gradients = {}
    for weight in (0.0, 0.3, 1.0):
        options = {"bound": "plugin", "weight": weight, "warmup_nats": 0.0}
        term = maml.LabelMI(SCALE, dtype="float64", **options)
        model, episode = made("cnp", term)
        with tf.GradientTape() as tape:
            objective = model.objective(episode, SEED, training=True)[0]
        gradients[weight] = tape.gradient(objective, model.learner_variables)
    for none, some, whole in zip(*gradients.values(), strict=True):
        np.testing.assert_allclose(some - none, 0.3 * (whole - none), atol=1e-12)
    assert any(
        np.abs(whole - none).max() > 1e-3
        for none, _, whole in zip(*gradients.values(), strict=True)
    )


def test_plug_in_information_trains_without_a_critic():
    model, _ = made(
        "cnp",
        *maml.make_regularizers("label_mi", label_transform=SCALE, bound="plugin"),
        dtype="float32",
    )
    history = trained(model, 60, epochs=4)
    assert model.critic_optimizer is None and "label_mi_nats" not in history
    # Without the term it falls, by more than a nat.
    assert history["label_mi_surrogate"][-1] > history["label_mi_surrogate"][0] + 0.1


class Redraw(maml.LabelTransform):
    """Support labels d and query labels of the linear-Gaussian problem, drawn anew."""

    def __init__(self, problem):
        self.problem = problem
        variance = problem.weight**2 + problem.sigma**2
        self.entropy = problem.dim / 2 * math.log(2 * math.pi * math.e * variance)

    def __call__(self, episode, seed):
        d = tf.random.stateless_normal(tf.shape(episode.support_y), seed, dtype=tf.float64)
        noise = tf.random.stateless_normal(tf.shape(d), fold_in(seed, 1), dtype=tf.float64)
        y = episode.query_x + self.problem.weight * d + self.problem.sigma * noise
        return episode._replace(support_y=d, query_y=y)


class Truth(maml.MetaLearner):
    """Knows p(y | d, x) of the linear-Gaussian problem."""

    def __init__(self, problem, **options):
        super().__init__(maml.NormalHead(problem.dim, problem.sigma), **options)
        self.problem = problem

    def encode(self, x, y, training=False):
        return y

    def decode(self, state, x):
        return self.head(x + self.problem.weight * state)

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 1, self.problem.dim])


@pytest.mark.parametrize(
    ("bound", "nats", "negatives", "low", "high"),
    [
        ("ba", 1.0, 1, 0.95, 1.05),
        ("plugin", 1.0, 31, 0.90, 1.02),  # A lower bound, near from 32 draws on,
        ("plugin", 6.0, 3, math.log(4) - 0.1, math.log(4)),  # and no more than log of their number.
        ("plugin", 0.0, 3, -1e-9, 1e-9),
    ],
)
def test_information_of_the_linear_gaussian_problem(bound, nats, negatives, low, high):
    problem = mine.benchmarks.linear_gaussian(2, nats)
    term = maml.LabelMI(Redraw(problem), bound=bound, negatives=negatives)
    model = Truth(problem, regularizers=[term], dtype="float64")
    x = tf.random.stateless_normal([4000, 1, 2], SEED, dtype=tf.float64)
    episode = maml.Episode(x, x, x, x)
    assert low < logs_of(model, episode, training=False)["label_mi_nats"] < high


class Loud(maml.MetaLearner):
    """Answers with a multiple of the input, whatever the support set."""

    network_kind = "embedding"

    def __init__(self, gain, **options):
        super().__init__(maml.NormalHead(), **options)
        self.gain = gain

    def embed(self, x):
        return x

    def encode(self, x, y, training=False):
        return tf.reduce_mean(y, axis=1, keepdims=True)

    def decode(self, state, x):
        return self.head(self.gain * x)

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 1, 1])


class MeanLabel(Loud):
    """Answers with the mean label of the support set."""

    def decode(self, state, x):
        return self.head(tf.zeros_like(x) + state)


@pytest.mark.parametrize(("gain", "penalty"), [(1.0, 0.0), (3.0, 9 - 1.2)])
def test_predictions_of_more_power_than_labels_cost(gain, penalty):
    x = tf.random.stateless_normal([3, 4, 1], SEED, dtype=tf.float64)
    episode = maml.Episode(x, x, x, x)
    objectives = []
    for weight in (0.0, 5.0):
        term = PredictionMI(SCALE, power_penalty=weight, dtype="float64")
        model = Loud(gain, regularizers=[term], dtype="float64")
        objectives.append(model.objective(episode, SEED)[0].numpy())
    assert objectives[1] - objectives[0] == pytest.approx(5 * penalty)
    assert logs_of(model, episode)["prediction_mi_power_ratio"] == pytest.approx(gain**2)


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_a_critic_compares_each_prediction_with_its_own_support_set_and_with_another(copies):
    """Predictions of the mean support label, from which the support set can be read."""
    x = tf.random.stateless_normal([3, 4, 1], SEED, dtype=tf.float64)
    term = PredictionMI(SCALE, noise=1e-6, num_relabelings=copies, dtype="float64")
    model = MeanLabel(1.0, regularizers=[term], dtype="float64")
    seen = []
    term.set_encoder = lambda sets, training, mask: tf.reduce_mean(sets[..., -1:], axis=1)
    term.critic = lambda parts, training: (seen.append(parts), parts[0])[1]
    logs_of(model, maml.Episode(x, x, x, x))
    predicted, sets, original = (part.numpy().reshape([2, copies, 3, 4]) for part in seen[0])
    assert predicted[0] == pytest.approx(predicted[1])
    assert predicted[0] == pytest.approx(sets[0], abs=1e-4)
    assert np.all(np.abs(predicted[1] - sets[1]) > 1e-3)
    if copies > 1:  # Negatives are the support sets of the other copies.
        assert sets[1] == pytest.approx(np.roll(sets[0], 1, axis=0))
    assert all(part == pytest.approx(x.numpy()[..., 0]) for part in original.reshape([-1, 3, 4]))


@pytest.mark.parametrize("tasks", [2, 3])
def test_no_copy_of_a_task_is_given_its_own_labels_by_swapping(tasks):
    x = tf.random.stateless_normal([tasks, 4, 1], SEED)
    term = maml.LabelMI(maml.LabelSwap(), num_relabelings=4)
    for i in range(10):
        (swapped,) = term.draws(maml.Episode(x, x, x, x), [tf.constant([i, 0])], copies=4)
        assert swapped.support_y.shape[0] == 4 * tasks
        assert np.all(np.abs(swapped.support_y - tf.concat([x] * 4, axis=0)) > 1e-6)


def test_exact_information_of_classes_by_hand():
    """The entropy of the mean prediction under three relabelings, less their mean entropy."""
    problem = maml.TASKS.make("clusters", shots=2, queries=4)
    term = PredictionMI(problem.label_transform, "exact", num_relabelings=3)
    model = maml.make_learner("protonet", problem.networks, problem.head, regularizers=[term])
    episode = problem.train.sample(3, SEED)
    model.create_weights(episode)
    x = {"support_x": model.embed(episode.support_x), "query_x": model.embed(episode.query_x)}
    own = fold_in(SEED, 0)
    draws = [problem.label_transform(episode._replace(**x), fold_in(own, i)) for i in range(3)]
    states = [model.encode(draw.support_x, draw.support_y) for draw in draws]
    p = np.array([model.decode(state, x["query_x"]).mean() for state in states], np.float64)
    expected = stats.entropy(p.mean(0), axis=-1).mean() - stats.entropy(p, axis=-1).mean()
    objective, logs = model.objective(episode, SEED)
    assert expected > 0.01
    assert logs["prediction_mi_nats"].numpy() == pytest.approx(expected, abs=1e-6)
    assert (logs["task_loss"] - objective).numpy() == pytest.approx(expected, abs=1e-6)
    assert not term.critic_variables and "prediction_mi_power_ratio" not in logs
    model.compile("sgd")
    model.fit(problem.train.dataset(4, seed=0), steps_per_epoch=2, verbose=0)


# -- information of the predictions about the labels, and a weight that waits for it ---------------

CATEGORIES = np.log(
    np.array([[[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]], [[0.2, 0.2, 0.6], [0.3, 0.4, 0.3]]])
)


def test_information_of_predictions_about_labels_of_classes():
    labels = np.array([[0, 1], [2, 2]])
    prediction = maml.CategoricalHead(3)(tf.constant(CATEGORIES))
    flat = CATEGORIES.reshape(4, 3)
    under_each = flat[:, labels.ravel()].T
    expected = plug_in_by_hand(under_each)
    found = label_information(prediction, tf.constant(np.eye(3)[labels]))
    assert expected > 0.1
    assert float(found) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shape", [(3, 5, 1), (9, 11, 1)])
def test_information_of_normal_predictions_about_labels(shape):
    """Of 99 labels the first 64 are held against all predictions."""
    rng = np.random.default_rng(0)
    labels = rng.normal(size=shape)
    means = labels + 0.3 * rng.normal(size=shape)
    head = maml.NormalHead()
    prediction = head(tf.constant(means))
    deviation = float(prediction.critic_noise)
    under_each = stats.norm.logpdf(labels.ravel()[:64, None], means.ravel()[None], deviation)
    own = np.diag(under_each[:, :64])
    expected = np.mean(own - special.logsumexp(under_each, axis=1) + np.log(means.size))
    assert float(label_information(prediction, tf.constant(labels))) == pytest.approx(expected)


def test_information_is_not_below_zero_where_predictions_are_sure_and_wrong():
    """One such step must not switch the term off for the next thousand."""
    labels = tf.random.stateless_normal([3, 5, 1], SEED)
    assert float(label_information(maml.NormalHead()(-1000 * labels), labels)) == 0


def test_equal_predictions_have_no_information_about_labels():
    prediction = maml.NormalHead()(tf.fill([3, 5, 1], 0.3))
    labels = tf.random.stateless_normal([3, 5, 1], SEED)
    assert float(label_information(prediction, labels)) == pytest.approx(0, abs=1e-6)


def test_weight_follows_what_predictions_say_about_labels():
    """It is the running mean of the information over ``warmup_nats``, and at most one times it."""
    term = maml.LabelMI(SCALE, weight=2.0, warmup_nats=0.25)
    model, _ = made("cnp", term, dtype="float32")
    episodes = [Lines().sample(4, fold_in(SEED, i)) for i in range(40)]
    running, weights = 0.0, []
    for episode in episodes:
        scaled = episode._replace(query_y=50 * episode.query_y)
        prediction = maml.NormalHead()(scaled.query_y)  # Right, and more certain than is needed.
        found = model_term(term, model, scaled, prediction)
        running = 0.99 * running + 0.01 * float(label_information(prediction, scaled.query_y))
        weights.append(2.0 * min(running / 0.25, 1.0))
        assert found == pytest.approx(weights[-1], rel=1e-5)
    assert 0 < weights[0] < weights[1] < 2.0 == weights[-1]


def model_term(term, model, episode, prediction, training=True):
    embedded = episode._replace(
        support_x=model.features(episode.support_x), query_x=model.features(episode.query_x)
    )
    _, logs = term.term(model, embedded, None, prediction, SEED, training=training)
    return float(logs["label_mi_weight"])


def test_a_learner_that_predicts_a_constant_is_not_held_there():
    """On the plateau the weight stays zero, whatever the number of steps."""
    term = maml.LabelMI(SCALE, weight=2.0, warmup_nats=0.5)
    model, episode = made("cnp", term, dtype="float32")
    constant = maml.NormalHead()(tf.zeros_like(episode.query_y))
    for _ in range(5):
        assert model_term(term, model, episode, constant) == pytest.approx(0, abs=1e-6)


def test_a_diverged_step_does_not_count_towards_the_weight():
    term = maml.LabelMI(SCALE, weight=2.0, warmup_nats=0.5)
    model, episode = made("cnp", term, dtype="float32")
    broken = maml.NormalHead()(episode.query_y * math.nan)
    assert model_term(term, model, episode, broken) == 0
    assert model_term(term, model, episode, maml.NormalHead()(episode.query_y)) > 0


def test_evaluation_does_not_move_the_weight():
    term = maml.LabelMI(SCALE, weight=2.0, warmup_nats=0.5)
    model, episode = made("cnp", term, dtype="float32")
    exact = maml.NormalHead()(episode.query_y)
    assert model_term(term, model, episode, exact, training=False) == 0


def test_a_learner_with_such_a_weight_resumes_with_it(tmp_path):
    """The running mean is a weight of the learner, so that a checkpoint has it."""
    term = maml.LabelMI(SCALE, weight=2.0, warmup_nats=0.25)
    model, _ = made("cnp", term, dtype="float32")
    trained(model, steps=30)
    maml.save(model, tmp_path / "learner.keras")
    again = maml.load(tmp_path / "learner.keras")
    assert float(term.learned) > 0
    assert float(again.regularizers[0].learned) == float(term.learned)
