"""Training steps compiled by XLA, with the tasks vectorised: the same numbers, compiled once."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from hands import tiny
from marks import exhaustive
from toys import Lines, learner

import maml
from maml.learners.training import xla
from maml.regularizers.base import Regularizer

pytestmark = pytest.mark.usefixtures("xla")


def trained(kind, jit_compile, at_once="auto"):
    model = learner(kind, maml.NormalHead(), 9, **({"depth": 1} if kind == "tnp" else {}))
    model.create_weights(Lines().sample(3, [0, 0]))
    model.compile(keras.optimizers.Adam(0.01), jit_compile=jit_compile, steps_per_execution=at_once)
    history = model.fit(Lines().dataset(3, seed=0), steps_per_epoch=4, epochs=2, verbose=0).history
    return model, history


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["maml", "imaml", *exhaustive("maml++"), "tnp"])
def test_steps_by_xla_are_the_same_steps(kind):
    """Where nothing random is drawn: XLA draws other numbers from the same seeds."""
    (ours, history), (plain, expected) = trained(kind, "auto"), trained(kind, False)
    assert ours.prefers_xla and len(ours._compiled_steps) == 1 and not plain._compiled_steps
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-3, atol=1e-5)
    for one, other in zip(ours.trainable_variables, plain.trainable_variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_step_is_compiled_once():
    """Traced inside of XLA, every step would be compiled anew: see xla.CompiledStep."""
    model, _ = trained("maml", "auto", at_once=1)
    (step,) = (of.once for of in model._compiled_steps.values())
    assert step.experimental_get_tracing_count() == 1
    graph = step.get_concrete_function(Lines().sample(3, [0, 0])).graph
    # What is a constant to the compiler must not be a weight.
    nested = [op for op in graph.get_operations() if "Partitioned" in op.type]
    assert len(nested) == 1
    model.fit(Lines().dataset(3, seed=1), steps_per_epoch=2, verbose=0)
    assert step.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("kind", ["maml", pytest.param("tnp", marks=pytest.mark.slow)])
def test_steps_in_a_loop_are_single_steps(kind):
    (looped, history), (single, expected) = trained(kind, "auto"), trained(kind, "auto", at_once=1)
    assert list(history) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5, err_msg=name)
    assert looped.optimizer.iterations == single.optimizer.iterations == 8
    for one, other in zip(looped.variables, single.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6, err_msg=one.path)


def small():
    """A MAML that learns in a moment."""
    network = keras.Sequential([keras.Input((9,)), keras.layers.Dense(1)])
    return maml.MAML(network, maml.NormalHead())


def test_a_loop_is_compiled_once_and_needs_data_without_end():
    model, _ = trained("maml", "auto")
    (step,) = model._compiled_steps.values()
    loop = step._loops[4]
    model.fit(Lines().dataset(3, seed=1), steps_per_epoch=8, epochs=2, verbose=0)
    assert list(step._loops) == [4] and loop.experimental_get_tracing_count() == 1
    assert not step.once.experimental_get_tracing_count()
    model.fit(Lines().dataset(3, seed=1).take(6), steps_per_epoch=6, verbose=0)
    assert model.optimizer.iterations == 8 + 16 + 6
    assert step.once.experimental_get_tracing_count() == 1


def test_a_loop_has_any_number_of_steps_whose_batches_fit_in_memory(monkeypatch):
    model = small()
    model.compile("adam", steps_per_execution=50)
    model.fit(Lines(), batch_size=3, steps=50, verbose=0)
    (step,) = model._compiled_steps.values()
    assert list(step._loops) == [50] and model.optimizer.iterations == 50
    monkeypatch.setattr(xla, "MOST_BYTES", 100)
    model.compile("adam", steps_per_execution=50)
    model.fit(Lines(), batch_size=3, steps=50, verbose=0)
    (step,) = model._compiled_steps.values()
    assert not step._loops and model.optimizer.iterations == 50


class ByPolicy(Lines):
    """Each batch depends on the learner, so none may be drawn ahead."""

    on_policy = True


def test_steps_on_tasks_of_policies_are_single_ones():
    model, tasks = small(), ByPolicy()
    model.compile("adam", steps_per_execution=4)
    with pytest.raises(ValueError, match="expected 1 or 'auto' for a policy.*received 4"):
        model.fit(tasks, batch_size=3, steps=4, verbose=0)
    for at_once in (1, "auto"):
        model.compile("adam", jit_compile=True, steps_per_execution=at_once)
        model.fit(tasks, batch_size=3, steps=4, verbose=0)
        (step,) = model._compiled_steps.values()
        assert not step._loops and model.optimizer.iterations == 4


@pytest.mark.parametrize("of", ["class", "learner"])
def test_train_steps_of_users_are_not_looped_over(of):
    calls, model = [], small()
    plain = maml.MAML.train_step

    def train_step(learner, episode):
        calls.append(episode)
        return plain(learner, episode)

    if of == "class":
        model.__class__ = type("Own", (maml.MAML,), {"train_step": train_step})
    else:
        model.train_step = types.MethodType(train_step, model)
    model.compile("adam", jit_compile=True, steps_per_execution=4)
    model.fit(Lines(), batch_size=3, steps=4, verbose=0)
    (step,) = model._compiled_steps.values()
    assert calls and not step._loops and model.optimizer.iterations == 4


def test_a_learner_that_a_callback_compiles_anew_steps_by_its_new_optimizer():
    class Anew(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.model.compile(keras.optimizers.SGD(0.0), steps_per_execution=4)

    model, few = small(), Lines().dataset(3, seed=0).take(4)
    model.compile(keras.optimizers.SGD(0.1), steps_per_execution=4)
    model.fit(few, steps_per_epoch=4, verbose=0)
    model.fit(Lines(), batch_size=3, steps=4, callbacks=[Anew()], verbose=0)
    before = [variable.numpy() for variable in model.trainable_variables]
    model.fit(few, steps_per_epoch=4, verbose=0)
    assert model.optimizer.iterations == 4
    for one, other in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_convolutions_and_unknown_shapes_do_without():
    network = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()]
    )
    assert not maml.MAML(network, maml.NormalHead(8)).prefers_xla
    model = learner("maml", maml.NormalHead(), 9)
    model.create_weights(Lines().sample(3, [0, 0]))
    model.compile("adam")
    batches = [Lines().sample(n, [0, n]) for n in (2, 3)]
    varying = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature=maml.Episode(
            *(tf.TensorSpec([None, *part.shape[1:]], part.dtype) for part in batches[0])
        ),
    )
    assert np.isfinite(model.fit(varying, verbose=0).history["loss"]).all()
    assert not model._compiled_steps


def test_dense_layers_after_convolutions_do_without():
    tower = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()]
    )
    network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    assert maml.MAML(network, maml.NormalHead()).prefers_xla
    assert not maml.MAML(network, maml.NormalHead(), embedding=tower).prefers_xla


class Uncompiled(Regularizer):
    """Text, of which XLA knows nothing."""

    compiles = False

    def augment(self, episode, seed):
        number = tf.strings.to_number(tf.strings.as_string(tf.reduce_sum(episode.query_y)))
        return episode._replace(query_y=episode.query_y + 0 * number)


def test_steps_with_what_cannot_be_compiled_do_without():
    model = learner("maml", maml.NormalHead(), 9, [Uncompiled()])
    with pytest.raises(ValueError, match="`jit_compile`: XLA cannot compile Uncompiled; expected"):
        model.compile("adam", jit_compile=True)
    model.compile("adam")
    loss = model.fit(Lines().dataset(3, seed=0), steps_per_epoch=2, verbose=0).history["loss"]
    assert np.isfinite(loss).all() and not model._compiled_steps


def test_images_that_move_are_trained_on_without(data_dir):
    """The first training of this kind ended in an error of XLA's."""
    options = {"network.shared_tower": True, "network.hidden": (6,), "learner": "metasgd"}
    config = tiny(data_dir, **options, **{"task.image_augmentation": ("all",)})
    problem = config.make_problem()
    model = config.make_learner(problem)
    model.compile("adam")
    loss = model.fit(problem.train, batch_size=2, steps=2, verbose=0).history["loss"]
    assert np.isfinite(loss).all()
