"""What a run will need: counts of graphs against those by hand, and ``--dry_run``."""

import commands
import keras
import numpy as np
import pytest
import tensorflow as tf
import toys

from maml.experiments import preparing, training
from maml.experiments.config import Config
from maml.experiments.cost import estimate, machine, words
from maml.experiments.cost.graph import Count, count
from mine.reporting.processes import resources

MACHINE = machine.Machine(operation=1e-6, products=1e9, convolutions=2e9, traffic=1e10)


def counted(function, *shapes):
    specs = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    return count(tf.function(function, autograph=False).get_concrete_function(*specs))


# -- counts ------------------------------------------------------------------------------------


def test_multiply_adds_of_a_dense_network_are_those_by_hand():
    network = keras.Sequential([keras.Input((5,)), *map(keras.layers.Dense, (7, 3))])
    forward = counted(network, [11, 5])
    assert forward.products == 11 * (5 * 7 + 7 * 3) and forward.convolutions == 0

    def gradient(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(network(x) ** 2)
        return tape.gradient(loss, network.trainable_variables)

    # Twice the work of the way there: by weights, and by the inputs of all layers but the first.
    backward = 11 * (5 * 7 + 2 * 7 * 3)
    assert counted(gradient, [11, 5]).products == forward.products + backward


@pytest.mark.parametrize(("stride", "out"), [(1, 8), (2, 4)])
def test_multiply_adds_of_a_convolution_are_those_by_hand(stride, out):
    layer = keras.layers.Conv2D(6, 3, stride, "same")
    layer.build([2, 8, 8, 4])
    forward = 2 * out * out * 6 * 3 * 3 * 4
    assert counted(layer, [2, 8, 8, 4]).convolutions == forward

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) ** 2)
        return tape.gradient(loss, [x, layer.kernel])

    assert counted(gradients, [2, 8, 8, 4]).convolutions == 3 * forward


def test_transposed_and_many_products_are_counted():
    assert counted(lambda a, b: tf.matmul(a, b, transpose_a=True), [4, 2], [4, 3]).products == 24
    assert counted(lambda a, b: tf.matmul(a, b, transpose_b=True), [2, 4], [3, 4]).products == 24
    many = counted(lambda a, b: tf.matmul(a, b, adjoint_a=True), [9, 4, 2], [9, 4, 3])
    assert many.products == 9 * 24
    attention = counted(lambda q, k: tf.einsum("btnh,bsnh->bnts", q, k), [2, 3, 4, 5], [2, 7, 4, 5])
    assert attention.products == 2 * 3 * 4 * 5 * 7


def test_a_loop_counts_as_often_as_it_turns_and_its_gradient_too():
    def each(x):
        return tf.map_fn(lambda row: tf.linalg.matvec(tf.ones([4, 3]) * row[0], row), x)[:, 0]

    once, often = (counted(each, [n, 3]).products for n in (1, 10))
    assert (once, often) == (12, 120)

    def gradient(x):
        return tf.gradients(tf.reduce_sum(each(x) ** 2), x)

    assert counted(gradient, [10, 3]).products == 10 * counted(gradient, [1, 3]).products


def test_of_two_branches_the_longer_counts():
    def either(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.matmul(x, x), lambda: tf.matmul(x, x @ x))

    assert counted(either, [4, 4]).products == 2 * 64


def test_tensors_are_held_until_their_last_use():
    def chain(x):
        for _ in range(10):
            x = tf.tanh(x)
        return x

    def kept(x):
        values = [x]
        for _ in range(10):
            values.append(tf.tanh(values[-1]))
        return tf.add_n(values[1:])

    numbers = 4.0 * 1000
    assert counted(chain, [1000]).peak == 2 * numbers  # What is read, and what is written.
    assert counted(kept, [1000]).peak == 11 * numbers
    views = counted(lambda x: tf.tanh(tf.reshape(tf.tanh(x), [10, 100])), [1000])
    assert views.peak == 2 * numbers


def test_a_loop_holds_what_its_gradient_needs_of_all_turns():
    def gradient(x):
        y = tf.map_fn(lambda row: tf.tanh(tf.tanh(row)), x)
        return tf.gradients(tf.reduce_sum(y), x)

    # Both hyperbolic tangents of all rows.
    assert 1.0 <= counted(gradient, [50, 1000]).peak / (2 * 4000 * 50) <= 1.1


def test_constants_and_what_depends_on_them_alone_are_no_work():
    assert counted(lambda x: x + tf.matmul(tf.ones([9, 9]), tf.ones([9, 9])), [9, 9]).products == 0
    plain, more = counted(lambda x: x + 1, [9]), counted(lambda x: x + tf.range(9.0) * 2, [9])
    assert more.operations == plain.operations


def test_what_no_result_depends_on_is_no_work():
    def wasteful(x):
        tf.matmul(x, x)
        return x + 1

    assert counted(wasteful, [9, 9]).products == 0


# -- seconds and bytes -------------------------------------------------------------------------


def test_seconds_are_the_sum_of_work_over_rates():
    work = Count(products=3e9, convolutions=4e9, traffic=5e10, operations=1e6)
    small = machine.SCHEDULED * 1.0
    assert MACHINE.seconds(work) == pytest.approx(3 + 2 + 5 + small)
    assert MACHINE.seconds(work, xla=True) == pytest.approx(10 + machine.FUSED * small)


BASE = {
    "meta_batch_size": 4, "learner.inner_steps": 2, "task.shots": 5, "network.hidden": (16, 16),
}  # fmt: skip


def step_of(given):
    config = Config.of({"task": "sinusoid", **BASE, **given})
    problem, learner = preparing.prepared(config)
    work = estimate._traced_step(problem, learner, config).work
    return work, estimate.step_memory(learner, work)


@pytest.mark.slow
def test_more_of_anything_needs_more():
    work, memory = step_of({})
    twice, _ = step_of({"meta_batch_size": 8})
    assert twice.multiply_adds == 2 * work.multiply_adds and twice.peak > work.peak
    larger = {"learner.inner_steps": 3, "task.shots": 10, "network.hidden": (64, 64)}
    for name, value in larger.items():
        more, more_memory = step_of({name: value})
        assert more.multiply_adds > work.multiply_adds, name
        assert MACHINE.seconds(more) > MACHINE.seconds(work), name
        assert more.peak > work.peak and more_memory > memory, name


@pytest.mark.parametrize("task_map", ["vectorized", "map_fn"])
def test_multiply_adds_of_first_order_maml_are_those_by_hand(task_map):
    # A pass over n examples takes n (16 + 16 * 16 + 16); its gradient the same by all weights, and
    # by the inputs of all layers but the first. An inner step has a pass and its gradient at the
    # shots, and the queries have one more.
    config = {"learner": "fomaml", "task.queries": 7, "learner.task_map": task_map}
    passed, inputs = 16 + 16 * 16 + 16, 16 * 16 + 16
    each = 2 * passed + inputs
    assert step_of(config)[0].products == 4 * each * (2 * 5 + 7)


@pytest.mark.slow
def test_a_step_that_no_memory_holds_is_refused_by_the_same_estimate(tmp_path, monkeypatch):
    given = {"learner": "cnp", "meta_batch_size": 60_000, "task.shots": 100}
    config = toys.small(given)
    problem, learner = preparing.prepared(config)
    needed = estimate.step_memory(learner, estimate._traced_step(problem, learner, config).work)
    monkeypatch.setattr(resources, "memory", lambda: needed / resources.GENEROUS * 1.001)
    estimate.require_memory(problem, learner, config)
    monkeypatch.setattr(resources, "memory", lambda: needed / resources.GENEROUS / 1.001)
    told = "Invalid value for `meta_batch_size`: .* received 60000, which needs about"
    for run in (lambda: words.dry_run(config), lambda: training.run(config, tmp_path / "run")):
        with pytest.raises(ValueError, match=told):
            run()
    assert not list(tmp_path.iterdir())


def test_a_small_step_is_not_traced_before_a_training(monkeypatch):
    config = toys.small({})
    problem, learner = preparing.prepared(config)
    monkeypatch.setattr(estimate, "_traced_step", None)
    estimate.require_memory(problem, learner, config)


@pytest.mark.slow
def test_parts_of_a_run_follow_its_numbers(monkeypatch):
    monkeypatch.setattr(estimate, "measured", lambda: MACHINE)
    few, many = (estimate.estimate(toys.small({"steps": steps})) for steps in (4, 400))
    assert few.step.work == many.step.work and few.step.seconds == many.step.seconds > 0
    more = many.seconds["training"] - few.seconds["training"]
    # The first step is traced, which takes a while that is measured.
    assert more == pytest.approx(396 * few.step.seconds, abs=3)
    assert many.seconds["validation"] == pytest.approx(100 * few.seconds["validation"])
    assert many.disk > few.disk
    assert few.parameters == 8 + 8 + 8 + 1


def test_the_rates_of_this_machine_are_positive_and_plausible():
    found = machine.measured()
    assert 1e-8 < found.operation < 1e-3
    for rate in (found.products, found.convolutions, found.traffic):
        assert 1e7 < rate < 1e13
    assert np.isfinite(MACHINE.first(Count(nodes=10)))


# -- commands ----------------------------------------------------------------------------------

SMALL = ["--steps=20", "--steps_per_epoch=10", "--meta_batch_size=4"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("maml.train", ["--task=sinusoid", "--learner=cnp", "--regularizer=label_mi"]),
        ("maml.rl.train", ["--env=bandit"]),
    ],
)
def test_dry_run_prints_what_a_run_needs_and_writes_nothing(module, arguments, tmp_path):
    done = commands.run(module, *arguments, *SMALL, "--dry_run", "--logdir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("parameters", "training step", "memory", "first step", "20 steps", "disk"):
        assert f"\n  {name} " in done.stdout
    assert "measured just now" in done.stdout and "multiply-adds" in done.stdout
    assert ("Acting was timed" in done.stdout) == (module == "maml.rl.train")
    assert not list(tmp_path.iterdir())


def test_dry_run_refuses_what_a_training_refuses(tmp_path):
    for flag, told in (("--steps=25", "--steps"), ("--mode=test", "--dry_run")):
        done = commands.run("maml.train", *SMALL, flag, "--dry_run", cwd=tmp_path)
        assert done.returncode == 1 and told in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
