"""Numbers that are not finite: refused as options, never saved, and told where they come from."""

import functools
import inspect
import json
import math
import typing
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

import maml
from maml.core import finite, options
from maml.core.registry import HEADS, LEARNERS, REGULARIZERS, TASKS
from maml.experiments import callbacks, training
from maml.experiments.results import sentence
from maml.learners.training import skipped

EPISODE = toys.Lines().sample(3, tf.constant([1, 2]))

# -- options --------------------------------------------------------------------------------------


def takes_float(parameter):
    def inside(kind):
        return kind is float or any(map(inside, typing.get_args(kind)))

    return inside(parameter.annotation)


def make(registry, name, **given):
    if registry is LEARNERS:
        classes = registry[name].classification_only
        problem = TASKS.make("clusters" if classes else "sinusoid")
        return maml.make_learner(name, problem.networks, problem.head, **given)
    if "label_transform" in options.parameters(registry[name]):
        given["label_transform"] = maml.LabelScale()
    return registry.make(name, **given)


@pytest.mark.parametrize("registry", [LEARNERS, REGULARIZERS, HEADS, TASKS])
def test_no_component_takes_a_size_of_which_computations_make_nothing(registry):
    """Squares of such numbers are 0 or infinite in 32 bits."""
    taken = []
    for name in registry:
        for option, parameter in options.options_of(registry[name]).items():
            own = inspect.signature(getattr(registry[name], "__init__", registry[name])).parameters
            if not takes_float(parameter) or inspect.isclass(registry[name]) and option not in own:
                continue  # Options of a base class are tried once.
            several = "[" in str(parameter.annotation)
            for value in (1e30, -1e30, 1e-30, 10**400):
                given = (-value, value) if several else value
                try:
                    make(registry, name, **{option: given})
                except ValueError as error:
                    if option not in str(error):
                        taken.append((name, option, value, str(error)))
                else:
                    taken.append((name, option, value))
    assert not taken


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("maml", "inner_batch_size"), ("imaml", "solver_steps"), ("maml++", "multi_step"),
        ("cnp", "hidden"), ("cnp", "dim_r"), ("cnp", "dim_z"), ("cnp", "interaction"),
        ("acnp", "heads"), ("relative", "interaction"), ("abml", "num_samples"),
        ("abml", "num_train_samples"), ("bmaml", "particles"), ("bmaml", "leader_steps"),
        ("latent_np", "num_samples"), ("neural_statistician", "hidden"), ("memory", "slots"),
        ("neural_statistician", "dim_c"), ("tnp", "width"),
    ],
)  # fmt: skip
def test_counts_below_0_and_beyond_32_bits_are_refused_by_name(name, option):
    for value in (-1, 2**31, 10**400):
        if (option, value) == ("multi_step", 2**31):
            continue  # Training steps may be as many.
        given = (value,) if option == "hidden" else value
        with pytest.raises(ValueError, match=f"Invalid value for `{option}`: expected") as told:
            make(LEARNERS, name, **{option: given})
        assert len(str(told.value)) < 200


@pytest.mark.parametrize("registry", [LEARNERS, REGULARIZERS, HEADS, TASKS])
def test_no_component_takes_an_option_that_is_not_finite(registry):
    tried = 0
    for name in registry:
        for option, parameter in options.options_of(registry[name]).items():
            if not takes_float(parameter):
                continue
            several = "Sequence" in str(parameter.annotation) or "tuple" in str(
                parameter.annotation
            )
            for value in (math.nan, math.inf, -math.inf):
                tried += 1
                text = f"{value}:{value}" if several else str(value)
                with pytest.raises(ValueError, match=f"`{option}`"):
                    options.read(option, text, parameter)
                with pytest.raises(ValueError, match=r"nan|inf"):
                    make(registry, name, **{option: (value, value) if several else value})
    assert tried > 8


@pytest.mark.parametrize("name", ["meta_lr", "weight_decay", "critic_lr"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_run_takes_a_number_that_is_not_finite(name, value):
    with pytest.raises(ValueError, match=f"`{name}`: expected float of .*received {value}"):
        toys.small({name: value})


@pytest.mark.parametrize("name", ["meta_lr", "weight_decay", "critic_lr"])
@pytest.mark.parametrize("value", [1e30, 1e-30])
def test_no_run_takes_a_number_of_a_size_without_meaning(name, value):
    with pytest.raises(ValueError, match=f"`{name}`: expected a size from 1e-18"):
        toys.small({name: value})


# -- weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_weights_that_are_not_finite_are_not_saved(tmp_path, value, suffix):
    model = toys.learner("cnp", maml.NormalHead(), 9)
    model.create_weights(EPISODE)
    path = tmp_path / f"learner{suffix}"
    maml.save(model, path)
    before = path.read_bytes()
    last = model.trainable_variables[-1]
    last.assign(last * 0 + value)
    told = f"learner{suffix}: expected finite numbers; received {value} in .*{last.name}"
    with pytest.raises(FloatingPointError, match=told):
        maml.save(model, path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_a_checkpoint_of_weights_that_are_not_finite_is_not_written(tmp_path):
    model = toys.learner("cnp", maml.NormalHead(), 9)
    model.create_weights(EPISODE)
    model.compile(keras.optimizers.Adam())
    checkpoint = callbacks.Checkpoint(tmp_path / "run.weights.h5")
    checkpoint.set_model(model)
    model.trainable_variables[0].assign(model.trainable_variables[0] * math.inf)
    with pytest.raises(FloatingPointError, match=r"run.weights.h5: expected finite"):
        checkpoint.on_epoch_end(0)
    assert not list(tmp_path.iterdir())


# -- data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -1e30])
@pytest.mark.parametrize("name", maml.Episode._fields)
def test_what_is_unfit_in_an_episode_is_named(name, value):
    assert finite.unfit(EPISODE) is None
    changed = getattr(EPISODE, name).numpy()
    changed[2, 1, 0] = value
    bad = EPISODE._replace(**{name: changed})
    assert finite.unfit(bad) == f"`{name}` of task 2 of the batch holds {value:g}"
    told = finite.first_unfit([EPISODE, EPISODE, bad], start=4)
    assert told == f"in step 7 `{name}` of task 2 of the batch holds {value:g}"
    assert finite.first_unfit([EPISODE]) is None


@pytest.mark.parametrize("name", maml.Episode._fields)
def test_a_family_whose_examples_are_empty_is_refused(name):
    """Such as images of 0 x 0 pixels."""
    empty = EPISODE._replace(**{name: getattr(EPISODE, name)[..., :0]})
    model = toys.learner("cnp", maml.NormalHead(), 9)
    with pytest.raises(ValueError, match=f"Invalid `{name}` of episodes: .*received .*, 0\\]"):
        model.create_weights(empty)


class Flawed(toys.Lines):
    """Lines whose labels are spoilt in a share of the batches."""

    def __init__(self, share, value):
        super().__init__()
        self.share, self.value = share, value

    def episodes(self, tasks, seed):
        episode = super().episodes(tasks, seed)
        bad = tf.random.stateless_uniform([], seed) < self.share
        spoilt = tf.where(bad, episode.query_y * 0 + self.value, episode.query_y)
        return episode._replace(query_y=spoilt)


def problem_of(share, value):
    base, good = TASKS.make("sinusoid"), toys.Lines()
    return maml.Problem(
        "flawed lines", Flawed(share, value), good, good, maml.NormalHead(),
        functools.partial(base.build_networks.func, 9), maml.LabelScale(), (maml.MSE,), False,
    )  # fmt: skip


def run(monkeypatch, folder, share, value, **given):
    config = toys.small({"learner": "cnp", "steps": 60, "steps_per_epoch": 30} | given)
    monkeypatch.setattr(type(config), "make_problem", lambda self: problem_of(share, value))
    return training.run(config, folder, verbose=0, pictures=False)


@pytest.mark.parametrize("of", ["family", "dataset"])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_fit_stops_or_warns_by_itself_where_labels_are_not_finite(share, of):
    tasks, model = Flawed(share, math.nan), toys.learner("cnp", maml.NormalHead(), 9)
    model.compile("adam")
    given = {"batch_size": 3, "steps": 20} if of == "family" else {}
    x = tasks if of == "family" else tasks.dataset(3, seed=0).take(20)
    what = r"`query_y` of task 0 of the batch holds nan"
    if share == 1.0:
        with pytest.raises(FloatingPointError, match=f"20 of 20 .*in step 1 {what}.*Leave such"):
            model.fit(x, verbose=0, **given)
        return
    with pytest.warns(UserWarning, match=f"{what}: leave such data out") as told:
        history = model.fit(x, verbose=0, callbacks=[keras.callbacks.Callback()], **given).history
    assert told[0].filename == __file__
    assert 1 < history["skipped_steps"][0] < 10
    assert f"{history['skipped_steps'][0]:.0f} of 20 training steps" in str(told[0].message)
    with warnings.catch_warnings(action="error"):
        model.fit(toys.Lines(), batch_size=3, steps=20, verbose=0)


def with_nan_from(step):
    """Batches as plain tuples, of which those from a step on hold NaN."""
    parts = [tuple(toys.Lines().sample(3, tf.constant([0, i]))) for i in range(20)]
    for index in range(step - 1, 20):
        parts[index] = (*parts[index][:3], parts[index][3] * math.nan)
    return tf.data.Dataset.from_tensor_slices(tuple(map(tf.stack, zip(*parts, strict=True))))


def test_data_of_later_epochs_are_searched_too():
    model = toys.learner("cnp", maml.NormalHead(), 9)
    model.compile("adam")
    with pytest.raises(FloatingPointError, match="10 of 10 .* of epoch 2 .*in step 11 `query_y`"):
        model.fit(with_nan_from(11), steps_per_epoch=10, epochs=2, verbose=0)
    model.compile("adam")
    with pytest.warns(UserWarning, match="1 of 20 training steps .5%. was .*in step 20 `query_y`"):
        model.fit(with_nan_from(20), verbose=0)


def test_epochs_of_few_steps_stop_too_and_counts_begin_anew():
    model, watch = toys.learner("cnp", maml.NormalHead(), 9), skipped.SkippedSteps()
    model.compile("adam")
    with pytest.raises(FloatingPointError, match="9 of 9 steps of epoch 2"):
        model.fit(Flawed(1.0, math.nan), batch_size=3, steps=90, steps_per_epoch=9, verbose=0)
    model.fit(Flawed(0.3, math.nan), batch_size=3, steps=9, verbose=0, callbacks=watch)
    assert watch.warning() is not None
    model.fit(toys.Lines(), batch_size=3, steps=9, verbose=0, callbacks=watch)
    assert watch.warning() is None


def test_a_list_of_callbacks_of_keras_is_watched_too():
    model = toys.learner("cnp", maml.NormalHead(), 9)
    model.compile("adam")
    callbacks = keras.callbacks.CallbackList([], model=model, steps=12, epochs=1, verbose=0)
    with pytest.raises(FloatingPointError, match="12 of 12"):
        model.fit(Flawed(1.0, math.nan), batch_size=3, steps=12, verbose=0, callbacks=callbacks)
    assert len(callbacks.callbacks) == 1 + sum(
        isinstance(of, keras.callbacks.History) for of in callbacks.callbacks
    )


def test_a_loss_that_is_not_finite_is_told_as_such():
    class Own(maml.CNP):
        def train_step(self, episode):
            logs = super().train_step(episode)  # Of other names than those of its metrics.
            return logs | {"loss": tf.constant([1.0, math.nan]), "own": 0.0}

    model = toys.learner("cnp", maml.NormalHead(), 9)
    model.__class__ = Own
    model.compile("adam", jit_compile=False)
    with pytest.raises(FloatingPointError, match="Epoch 1 has a loss that is not finite"):
        model.fit(toys.Lines(), batch_size=3, steps=12, verbose=0)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "value", [math.nan, pytest.param(math.inf, marks=SLOW), pytest.param(1e30, marks=SLOW)]
)
def test_data_that_is_unfit_throughout_stops_a_run_at_once_and_is_blamed(
    monkeypatch, tmp_path, value
):
    told = "of epoch 1 .*in step 1 `query_y` of task 0 .*; there is no checkpoint yet. Leave such"
    with pytest.raises(FloatingPointError, match=told) as error:
        run(monkeypatch, tmp_path / "run", 1.0, value)
    assert "rates" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_an_option_far_from_its_default_is_blamed_too():
    network, head = toys.perceptron(9, 1), maml.NormalHead(scale=1e5)
    regularizers = [maml.MRW(sigma=1e-9), maml.WeightDecay()]
    model = maml.MAML(network, head, inner_lr=0.1, inner_clip=1e9, regularizers=regularizers)
    model.compile("adam")
    watch = callbacks.StopOnDivergence()
    watch.set_model(model)
    watch.set_params({"steps": 20})
    told = "regularizer, or set nearer to its default scale=.*7 by default. and sigma=1e-09 .0.1 by"
    with pytest.raises(FloatingPointError, match=told) as error:
        watch.on_train_batch_end(9, {"skipped_steps": 10})
    assert "inner" not in str(error.value).partition("regularizer,")[2]


@pytest.mark.slow
def test_rates_are_blamed_where_the_data_is_fit(monkeypatch, tmp_path):
    with pytest.raises(FloatingPointError, match="no checkpoint yet. Lower the learning rates"):
        run(monkeypatch, tmp_path / "run", 0.0, 0.0, meta_lr=1e17)


@pytest.mark.parametrize("share", [0.2, pytest.param(0.0, marks=SLOW)])
def test_a_run_says_what_share_of_its_steps_it_skipped_and_why(monkeypatch, tmp_path, share):
    record = run(monkeypatch, tmp_path / "run", share, math.nan)
    written = json.loads((tmp_path / "run/results.json").read_text())
    skipped = record["cost"]["skipped_steps"]
    if share:
        assert 1 < skipped < 30
        (warning,) = written["warnings"]
        part = f"{skipped:.0f} of 60 training steps ({skipped / 60:.0%}) were skipped"
        assert warning.startswith(part) and "`query_y` of task 0 of the batch holds nan" in warning
        assert warning.rstrip(".") in sentence(record)
    else:
        assert not skipped and "warnings" not in written
        assert "Warning" not in sentence(record)


def test_where_a_checkpoint_is_kept_is_said(tmp_path):
    watch = callbacks.StopOnDivergence(tmp_path / "run.weights.h5", lambda start, stop: None)
    watch.set_model(toys.learner("cnp", maml.NormalHead(), 9))
    watch.set_params({"steps": 10})
    logs = {"loss": math.nan, "skipped_steps": 0.0}
    with pytest.raises(FloatingPointError, match="finite; there is no checkpoint yet"):
        watch.on_epoch_end(0, logs)
    (tmp_path / "run.weights.h5").touch()
    with pytest.raises(FloatingPointError, match=r"finite; the checkpoint .*h5, is kept. Lower"):
        watch.on_epoch_end(1, logs)
    np.testing.assert_equal(watch.find_unfit(0, 1), None)
