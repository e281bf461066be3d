"""fit, compile, evaluate, predict, adapt and export mean what Keras users expect."""

import contextlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from toys import Lines, learner, perceptron

import maml
from maml.learners.training.trainer import EVALUATION_START

SEED = tf.constant([5, 7])
EPISODE = Lines().sample(4, SEED)


def made(kind="cnp", regularizers=(), **options):
    model = learner(kind, maml.NormalHead(), 9, regularizers, inner_steps=1) if (
        kind == "maml"
    ) else learner(kind, maml.NormalHead(), 9, regularizers, **options)  # fmt: skip
    critics = keras.optimizers.Adam(1e-2) if any(of.has_critic for of in regularizers) else None
    model.compile(keras.optimizers.Adam(1e-2), critic_optimizer=critics, jit_compile=False)
    return model


def weights(model):
    return [v.numpy() for v in model.trainable_variables]


def assert_same_weights(one, other):
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


# -- fit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["maml", "cnp"])
def test_fit_on_a_family_is_fit_on_its_dataset_with_weights_made_before(kind):
    by_family, by_dataset = made(kind), made(kind)
    history = by_family.fit(Lines(), batch_size=4, steps=6, verbose=0).history
    assert len(history["loss"]) == 1
    by_dataset.create_weights(Lines().sample(2, [0, 5]))
    data = Lines().dataset(4, seed=by_dataset.seed)
    by_dataset.fit(data, epochs=2, steps_per_epoch=3, verbose=0)
    assert_same_weights(by_family, by_dataset)


@pytest.mark.slow
def test_two_calls_of_fit_go_on_where_one_call_would_be():
    terms = lambda: [maml.LabelMI(maml.LabelScale(), "mine")]  # noqa: E731
    whole, parts = made(regularizers=terms()), made(regularizers=terms())
    whole.fit(Lines(), batch_size=4, steps=6, verbose=0)
    for _ in range(2):
        parts.fit(Lines(), batch_size=4, steps=3, verbose=0)
    assert_same_weights(whole, parts)


@pytest.mark.parametrize(
    ("options", "epochs"),
    [
        ({"steps": 6}, 1),
        ({"steps": 6, "epochs": 3}, 3),
        ({"steps": 6, "steps_per_epoch": 2}, 3),
        ({"steps_per_epoch": 3, "epochs": 2}, 2),
        ({"steps_per_epoch": 3}, 1),
    ],
)
def test_steps_are_in_all_and_epochs_divide_them(options, epochs):
    model = made()
    history = model.fit(Lines(), batch_size=2, verbose=0, **options).history
    assert len(history["loss"]) == epochs
    assert int(model.optimizer.iterations) == options.get("steps", 3 * epochs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Missing argument `steps`"),
        ({"steps": 5, "epochs": 2}, "`steps`: expected epochs"),
        ({"steps": 6, "epochs": 2, "steps_per_epoch": 2}, "2 epochs and 2 steps per epoch"),
        ({"steps": 0}, "`steps`: expected a whole number, 1 or more; received 0"),
        ({"steps": 2.5}, "`steps`: expected a whole number, 1 or more; received 2.5"),
        ({"steps": 1, "batch_size": 0}, "`batch_size`: expected a whole number, 1 or more; rec"),
        ({"steps": 1, "batch_size": -1}, "`batch_size`: expected a whole number, 1 or more; rec"),
        ({"steps": 1, "validation_batch_size": 0}, "`validation_batch_size`: expected a whole"),
        ({"steps": 1, "validation_steps": 0}, "`validation_steps`: expected a whole number"),
        ({"steps": 1, "validation_split": 0.1}, "Invalid argument `validation_split`"),
        ({"steps": 1, "shuffle": True}, "Invalid argument `shuffle`"),
    ],
)
def test_schedules_that_contradict_themselves_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        made().fit(Lines(), **({"batch_size": 2, "validation_data": Lines()} | options))


@pytest.mark.parametrize("method", ["evaluate", "predict"])
def test_no_batches_to_evaluate_are_refused(method):
    for options in ({"batch_size": 0}, {"steps": 0}):
        with pytest.raises(ValueError, match=f"`{min(options)}`: expected a whole number, 1 or"):
            getattr(made(), method)(Lines(), **options)


def test_fit_before_compile_is_refused_in_a_sentence():
    model = learner("cnp", maml.NormalHead(), 9)
    with pytest.raises(ValueError, match="fit expects a compiled learner: call compile"):
        model.fit(Lines(), steps=1)
    with pytest.raises(ValueError, match="evaluate expects a compiled learner"):
        model.evaluate(Lines())


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.zeros([2, 3]), {}, "`x`: expected a maml.TaskFamily.*received ndarray"),
        (tf.data.Dataset.from_tensors((1, 2)), {}, "expected a dataset of maml.Episode"),
        (EPISODE, {"batch_size": 2}, "Invalid argument `batch_size`"),
        (tf.data.Dataset.from_tensor_slices(EPISODE), {}, r"batches of tasks.*\[4, 1\].*x.batch"),
        (maml.Episode(*(part[0] for part in EPISODE)), {}, "expected batches of tasks"),
        (tf.data.Dataset.from_tensors(EPISODE).take(0), {}, "`x`: expected one batch or more"),
        (tf.data.Dataset.from_tensors(EPISODE).filter(lambda *_: False), {}, "one batch or more"),
    ],
)
def test_other_data_than_episodes_is_refused(x, options, message):
    with pytest.raises(ValueError, match=message):
        made().fit(x, **options)


@pytest.mark.parametrize(
    ("head", "dim", "message"),
    [
        (
            maml.CategoricalHead(3),
            1,
            r".*one-hot labels \[..., 3\].*tf.one_hot",
        ),
        (maml.CategoricalHead(4), 3, r".*one-hot labels \[..., 4\]; received \[4, 4, 3\]"),
        (maml.NormalHead(1), 3, r"NormalHead expects labels \[..., 1\].*NormalHead\(dim=...\)"),
        (maml.NormalHead(2), 1, r"NormalHead expects labels \[..., 2\]; received \[4, 4, 1\]"),
        (maml.GaussianHead(2), 1, r"GaussianHead expects labels \[..., 2\]"),
        (maml.CircularHead(1.0), 2, r"CircularHead expects labels \[..., 1\]"),
    ],
)
@pytest.mark.parametrize("kind", ["cnp", "maml"])
def test_labels_of_another_head_are_refused(kind, head, dim, message):
    support_y, query_y = (tf.repeat(part, dim, axis=-1) for part in EPISODE[1::2])
    episode = EPISODE._replace(support_y=support_y, query_y=query_y)
    model = learner(kind, head, 9)
    model.compile("adam", jit_compile=False)
    with pytest.raises(ValueError, match="Invalid shape of `support_y`: " + message):
        model.fit(episode, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.create_weights(episode)


@pytest.mark.parametrize(
    ("wrong", "built"),
    [([0.0, 0.0], False), ([1.0, 1.0], True), ([0.5, 0.5], False), ([2.0, -1.0], True)],
)
def test_labels_that_are_not_one_hot_are_refused_but_of_padding(wrong, built):
    """A class beyond their number is all zeros, of which the loss is 0."""
    one_hot = lambda y: tf.one_hot(tf.cast(y[..., 0] > 1, tf.int32), 2)  # noqa: E731
    good = EPISODE._replace(support_y=one_hot(EPISODE.support_y), query_y=one_hot(EPISODE.query_y))
    change = lambda y: tf.concat([y[:, :-1], tf.ones_like(y[:, :1]) * wrong], axis=1)  # noqa: E731
    model = learner("cnp", maml.CategoricalHead(2), 9)
    model.compile("adam", jit_compile=False)
    if built:
        model.create_weights(good)
    for name in ("support_y", "query_y"):
        bad = good._replace(**{name: change(getattr(good, name))})
        with pytest.raises(ValueError, match=f"Invalid value of `{name}`: CategoricalHead expects"):
            model.fit(bad, verbose=0)
        if not built:
            with pytest.raises(ValueError, match=f"Invalid value of `{name}`"):
                model.fit(tf.data.Dataset.from_tensors(bad), verbose=0)
    x, y, queries, _ = good
    with pytest.raises(
        ValueError, match="Invalid value of `support_y`: .* one 1 among zeros; rece"
    ):
        model.predict_episode(x, change(y), queries)
    mask = np.ones(y.shape[:2], bool)
    mask[:, -1] = False
    assert np.isfinite(model.predict_episode(x, change(y), queries, mask)).all()


def test_labels_of_another_head_are_refused_after_weights_are_made_too():
    model = made("maml")
    model.create_weights(EPISODE)
    wide = EPISODE._replace(query_y=tf.repeat(EPISODE.query_y, 2, axis=-1))
    with pytest.raises(ValueError, match="Invalid shape of `query_y`: NormalHead expects"):
        model.fit(wide, verbose=0)


def test_validation_is_on_the_same_episodes_in_every_epoch():
    model = made()
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)  # The weights stay.
    history = model.fit(
        Lines(), batch_size=4, steps=4, epochs=2, validation_data=Lines(), validation_steps=2,
        verbose=0,
    ).history  # fmt: skip
    first, second = history["val_mse"]
    assert first == second
    assert first != pytest.approx(history["mse"][0], rel=1e-3)  # Of other episodes than training's.
    expected = model.evaluate(Lines(), batch_size=4, steps=2, verbose=0, return_dict=True)
    assert first == pytest.approx(expected["mse"], rel=1e-6)


def test_scores_are_means_over_tasks_not_over_batches():
    parts = EPISODE._replace(query_y=EPISODE.query_y * tf.reshape([1.0, 1, 1, 9], [4, 1, 1]))
    data = tf.data.Dataset.from_tensor_slices(parts).batch(3)
    model = learner("cnp", maml.NormalHead(), 9)
    model.compile("adam", metrics={"own": lambda q, y: tf.abs(q.mean() - y), "mae": "mae"})
    found = model.evaluate(data, verbose=0, return_dict=True)
    errors = (model(parts) - parts.query_y).numpy()
    assert found["mse"] == pytest.approx((errors**2).mean(), rel=1e-5)
    assert found["loss"] == pytest.approx((errors**2).mean(), rel=1e-5)
    for name in ("own", "mae"):
        assert found[name] == pytest.approx(np.abs(errors).mean(), rel=1e-5)


def test_a_callback_that_restores_the_optimizer_late_is_refused(tmp_path):
    """It would repeat the first batches of a family without a word."""
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    for callbacks in (backup, [backup], keras.callbacks.CallbackList([backup])):
        with pytest.raises(ValueError, match="`callbacks`: BackupAndRestore is not supported"):
            made().fit(Lines(), batch_size=4, steps=2, callbacks=callbacks, verbose=0)


def test_methods_on_a_batch_are_those_on_an_episode():
    model, other = made(), made()
    history = other.fit(EPISODE, verbose=0).history
    logs = model.train_on_batch(EPISODE, return_dict=True)
    assert logs == {name: values[0] for name, values in history.items()}
    assert_same_weights(model, other)
    assert model.test_on_batch(EPISODE) == other.evaluate(EPISODE, verbose=0)
    np.testing.assert_array_equal(model.predict_on_batch(EPISODE), other(EPISODE))
    assert isinstance(model.train_on_batch(EPISODE), list)


# -- compile --------------------------------------------------------------------------------------


def test_loss_is_refused_with_the_argument_to_change():
    with pytest.raises(ValueError, match="`loss`: expected None.*received 'mse'.*`head`"):
        made().compile("adam", loss="mse")
    with pytest.raises(ValueError, match="`weighted_metrics`: expected None"):
        made().compile("adam", weighted_metrics=["mse"])
    with pytest.raises(ValueError, match="`loss`: expected None.*received 'mse'"):
        made().compile("adam", "mse")


@pytest.mark.parametrize(
    "metric", ["accuracy", "acc", "categorical_accuracy", maml.accuracy, maml.ACCURACY]
)
@pytest.mark.parametrize("head", [maml.NormalHead(), maml.CircularHead(1.0)])
def test_metrics_of_classes_are_refused_where_labels_are_numbers(head, metric):
    with pytest.raises(ValueError, match="expected metrics of numbers, which a .*Head predicts"):
        learner("cnp", head, 9).compile("adam", metrics=[metric])
    learner("cnp", maml.CategoricalHead(2), 9).compile("adam", metrics=[metric])


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ("mae", "`metrics`: expected a list or a dictionary; received 'mae'"),
        (keras.metrics.MeanAbsoluteError(), "`metrics`: expected a list or a dictionary"),
        (["mae", "mae"], "`metrics`: expected each once; received 'mae' twice"),
    ],
)
def test_metrics_that_are_no_list_or_have_one_name_are_refused(metrics, message):
    with pytest.raises(ValueError, match=message):
        learner("cnp", maml.NormalHead(), 9).compile("adam", metrics=metrics)


def test_an_optimizer_of_its_own_for_each_player_is_expected():
    with pytest.raises(ValueError, match="`optimizer`: expected an optimizer.*received None"):
        made().compile(None)
    optimizer = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="`critic_optimizer`: expected another optimizer"):
        made().compile(optimizer, critic_optimizer=optimizer)


@pytest.mark.parametrize("bound", [None, "ba", "plugin", "mine"])
def test_an_optimizer_of_critics_is_for_learners_that_have_one(bound):
    terms = [maml.LabelMI(maml.LabelScale(), bound)] if bound else []
    model = learner("cnp", maml.NormalHead(), 9, terms)
    told = "no regularizer .* has a critic .*label_mi, .*prediction_mi.* with bound=mine"
    expected = (
        contextlib.nullcontext() if bound == "mine" else pytest.raises(ValueError, match=told)
    )
    with expected:
        model.compile("adam", critic_optimizer="adam")


def test_metrics_are_functions_of_the_prediction_or_keras_metrics():
    model = learner("cnp", maml.NormalHead(), 9)
    metrics = {
        "absolute": lambda prediction, y: tf.abs(prediction.mean() - y),
        "keras": keras.metrics.MeanAbsoluteError(),
    }
    model.compile("adam", metrics=metrics, jit_compile=False)
    history = model.fit(Lines(), batch_size=4, steps=2, verbose=0).history
    assert np.isfinite(history["absolute"]).all()
    assert history["absolute"] == pytest.approx(history["keras"], rel=1e-6)
    found = model.evaluate(EPISODE, verbose=0, return_dict=True)
    expected = np.abs(model(EPISODE) - EPISODE.query_y).mean()
    assert found["absolute"] == pytest.approx(expected, rel=1e-6)
    assert found["keras"] == pytest.approx(expected, rel=1e-6)


def test_names_of_keras_metrics_work_and_taken_names_are_refused():
    model = learner("cnp", maml.NormalHead(), 9)
    model.compile("adam", metrics=["mae"], jit_compile=False)
    expected = np.abs(model(EPISODE) - EPISODE.query_y).mean()
    assert model.evaluate(EPISODE, verbose=0, return_dict=True)["mae"] == pytest.approx(expected)
    with pytest.raises(ValueError, match="'mse' is logged anyway"):
        model.compile("adam", metrics=["mse"])


def test_skipped_steps_do_not_count_in_metrics():
    model = learner("cnp", maml.NormalHead(), 9)
    metrics = {"own": lambda prediction, y: tf.abs(y), "keras": keras.metrics.MeanAbsoluteError()}
    model.compile("adam", metrics=metrics, jit_compile=False)
    bad = EPISODE._replace(query_y=EPISODE.query_y * np.nan)
    data = tf.data.Dataset.from_tensors(bad).concatenate(tf.data.Dataset.from_tensors(EPISODE))
    history = model.fit(data, verbose=0).history
    assert history["skipped_steps"] == [1]
    assert history["own"] == pytest.approx([np.abs(EPISODE.query_y).mean()])
    assert np.isfinite(history["keras"]).all()


def test_the_loss_of_an_epoch_without_a_step_that_counts_is_not_0():
    model = learner("cnp", maml.NormalHead(), 9)
    model.compile("adam", jit_compile=False)
    bad = EPISODE._replace(query_y=EPISODE.query_y * np.nan)
    with pytest.warns(UserWarning, match="1 of 1 training step .100%. was skipped"):
        assert np.isnan(model.train_on_batch(bad, return_dict=True)["loss"])
    assert np.isfinite(model.train_on_batch(EPISODE, return_dict=True)["loss"])


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), "LossScaleOptimizer"),
        (keras.optimizers.Adam(gradient_accumulation_steps=2), "gradient_accumulation_steps=2"),
        (keras.optimizers.Adam(use_ema=True), "use_ema=True"),
    ],
)
@pytest.mark.parametrize("of_critic", [False, True])
def test_optimizers_that_a_step_would_misuse_are_refused(optimizer, message, of_critic):
    model = learner("cnp", maml.NormalHead(), 9, [maml.LabelMI(maml.LabelScale(), "mine")])
    model.create_weights(EPISODE)
    with pytest.raises(ValueError, match=message):
        model.compile(
            "adam" if of_critic else optimizer, critic_optimizer=optimizer if of_critic else None
        )


def test_averaged_weights_are_those_of_the_optimizer_without_a_critic():
    model = learner("cnp", maml.NormalHead(), 9)
    model.compile(keras.optimizers.SGD(1e-2, use_ema=True, ema_momentum=0.5), jit_compile=False)
    model.fit(Lines(), batch_size=4, steps=3, verbose=0)
    averages = model.optimizer._model_variables_moving_average
    for variable, average in zip(model.learner_variables, averages, strict=True):
        np.testing.assert_array_equal(variable, average)


# -- predict, adapt, decode -----------------------------------------------------------------------


def test_predict_gives_expected_labels_of_episodes_datasets_and_families():
    model = made()
    model.fit(Lines(), batch_size=4, steps=2, verbose=0)
    expected = model(EPISODE)
    np.testing.assert_allclose(model.predict(EPISODE, verbose=0), expected, rtol=1e-6)
    data = Lines().dataset(4, seed=model.seed, start=EVALUATION_START).take(3)
    stacked = np.concatenate([model(episode) for episode in data])
    np.testing.assert_allclose(model.predict(data, verbose=0), stacked, rtol=1e-5, atol=1e-6)
    found = model.predict(Lines(), batch_size=4, steps=3, verbose=0)
    np.testing.assert_allclose(found, stacked, rtol=1e-5, atol=1e-6)
    assert model.predict(Lines(), batch_size=4, verbose=0).shape == (40, 3, 1)


@pytest.mark.parametrize("kind", ["maml", "cnp", "acnp", "relative-cnp"])
def test_adapt_and_decode_and_predict_episode_need_no_query_labels(kind):
    model, raw = learner(kind, maml.NormalHead(), 9), [part.numpy() for part in EPISODE]
    model.create_weights(EPISODE)
    expected = model(EPISODE)
    found = model.predict_episode(*raw[:3])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    state = model.adapt(*raw[:2])
    prediction = model.decode(state, model.features(EPISODE.query_x))
    np.testing.assert_allclose(prediction.mean(), expected, rtol=1e-6)
    assert prediction.log_prob(EPISODE.query_y).shape == (4, 3)


def test_arrays_without_an_axis_of_tasks_are_refused():
    model = learner("cnp", maml.NormalHead(), 9)
    model.create_weights(EPISODE)
    x, y, queries, _ = EPISODE
    with pytest.raises(ValueError, match=r"`support_x`: expected \[tasks, shots, 9\]; received"):
        model.adapt(x[0], y[0])
    with pytest.raises(ValueError, match=r"`query_x`: expected \[tasks, queries, 9\]"):
        model.predict_episode(x, y, queries[..., :2])


@pytest.mark.parametrize("built", [True, False])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"support_y": EPISODE.support_y[:, :2]},
         r"`support_y`: expected the tasks and shots of support_x, \[4, 4\]; received \[4, 2\]"),
        ({"support_y": EPISODE.support_y[:2]}, r"`support_y`: expected .*; received \[2, 4\]"),
        ({"query_x": EPISODE.query_x[:3]},
         r"`query_x`: expected the tasks of support_x, \[4\]; received \[3\]"),
        ({"support_mask": np.ones([4, 3])}, r"`support_mask`: expected .*; received \[4, 3\]"),
        ({"support_mask": np.ones([4])}, r"`support_mask`: expected .*; received \[4\]"),
        ({"support_mask": np.tri(4, k=-1)}, "one real shot or more.*received none of task 0"),
        ({"support_x": EPISODE.support_x[:, :0], "support_y": EPISODE.support_y[:, :0]},
         r"`support_x`: expected one shot or more; received \[4, 0, 9\]"),
    ],
)  # fmt: skip
def test_parts_of_other_episodes_are_refused(built, changes, message):
    model = learner("maml", maml.NormalHead(), 9)
    if built:
        model.create_weights(EPISODE)
    parts = EPISODE._asdict() | changes
    del parts["query_y"]
    with pytest.raises(ValueError, match=message):
        model.predict_episode(**parts)


def test_predict_episode_makes_weights_of_any_number_of_queries():
    x, y, queries, _ = EPISODE
    assert learner("maml", maml.NormalHead(), 9).predict_episode(x, y, queries).shape == (4, 3, 1)


# -- export ---------------------------------------------------------------------------------------

LOAD = """
import sys
import numpy as np
import tensorflow as tf

for folder in sys.argv[2:]:
    parts = np.load(sys.argv[1])
    served = tf.saved_model.load(folder).signatures["serving_default"]
    found = served(**{name: tf.constant(parts[name]) for name in parts.files})
    np.savez(folder + ".npz", **{name: value.numpy() for name, value in found.items()})
assert not {"maml", "mine", "keras"} & set(sys.modules) - {"keras"}, "more than TensorFlow"
"""


EXPORTED = ("maml", "maml-map_fn", "imaml", "cnp", "acnp", "relative-cnp")
# Other numbers of tasks, shots and queries than learners are exported with.
OTHER = Lines(shots=6, queries=5).sample(3, [1, 1])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Kind of learner -> it, and what its export answers in a process without this library."""
    folder, models = tmp_path_factory.mktemp("exported"), {}
    for kind in EXPORTED:
        models[kind] = learner(kind, maml.NormalHead(scale=0.5), 9)
        models[kind].create_weights(EPISODE)
        models[kind].export(folder / kind, samples=200)
    raw = {name: getattr(OTHER, name).numpy() for name in maml.Episode._fields[:3]}
    np.savez(folder / "raw.npz", **raw)
    files = [folder / "raw.npz", *(folder / kind for kind in EXPORTED)]
    subprocess.run([sys.executable, "-c", LOAD, *map(str, files)], check=True, cwd=folder,
                   env={"TF_CPP_MIN_LOG_LEVEL": "3", "PATH": ""})  # fmt: skip
    return {kind: (models[kind], np.load(folder / f"{kind}.npz")) for kind in EXPORTED}


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXPORTED)
def test_exported_learner_predicts_where_there_is_only_tensorflow(kind, served):
    model, found = served[kind]
    np.testing.assert_allclose(found["mean"], model(OTHER), rtol=1e-4, atol=1e-5)
    samples = found["samples"]
    assert samples.shape == (200, 3, 5, 1)
    np.testing.assert_allclose(samples.mean(0), found["mean"], atol=0.2)
    assert np.std(samples - found["mean"]) == pytest.approx(0.5, rel=0.1)


def test_export_without_weights_is_refused(tmp_path):
    with pytest.raises(ValueError, match="export expects a learner with weights"):
        learner("cnp", maml.NormalHead(), 9).export(tmp_path / "model")


# -- constructors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *((lambda rate=rate: learner("maml", maml.NormalHead(), 9, inner_lr=rate),
           "`inner_lr`: expected a finite number, 0 or more; received")
          for rate in (np.nan, np.inf, -1.0, "0.1")),
        *((lambda clip=clip: learner("maml", maml.NormalHead(), 9, inner_clip=clip),
           "`inner_clip`: expected a finite number above 0; received") for clip in (0, -1, np.nan)),
        (lambda: learner("maml", maml.NormalHead(), 9, inner_batch_size=2.5), "`inner_batch_size`"),
        *((lambda value=value: maml.MatchingNetwork(None, maml.CategoricalHead(2), value),
           "`temperature`: expected a finite number above 0") for value in (0, -1.0)),
        (lambda: maml.AttentiveCNP(perceptron(9, 6), maml.NormalHead(), heads=0),
         "`heads`: expected a whole number, 1 or more; received 0"),
        *((lambda scale=scale: maml.NormalHead(scale=scale), "`scale`: expected a finite number ab")
          for scale in (0, -1.0, np.nan)),
        *((lambda pair=pair: maml.NormalHead(bounds=pair), r"`bounds`: expected \(low, high\)")
          for pair in ((1,), (1, 2, 3), (2, 1), (1, 1), 3.0, (0, np.inf), (None, 1))),
        (lambda: maml.NormalHead(0), "`dim`: expected a whole number, 1 or more; received 0"),
        (lambda: maml.GaussianHead(min_scale=np.nan), "`min_scale`: expected a finite number"),
        (lambda: maml.CategoricalHead(0), "`classes`: expected a whole number"),
        (lambda: maml.CircularHead(0.0), "`period`: expected a finite number above 0"),
        (lambda: maml.VonMisesHead(1.0, 0), "`harmonics`: expected a whole number"),
    ],
)  # fmt: skip
def test_values_without_a_meaning_are_refused_at_construction(make, message):
    with pytest.raises(ValueError, match=message):
        make()
