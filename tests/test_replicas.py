"""Training on two devices is training on one."""

import json
import math
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent

TWO_DEVICES = """
import contextlib, json, sys
import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

import maml
from toys import Lines, learner, perceptron


class InTurn(maml.LabelTransform):
    '''Scales labels by 1 and -2 in turn: relabels without chance, alike on all devices.'''

    calls = 0

    def __call__(self, episode, seed):
        InTurn.calls += 1
        scale = 1.0 if InTurn.calls % 2 else -2.0
        return episode._replace(
            support_y=scale * episode.support_y, query_y=scale * episode.query_y
        )


class Affine(maml.LabelTransform):
    '''The same relabeling always.'''

    def __call__(self, episode, seed):
        return episode._replace(
            support_y=1 - 2 * episode.support_y, query_y=1 - 2 * episode.query_y
        )


class Sizes(Lines):
    '''Support sets of one to four shots; real ones are not the first.'''

    def episodes(self, tasks, seed):
        parts = super().episodes(tasks, seed)
        size = tf.random.stateless_uniform([tf.shape(tasks)[0], 1], seed, 0, 4, tf.int32)
        return maml.PaddedEpisode(*parts, tf.range(4) >= size)


FAMILY = Sizes() if "sizes" in sys.argv else Lines()

TERMS = {
    "none": lambda: [],
    "label_mi": lambda: [maml.LabelMI(Affine())],
    "prediction_mi": lambda: [maml.PredictionMI(InTurn(), noise=1e-9, power_penalty=0.0)],
}


def trained(strategy, kind, term):
    InTurn.calls = 0
    with strategy.scope() if strategy else contextlib.nullcontext():
        options = {"inner_steps": 2} if "maml" in kind else {}
        model = learner(kind, maml.NormalHead(), 9, TERMS[term](), **options)
        # Not Adam: it makes steps of one size out of gradients that are rounding errors.
        optimizers = [keras.optimizers.SGD(1e-2, momentum=0.9) for _ in range(2)]
        model.compile(optimizers[0], metrics={"own": lambda q, y: tf.abs(q.mean() - y)},
                      critic_optimizer=optimizers[1] if term == "prediction_mi" else None,
                      jit_compile=False)
    return model, model.fit(FAMILY, batch_size=4, steps=20, epochs=2, verbose=0).history


def difference(one, other):
    return max(float(np.abs(a.numpy() - b.numpy()).max()) for a, b in
               zip(one.learner_variables + one.critic_variables,
                   other.learner_variables + other.critic_variables, strict=True))


strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
result = {}
"""

EQUAL = """
for kind in sys.argv[1].split(","):
    for term in TERMS:
        one, history = trained(None, kind, term)
        two, other = trained(strategy, kind, term)
        held_out = [m.evaluate(FAMILY, batch_size=4, steps=2, verbose=0, return_dict=True)
                    for m in (one, two)]
        predictions = [m.predict(FAMILY, batch_size=4, steps=2, verbose=0) for m in (one, two)]
        result[f"{kind} {term}"] = {
            "weights": difference(one, two),
            "moved": max(float(np.abs(v.numpy()).max()) for v in one.learner_variables),
            "predictions": float(np.abs(predictions[0] - predictions[1]).max()),
            "loss": [history["loss"], other["loss"]], "own": [history["own"], other["own"]],
            "mse": [h["mse"] for h in held_out],
        }
print(json.dumps(result))
"""

SKIPPED = """
good = Lines().sample(4, [0, 1])
nan = tf.constant([1.0, 1.0, 1.0, np.nan])[:, tf.newaxis, tf.newaxis]
bad = good._replace(query_y=good.query_y * nan)  # In the second device's half only.
with strategy.scope():
    model = learner("cnp", maml.NormalHead(), 9, [maml.LabelMI(maml.LabelScale(), "mine")])
    model.compile("adam", critic_optimizer="adam")
model.create_weights(good)
model.fit(tf.data.Dataset.from_tensors(good), verbose=0)
before = [v.numpy() for v in model.learner_variables + model.critic_variables]
state = [v.numpy() for v in model.optimizer.variables[1:]]
history = model.fit(tf.data.Dataset.from_tensors(bad), verbose=0).history
after = [v.numpy() for v in model.learner_variables + model.critic_variables]
result["same"] = all(np.array_equal(a, b) for a, b in zip(before, after))
result["same_state"] = all(
    np.array_equal(a, v.numpy()) for a, v in zip(state, model.optimizer.variables[1:]))
result["skipped"] = history["skipped_steps"]
result["iterations"] = int(model.optimizer.iterations.numpy())
again = model.fit(tf.data.Dataset.from_tensors(good), verbose=0).history
result["again"] = [again["loss"][0], again["skipped_steps"][0]]

def sentence(function):
    try:
        function()
    except ValueError as error:
        return str(error)

result["batch"] = sentence(lambda: model.fit(Lines(), batch_size=3, steps=1, verbose=0))
result["xla"] = sentence(lambda: model.compile("adam", jit_compile=True))
outside_network = perceptron(9, 6)
def wrong():
    with strategy.scope():
        other = maml.CNP(outside_network, maml.NormalHead(), (7,), 6, 4)
        other.compile("adam")
    other.fit(Lines(), batch_size=4, steps=1, verbose=0)
result["outside"] = sentence(wrong)

from maml.learners.parallel import replicas
seen = strategy.run(lambda: replicas.own_seed(tf.constant([1, 2])))
seeds = [value.numpy().tolist() for value in strategy.experimental_local_results(seen)]
result["seeds"] = seeds
print(json.dumps(result))
"""


def run(script, *arguments):
    process = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES + script, *arguments],
        capture_output=True, text=True, cwd=ROOT / "tests",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("sizes", ["one-size", "sizes"])
@pytest.mark.parametrize("kind", ["maml", "cnp"])
def test_two_devices_train_to_the_weights_of_one(kind, sizes):
    result = run(EQUAL, kind, sizes)
    assert len(result) == 3
    for name, found in result.items():
        assert found["weights"] < 1e-4, name
        assert found["predictions"] < 1e-4, name
        for key in ("loss", "own", "mse"):
            one, two = found[key]
            assert two == pytest.approx(one, rel=1e-4), (name, key)


@pytest.mark.slow
def test_replicas_agree_on_skipped_steps_and_refuse_what_they_cannot_do():
    result = run(SKIPPED)
    assert result["same"] and result["same_state"]
    assert result["skipped"] == [1.0] and result["iterations"] == 2
    assert math.isfinite(result["again"][0]) and result["again"][1] == 0
    assert "`batch_size`: expected a multiple of the 2 replicas" in result["batch"]
    assert "`jit_compile`: expected False or 'auto'" in result["xla"]
    assert "inside of `with strategy.scope()" in result["outside"]
    first, second = result["seeds"]
    assert first != second
