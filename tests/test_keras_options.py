"""Each option of Keras' compile, optimizers, layers and callbacks is served, or refused at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from marks import exhaustive
from toys import Lines, learner, perceptron

import maml
from maml.learners.training import executions

EPISODE = Lines().sample(4, [5, 7])
SGD, callbacks, schedules = keras.optimizers.SGD, keras.callbacks, keras.optimizers.schedules


def compiled(optimizer, kind="cnp", regularizers=(), **options):
    model = learner(kind, maml.NormalHead(), 9, regularizers)
    model.compile(optimizer, **({"jit_compile": False} | options))
    return model


def trained(optimizer, steps=4, epochs=1, callbacks=(), **options):
    model = compiled(optimizer, **options)
    model.fit(
        Lines(), batch_size=4, steps=steps, epochs=epochs, callbacks=list(callbacks), verbose=0
    )
    return model


def weights(model):
    return np.concatenate([v.numpy().ravel() for v in model.learner_variables])


def gradient(model, batch):
    """The gradient of the loss of one batch of the family, for each variable."""
    episode = next(iter(Lines().dataset(4, seed=model.seed, start=batch)))
    with tf.GradientTape() as tape:
        loss = model.objective(episode, [0, 0], training=True)[0]
    return [g.numpy() for g in tape.gradient(loss, model.learner_variables)]


def descended(rule, steps=3):
    """Weights after steps by NumPy: ``rule(step, weights, gradients) -> weights`` of each."""
    model = compiled(SGD())
    model._make_weights(Lines())
    for step in range(steps):
        values = [v.numpy() for v in model.learner_variables]
        values = rule(step, values, gradient(model, step))
        for variable, value in zip(model.learner_variables, values, strict=True):
            variable.assign(value)
    return weights(model)


# -- optimizers -----------------------------------------------------------------------------------


def by(rate, change=lambda gradients: gradients, decay=lambda value: 0):
    """A rule of :func:`descended`: gradients are changed, then descended at a rate."""
    return lambda step, values, gradients: [
        v - rate(step) * (g + decay(v)) for v, g in zip(values, change(gradients), strict=True)
    ]


def norm(values):
    return np.sqrt(sum((np.asarray(v) ** 2).sum() for v in values))


@pytest.mark.parametrize(
    ("optimizer", "rule"),
    [
        (SGD(0.05), by(lambda _: 0.05)),
        (SGD(0.05, clipvalue=0.01),
         by(lambda _: 0.05, lambda gs: [g.clip(-0.01, 0.01) for g in gs])),
        (SGD(0.05, clipnorm=0.1),
         by(lambda _: 0.05, lambda gs: [g * min(1, 0.1 / norm([g])) for g in gs])),
        (SGD(0.05, global_clipnorm=0.1),
         by(lambda _: 0.05, lambda gs: [g * min(1, 0.1 / norm(gs)) for g in gs])),
        (SGD(0.05, weight_decay=0.5), by(lambda _: 0.05, decay=lambda v: 0.5 * v)),
        (SGD(schedules.PiecewiseConstantDecay([0, 1], [0.05, 0.02, 0.01])),
         by([0.05, 0.02, 0.01].__getitem__)),
    ],
    ids=["plain", "clipvalue", "clipnorm", "global_clipnorm", "weight_decay", "schedule"],
)  # fmt: skip
def test_an_option_of_the_optimizer_does_what_it_says(optimizer, rule):
    np.testing.assert_allclose(
        weights(trained(optimizer, 3)), descended(rule), rtol=1e-4, atol=1e-6
    )


def test_what_is_excluded_from_weight_decay_does_not_decay():
    optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    plain, decayed = compiled(keras.optimizers.AdamW(0.1, weight_decay=0.0)), compiled(optimizer)
    for model in (plain, decayed):
        model.create_weights(EPISODE)
        for variable in model.learner_variables:
            variable.assign_add(tf.ones_like(variable))
        before = [v.numpy() for v in model.learner_variables]
        model.fit(EPISODE, verbose=0)
    for without, value, old in zip(
        plain.learner_variables, decayed.learner_variables, before, strict=True
    ):
        expected = without - (0 if "bias" in value.name else 0.1 * 0.5 * old)
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)


REFUSED = {
    "LossScaleOptimizer": lambda: keras.optimizers.LossScaleOptimizer(SGD(0.05)),
    "loss_scale_factor=1024": lambda: SGD(0.05, loss_scale_factor=1024.0),
    "gradient_accumulation_steps=2": lambda: SGD(0.05, gradient_accumulation_steps=2),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_optimizer_that_would_learn_nothing_or_count_skipped_steps_is_refused(what):
    with pytest.raises(ValueError, match=f"Invalid optimizer: {what}.* is not supported, since"):
        compiled(REFUSED[what]())
    with pytest.raises(ValueError, match=f"Invalid optimizer: {what}.* is not supported, since"):
        compiled("adam", critic_optimizer=REFUSED[what]())


@pytest.mark.parametrize("given", ["foo", 3, keras.optimizers.Adam, tf.optimizers, None])
def test_what_is_no_optimizer_is_refused(given):
    with pytest.raises(ValueError, match="`optimizer`: expected an optimizer or its name; rec"):
        compiled(given)
    if given is not None:
        with pytest.raises(ValueError, match="`critic_optimizer`: expected an optimizer or its na"):
            compiled("adam", critic_optimizer=given)


# -- compile --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps_per_execution": 0}, "`steps_per_execution`: expected a whole number, 1 or more"),
        ({"steps_per_execution": 2.5}, "`steps_per_execution`: expected a whole number, 1 or more"),
        ({"steps_per_execution": "all"}, "`steps_per_execution`: expected a whole number"),
        ({"jit_compile": "yes"}, "`jit_compile`: expected True, False or 'auto'; received 'yes'"),
        ({"jit_compile": True, "run_eagerly": True}, "`jit_compile`: expected .* run_eagerly=True"),
        ({"auto_scale_loss": True}, "`auto_scale_loss`: expected False"),
        ({"loss_weights": [1.0]}, "`loss_weights`: expected None"),
        ({"sample_weight_mode": "temporal"}, "Unknown argument `sample_weight_mode` of compile"),
    ],
)
def test_arguments_of_compile_without_an_effect_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        compiled("adam", **options)


@pytest.mark.parametrize("kind", ["cnp", "maml"])
def test_steps_run_as_plain_python_if_asked_for(kind):
    model, steps = compiled(SGD(0.05), kind, run_eagerly=True, jit_compile="auto"), []
    forward = model.forward
    model.forward = lambda *given, **named: steps.append(
        tf.executing_eagerly()
    ) or forward(*given, **named)  # fmt: skip
    model.fit(EPISODE, verbose=0)
    steps.clear()
    model.fit(Lines(), batch_size=4, steps=3, verbose=0)
    assert steps == [True] * 3
    expected = compiled(SGD(0.05), kind)
    expected.fit(EPISODE, verbose=0)
    expected.fit(Lines(), batch_size=4, steps=3, verbose=0)
    np.testing.assert_allclose(weights(model), weights(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{}, pytest.param({"kind": "maml", "jit_compile": True}, marks=pytest.mark.slow)],
    ids=["cnp", "maml-xla"],
)
def test_several_steps_in_one_execution_are_the_same_steps(options):
    one, several = (trained(SGD(0.05), 4, **options, steps_per_execution=n) for n in (1, "auto"))
    assert several.steps_per_execution == 4
    np.testing.assert_array_equal(weights(one), weights(several))


class StepByStep(callbacks.Callback):
    """Keeps the numbers of the steps after which it is called."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(batch)


def test_steps_are_looped_over_unless_somebody_looks_at_them():
    model, each = compiled(SGD(0.05)), StepByStep()
    plans = [({"steps": 60}, 20), ({"steps": 30}, 10), ({"steps": 7}, 1)]
    for options, expected in [*plans, ({"steps": 4, "callbacks": [each]}, 1)]:
        model.fit(Lines(), batch_size=4, verbose=0, **options)
        assert model.steps_per_execution == expected
    assert each.steps == [0, 1, 2, 3] and int(model.optimizer.iterations) == 101
    model.fit(Lines().dataset(4, 0).take(6), verbose=0)
    assert model.steps_per_execution == 1 and int(model.optimizer.iterations) == 107


def test_what_was_traced_for_another_number_of_steps_is_kept():
    model = compiled(SGD(0.05))
    model.create_weights(EPISODE)
    traced, forward = [], model.forward
    model.forward = lambda *args, **kwargs: traced.append(0) or forward(*args, **kwargs)
    for steps in (20, 7, 20, 7):
        model.fit(Lines(), batch_size=4, steps=steps, verbose=0)
    assert len(traced) == 2


@pytest.mark.parametrize(
    ("inputs", "options", "expected"),
    [
        ([4, 5, 2], {}, 20),
        ([4, 5, 28, 28, 1], {}, 1),
        ([4, 5, 2], {"on_policy": True}, 1),
        ([4, 5, 2], {"replicas": 2}, 1),
    ],
)
def test_steps_are_looped_over_on_vectors_only(inputs, options, expected):
    assert executions.at_once(tf.TensorSpec(inputs), 40, **options) == expected


def test_steps_are_never_rounded_up_to_whole_executions():
    model = compiled(SGD(0.05), steps_per_execution=4)
    for schedule in ({"steps": 6}, {"steps": 8, "epochs": 4}, {"steps_per_epoch": 3}):
        with pytest.raises(ValueError, match="a multiple of the steps_per_execution=4 of compile"):
            model.fit(Lines(), batch_size=4, verbose=0, **schedule)
    model.fit(Lines().dataset(4, 0).take(6), verbose=0)  # What ends has no remainder.
    assert int(model.optimizer.iterations) == 6
    found = model.evaluate(Lines(), batch_size=4, steps=3, verbose=0, return_dict=True)
    expected = compiled("adam")
    expected.create_weights(EPISODE)
    expected.set_weights(model.get_weights())
    assert found["mse"] == pytest.approx(
        expected.evaluate(Lines(), batch_size=4, steps=3, verbose=0, return_dict=True)["mse"]
    )


# -- metrics --------------------------------------------------------------------------------------


def scores(head, labels, metric):
    """What a metric says of a learner with a head, its predictions and labels [n, dim]."""
    model = learner("cnp", head, 9)
    episode = EPISODE._replace(support_y=labels(EPISODE.support_y), query_y=labels(EPISODE.query_y))
    model.compile("adam", metrics={"found": metric}, jit_compile=False)
    found = model.evaluate(episode, verbose=0, return_dict=True)["found"]
    dim = episode.query_y.shape[-1]
    return found, model(episode).numpy().reshape(-1, dim), episode.query_y.numpy().reshape(-1, dim)


def classes(y):
    return tf.one_hot(tf.cast(y[..., 0] > 1, tf.int32), 2)


@pytest.mark.parametrize("metric", ["r2_score", "R2Score", keras.metrics.R2Score()])
def test_a_metric_of_examples_takes_the_queries_of_all_tasks(metric):
    found, mean, y = scores(maml.NormalHead(), lambda y: y, metric)
    expected = 1 - ((y - mean) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert found == pytest.approx(expected, rel=1e-4)


def test_metrics_of_classes_take_one_hot_labels():
    found, mean, y = scores(maml.CategoricalHead(2), classes, keras.metrics.F1Score("micro"))
    assert found == pytest.approx((mean.argmax(1) == y.argmax(1)).mean(), rel=1e-5)
    found, mean, y = scores(maml.CategoricalHead(2), classes, "categorical_crossentropy")
    assert found == pytest.approx(-np.log((mean * y).sum(1)).mean(), rel=1e-4)


METRICS_OF_CLASSES = (
    "AUC", "auc", "F1Score", "binary_accuracy", "sparse_categorical_accuracy", "hinge",
    "categorical_crossentropy", keras.metrics.MeanIoU(2), keras.metrics.Precision(),
    keras.metrics.RecallAtPrecision(0.5), keras.metrics.OneHotIoU(2, [0]),
)  # fmt: skip


@pytest.mark.parametrize("metric", METRICS_OF_CLASSES, ids=str)
def test_no_metric_of_classes_is_taken_for_numbers(metric):
    with pytest.raises(ValueError, match="expected metrics of numbers, which a NormalHead predict"):
        compiled("adam", metrics=[metric])


@pytest.mark.parametrize(
    "metric",
    ["sparse_categorical_accuracy", "SparseTopKCategoricalAccuracy", keras.metrics.Accuracy(),
     keras.metrics.MeanIoU(2)],
    ids=str,
)  # fmt: skip
def test_no_metric_of_class_numbers_is_taken_for_one_hot_labels(metric):
    model = learner("cnp", maml.CategoricalHead(2), 9)
    with pytest.raises(ValueError, match="expected metrics of one-hot labels.*Use 'accuracy'"):
        model.compile("adam", metrics=[metric])
    model.compile("adam", metrics=[keras.metrics.OneHotMeanIoU(2)])


@pytest.mark.parametrize(
    "metric",
    ["foo", 3, keras.metrics.Mean(), keras.metrics.Sum(), keras.metrics.MeanAbsoluteError,
     keras.losses.MeanAbsoluteError(), keras.metrics.mean_absolute_error],
    ids=["no name", "a number", "mean", "sum", "a class", "a loss", "a function"],
)  # fmt: skip
def test_what_is_no_metric_of_labels_and_predictions_is_refused(metric):
    with pytest.raises(ValueError, match="`metrics`: expected a function .*; received .*Use 'mae'"):
        compiled("adam", metrics={"own": metric})


# -- precision and frozen layers ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["cnp", "maml"])
def test_networks_of_half_precision_without_the_range_of_numbers_do_not_train(kind):
    """Their gradients become zero one after another, without a word."""
    layers = [keras.layers.Dense(5, "tanh"), keras.layers.Dense(6 if kind == "cnp" else 1)]
    layers[0].dtype_policy = keras.DTypePolicy("mixed_float16")
    network = keras.Sequential([keras.Input((9,)), *layers])
    model = maml.LEARNERS.make(kind, network, maml.NormalHead())
    model.create_weights(EPISODE)
    assert np.isfinite(model(EPISODE)).all()
    with pytest.raises(ValueError, match="expected float32 or mixed_bfloat16.*mixed_float16"):
        model.compile("adam")
    with pytest.raises(ValueError, match="expected float32 or mixed_bfloat16"):
        model = maml.LEARNERS.make(kind, network, maml.NormalHead())
        model.compile("adam")
        model.fit(EPISODE, verbose=0)


@pytest.mark.parametrize(
    "kind", ["cnp", "maml", *(pytest.param(k, marks=pytest.mark.slow) for k in ("anil", "imaml"))]
)
def test_a_layer_that_is_frozen_before_keeps_its_weights(kind):
    network = perceptron(9, 6 if kind == "cnp" else 1)
    network.layers[0].trainable = False
    model = maml.LEARNERS.make(kind, network, maml.NormalHead())
    before = [v.numpy() for v in network.layers[0].weights + network.layers[1].weights]
    model.compile(SGD(0.05), jit_compile=False)
    model.fit(EPISODE, verbose=0)
    after = [v.numpy() for v in network.layers[0].weights + network.layers[1].weights]
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed[:2] == [False, False] and any(changed[2:])


@pytest.mark.parametrize(
    "kind", ["maml", *(pytest.param(k, marks=pytest.mark.slow) for k in ("metasgd", "imaml"))]
)
@pytest.mark.parametrize("made", [True, False])
def test_what_adapts_is_not_changed_by_freezing_a_layer_later(kind, made):
    network = perceptron(9, 1)
    model = maml.LEARNERS.make(kind, network, maml.NormalHead())
    model.compile(SGD(0.05), jit_compile=False)
    if made:
        model.create_weights(EPISODE)
    network.layers[0].trainable = False
    with pytest.raises(ValueError, match="layers .* trainable changed .*Make the learner anew"):
        model.fit(EPISODE, verbose=0)
    network.layers[0].trainable = True
    model.compile(SGD(0.05), jit_compile=False)
    model.fit(EPISODE, verbose=0)


# -- callbacks ------------------------------------------------------------------------------------


def validated(optimizer, epochs, given=()):
    model = compiled(optimizer)
    history = model.fit(
        Lines(), batch_size=4, steps_per_epoch=2, epochs=epochs, validation_data=Lines(),
        validation_steps=1, verbose=0, callbacks=list(given),
    ).history  # fmt: skip
    return model, history


@pytest.mark.slow
def test_early_stopping_restores_the_weights_of_the_best_epoch():
    stop = callbacks.EarlyStopping("val_mse", mode="min", patience=1, restore_best_weights=True)
    model, history = validated(SGD(0.3), 8, [stop])
    best = int(np.argmin(history["val_mse"]))
    assert len(history["val_mse"]) == best + 2 < 8
    np.testing.assert_array_equal(weights(model), weights(validated(SGD(0.3), best + 1)[0]))


@pytest.mark.slow
def test_callbacks_set_the_learning_rate():
    by_epoch = callbacks.LearningRateScheduler(lambda epoch: 0.05 if epoch < 2 else 0.0)
    half = weights(validated(SGD(0.05), 2)[0])
    np.testing.assert_array_equal(weights(validated(SGD(1.0), 4, [by_epoch])[0]), half)
    # All epochs are worse than no loss at all, so the second one lowers the rate to nothing.
    plateau = callbacks.ReduceLROnPlateau(
        "val_mse", mode="min", min_delta=1e6, patience=1, factor=0.0
    )
    np.testing.assert_array_equal(weights(validated(SGD(0.05), 4, [plateau])[0]), half)


@pytest.mark.slow
@pytest.mark.parametrize("each_epoch", [False, *exhaustive(True)])
def test_averaged_weights_can_be_swapped_in(each_epoch):
    optimizer = SGD(0.05, use_ema=True, ema_momentum=0.5)
    model, _ = validated(optimizer, 2, [callbacks.SwapEMAWeights(each_epoch)])
    steps = [descended(by(lambda _: 0.05), steps=n) for n in (1, 2, 3, 4)]
    average = steps[0]
    for step in steps[1:]:
        average = 0.5 * average + 0.5 * step
    np.testing.assert_allclose(weights(model), average, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_run_on_a_dataset_goes_on_from_its_backup(tmp_path):
    data = Lines().dataset(4, 0).take(2)

    def run(*given):
        model = learner("cnp", maml.NormalHead(), 9, [maml.LabelMI(maml.LabelScale(), "mine")])
        model.compile(
            keras.optimizers.Adam(0.05), critic_optimizer=keras.optimizers.Adam(0.05),
            jit_compile=False,
        )  # fmt: skip
        model.fit(data, epochs=4, verbose=0, callbacks=list(given))
        return model

    class Cut(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole = run()
    with pytest.raises(KeyboardInterrupt):
        run(callbacks.BackupAndRestore(tmp_path), Cut())
    again = run(callbacks.BackupAndRestore(tmp_path))
    for one, other in zip(whole.variables, again.variables, strict=True):
        if "skipped" not in one.path and one.trainable:
            np.testing.assert_array_equal(one, other)
