"""Training on two devices is training on one."""

import json
import math
import os
import pathlib

import commands
import numpy as np
import pytest
import workers

ROOT = pathlib.Path(__file__).parent.parent

TWO_DEVICES = """
import json, sys
import numpy as np
import tensorflow as tf

from devices import two_devices

strategy = two_devices()

import maml
from toys import Lines, learner, perceptron

result = {}
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
def at_once():
    with strategy.scope():
        other = learner("cnp", maml.NormalHead(), 9)
        other.compile("adam", steps_per_execution=2)
    other.fit(Lines(), batch_size=4, steps=2, verbose=0)
result["at_once"] = sentence(at_once)
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

from mine.replicas import drawn, mean, on_whole, whole

@tf.function
def parts():
    context = tf.distribute.get_replica_context()
    index = tf.cast(context.replica_id_in_sync_group, tf.float32)
    x = 10 * index + tf.reshape(tf.range(4.0), [2, 2])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        # A loss of the whole batch, which is no mean over its rows.
        loss = tf.reduce_prod(1 + tf.reduce_sum(whole(x), axis=1)) / 2
        square = mean(tf.reduce_mean(x)) ** 2 / 2
    return {
        "whole": whole({"x": x, "mask": x > 5}),
        "gradient": tape.gradient(loss, x), "of_mean": tape.gradient(square, x),
        "turned": on_whole(lambda x: tf.concat([tf.roll(x, 1, 0), -x], 0), x, copies=2),
        "drawn": drawn(lambda shape: tf.random.stateless_uniform(shape, [1, 2]), [3, 2, 1], axis=1),
    }

def listed(value):
    return [of.numpy().tolist() for of in strategy.experimental_local_results(value)]

found = strategy.run(parts)
result["parts"] = {
    "whole": listed(found["whole"]["x"]), "mask": listed(found["whole"]["mask"]),
    **{name: listed(found[name]) for name in ("gradient", "of_mean", "turned", "drawn")}}
result["on_one"] = tf.random.stateless_uniform([3, 4, 1], [1, 2]).numpy().tolist()
print(json.dumps(result))
"""


RUN = """
import pathlib
from maml.experiments import Config, read_history, training

given = {
    "task": "nme_sinusoid", "learner": "cnp", "steps": 12, "steps_per_epoch": 4, "patience": 9,
    "meta_batch_size": 4, "num_validation_batches": 1, "num_test_tasks": 8,
    "num_validation_tasks": 8, "regularizer": "weight_decay",
}
for name in ("none", "mirrored"):
    folder = pathlib.Path(sys.argv[1]) / name
    record = training.run(Config.of(given), folder, verbose=0, pictures=False, strategy=name)
    history = read_history(folder / "history.csv")
    columns = ("loss", "validation_mse", "val_loss", "step")
    result[name] = {
        "scores": [record["scores"][split]["mse"]["mean"] for split in ("train", "test")],
        "command": record["provenance"]["command"],
    } | {column: history[column].tolist() for column in columns}
print(json.dumps(result))
"""


def run(script, folder, *arguments):
    path = folder / "two_devices.py"
    path.write_text(TWO_DEVICES + script, encoding="utf-8")
    process = commands.run(str(path), *arguments, cwd=ROOT / "tests")
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout.splitlines()[-1])


FIFTY = ("cnp", "maml", "tnp", "imaml", "reptile")
WHOLE = os.environ.get("WORKERS") == "all"
MIRRORED = (*FIFTY, "other terms", "platipus", "memory") if WHOLE else (*FIFTY[:2], "other terms")
WORKERS = FIFTY if WHOLE else FIFTY[:1]
"""What two devices train, and what two workers; all with WORKERS=all: three minutes more."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What came out of training on one device, on two, and on two workers."""
    folder = tmp_path_factory.mktemp("devices")
    kinds = {"alone,mirrored": MIRRORED, "workers": WORKERS}
    started = []
    for number, environment in enumerate([{}, *workers.environments(2)]):
        kind, names = list(kinds.items())[min(number, 1)]
        file = folder / f"KIND{'' if number < 2 else 1}.npz"
        output = folder / f"{number}.txt"
        process = commands.start(
            "devices.py", kind, file, ",".join(names),
            cwd=ROOT / "tests", out=output, err=output, **environment,
        )  # fmt: skip
        started.append((process, output))
    for process, output in started:
        process.join(1500)
        assert process.exitcode == 0, output.read_text()[-3000:]
    return {
        kind: dict(np.load(folder / f"{kind}.npz")) for kind in ("alone", "mirrored", "workers")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [("mirrored", name) for name in MIRRORED] + [("workers", name) for name in WORKERS],
)
def test_two_devices_and_two_workers_train_to_the_weights_of_one(trained, kind, name):
    one = {key: of for key, of in trained["alone"].items() if key.startswith(f"{name} ")}
    other = {key: of for key, of in trained[kind].items() if key.startswith(f"{name} ")}
    assert one.keys() == other.keys()
    moved = 0.0
    for key, of in one.items():
        if " log " in key:
            np.testing.assert_allclose(other[key], of, rtol=1e-3, atol=1e-4, err_msg=key)
            continue
        np.testing.assert_allclose(other[key], of, rtol=0, atol=1e-5, err_msg=key)
        if " end " in key:
            moved = max(moved, np.abs(of - one[key.replace("end", "start")]).max())
    assert moved > 1e-3  # So that there is something to be equal.


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run(SKIPPED, tmp_path_factory.mktemp("skipped"))


@pytest.mark.slow
def test_replicas_agree_on_skipped_steps_and_refuse_what_they_cannot_do(result):
    assert result["same"] and result["same_state"]
    assert result["skipped"] == [1.0] and result["iterations"] == 2
    assert math.isfinite(result["again"][0]) and result["again"][1] == 0
    assert "`batch_size`: expected a multiple of the 2 replicas" in result["batch"]
    assert "`jit_compile`: expected False or 'auto'" in result["xla"]
    assert "`steps_per_execution`: expected 1 under a strategy" in result["at_once"]
    assert "inside of `with strategy.scope()" in result["outside"]
    first, second = result["seeds"]
    assert first != second


@pytest.mark.slow
def test_a_replica_sees_the_whole_batch_and_has_its_part_of_it(result):
    parts = result["parts"]
    x = np.concatenate([np.arange(4.0).reshape(2, 2), 10 + np.arange(4.0).reshape(2, 2)])
    factors = 1 + x.sum(axis=1)
    of_product = np.repeat(factors.prod() / factors, 2).reshape(4, 2)
    for replica in range(2):
        own = slice(2 * replica, 2 * replica + 2)
        np.testing.assert_array_equal(parts["whole"][replica], x)
        np.testing.assert_array_equal(parts["mask"][replica], x > 5)
        np.testing.assert_allclose(parts["gradient"][replica], of_product[own], rtol=1e-6)
        # Of (mean of x)^2, of which each replica takes half.
        np.testing.assert_allclose(parts["of_mean"][replica], np.full([2, 2], x.mean() / 4))
        turned = np.concatenate([np.roll(x, 1, axis=0)[own], -x[own]])
        np.testing.assert_array_equal(parts["turned"][replica], turned)
        on_one = np.array(result["on_one"])[:, own]
        np.testing.assert_array_equal(parts["drawn"][replica], on_one)


@pytest.mark.slow
def test_a_run_on_two_devices_has_the_results_of_one(tmp_path):
    found = run(RUN, tmp_path, tmp_path)
    one, two = found["none"], found["mirrored"]
    assert "--strategy=mirrored" in two.pop("command") and "--strategy" not in one.pop("command")
    for name, values in one.items():
        np.testing.assert_allclose(two[name], values, rtol=1e-3, err_msg=name)
