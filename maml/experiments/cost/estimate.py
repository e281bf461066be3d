"""What a run will need, before it: parameters, work, memory, time and disk.

The training step and the scores are traced, counted (:mod:`maml.experiments.cost.graph`) and costed
at the rates of this machine (:mod:`maml.experiments.cost.machine`); no step is taken. The memory is
the one by which :func:`require_memory` refuses a run.
"""

import dataclasses
import math
import os
import resource
import time

import tensorflow as tf

from maml.experiments.config import Config
from maml.experiments.cost.graph import Count, count
from maml.experiments.cost.machine import Machine, graph_bytes, measured
from maml.experiments.preparing import (
    batch_spec,
    compile_learner,
    prepared,
    scored_tasks,
    steps_together,
)
from maml.learners.base import MetaLearner
from maml.learners.training.xla import by_xla
from maml.tasks.problem import Problem
from mine.reporting.processes import resources

SIDE_BY_SIDE = 2
"""Cores that a training step keeps busy, if there are two, unless XLA compiles it: on two
cores steps take about half their processor time."""

OPTIMIZER_COPIES = 2
"""Numbers that Adam keeps of each weight."""

ROUGH = 50
"""Most bytes of a step for each number that the layers of the networks give, in each inner step; a
step that cannot need much by it is not traced before a training."""

RUN_BYTES, EPOCH_BYTES = 500e3, 10e3
"""Files of a run beside its weights, and what an epoch adds to them."""


@dataclasses.dataclass(frozen=True)
class Step:
    """What a training step needs.

    Attributes:
        work: of its graph.
        seconds: of processors.
        first_seconds: of processors, until the first step is done.
        memory: bytes that training adds to the process.
        cores: that work at once.
    """

    work: Count
    seconds: float
    first_seconds: float
    memory: float
    cores: int


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a run will need.

    Attributes:
        parameters: numbers that are trained, those of critics included.
        step: a training step.
        memory: bytes of the process, with TensorFlow itself and the data.
        disk: bytes of the folder of the run.
        seconds: of processors, for the whole run by its parts: "training", "validation", "scores".
        machine: rates of this machine.
        acts: whether a policy acts in the tasks, which was timed.
    """

    parameters: int
    step: Step
    memory: float
    disk: float
    seconds: dict[str, float]
    machine: Machine
    acts: bool


@dataclasses.dataclass(frozen=True)
class _Traced:
    """A graph's work, and the seconds of processors that tracing it took."""

    work: Count
    seconds: float


def _traced(function, *specs) -> _Traced:
    start = time.process_time()
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    return _Traced(count(concrete), time.process_time() - start)


def _traced_step(problem: Problem, learner: MetaLearner, config: Config) -> _Traced:
    """The training step, of a learner that this compiles."""
    compile_learner(learner, config)
    return _traced(learner.train_step, batch_spec(problem, config))


def step_memory(learner: MetaLearner, step: Count) -> float:
    """Bytes that training adds to a process: graph, tensors of a step, optimizers.

    Args:
        learner: with weights.
        step: work of its training step.
    """
    optimizers = (OPTIMIZER_COPIES + 1) * 4 * _parameters(learner)  # And a gradient of each.
    return graph_bytes(step, _by_xla(learner)) + step.peak + optimizers


def _by_xla(learner: MetaLearner) -> bool:
    """Whether XLA compiles its training step on one device."""
    return by_xla("auto", learner.prefers_xla, learner.regularizers, parallel=False)


def require_memory(problem: Problem, learner: MetaLearner, config: Config) -> None:
    """Refuses a run whose training step needs far more memory than there is.

    Steps that cannot, by the sizes of their layers, are not traced.

    Args:
        problem: of the run.
        learner: with weights, not compiled.
        config: of the run.

    Raises:
        ValueError: it does.
    """
    if _rough(problem, learner, config) > resources.memory():
        step = _traced_step(problem, learner, config).work
        resources.require("meta_batch_size", config.meta_batch_size, step_memory(learner, step))


def _rough(problem, learner, config) -> float:
    """Bytes that a training step cannot exceed by far, from the sizes of its layers."""
    spec = batch_spec(problem, config)
    examples = sum(math.prod(part.shape[:2]) for part in (spec.support_y, spec.query_y))
    steps = getattr(learner, "inner_steps", 0) or 0
    widths = sum(map(_width, learner._flatten_layers()))
    return 4.0 * examples * widths * (steps + 1) * ROUGH


def _width(layer) -> float:
    """Numbers that a layer gives for an example, at least."""
    try:
        return float(math.prod(size or 1 for size in layer.output.shape[1:]))
    except (AttributeError, ValueError):  # It was not called by a Keras network.
        return float(max((of.shape[-1] for of in layer.weights if len(of.shape)), default=0))


def estimate_step(
    problem: Problem, learner: MetaLearner, config: Config, machine: Machine, acting: float = 0.0
) -> Step:
    """What a training step needs, of a training on one device.

    Args:
        problem: of the run.
        learner: with weights; it is compiled.
        config: of the run.
        machine: rates of this machine.
        acting: seconds of processors in which a policy acts in a task.
    """
    traced, xla = _traced_step(problem, learner, config), _by_xla(learner)
    together = steps_together(problem, config)
    each = machine.seconds(traced.work, xla) + machine.calls(1, together)
    each += acting * config.meta_batch_size
    return Step(
        work=traced.work,
        seconds=each,
        first_seconds=traced.seconds + machine.first(traced.work, xla) + each * together,
        memory=step_memory(learner, traced.work),
        cores=1 if xla else min(SIDE_BY_SIDE, os.cpu_count() or 1),
    )


def estimate(config: Config) -> Estimate:
    """What a run will need, of a training on one device.

    Args:
        config: of the run.

    Raises:
        ValueError: the run would be refused.
    """
    problem, learner = prepared(config)
    require_memory(problem, learner, config)
    before, machine = peak_memory(), measured()
    acting = scoring = 0.0
    if problem.train.on_policy:
        acting, scoring = _timed_acting(problem, learner)
    step = estimate_step(problem, learner, config, machine, acting)
    score = _Traced(Count(), 0.0)
    if not problem.train.on_policy:
        score = _traced_score(problem, learner, config)

    def scored(tasks: float, size: int) -> float:
        return scoring * tasks + machine.seconds(score.work) * max(1.0, tasks // size)

    epochs = config.steps // config.epoch_steps()
    training = step.first_seconds + step.seconds * config.steps
    validation = _validation(problem, config, scored)
    if learner.regularizers:  # Their own values, on four batches without a gradient.
        validation += 4 * step.seconds / 2
    final = score.seconds + machine.first(score.work)
    for split, family in problem.families.items():
        episodes, size, tasks = scored_tasks(config, split)
        final += scored(episodes * min(tasks, family.num_tasks), size)
    parameters = _parameters(learner)
    copies = 2 + OPTIMIZER_COPIES + bool(config.patience)  # The learner; the checkpoint; the best.
    more = graph_bytes(score.work) + max(0.0, score.work.peak - step.work.peak)
    return Estimate(
        parameters=parameters,
        step=step,
        memory=before + step.memory + more,
        disk=4.0 * parameters * copies + RUN_BYTES + EPOCH_BYTES * epochs,
        seconds={"training": training, "validation": epochs * validation, "scores": final},
        machine=machine,
        acts=problem.train.on_policy,
    )


def peak_memory() -> float:
    """Most bytes of memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0  # Given in KB.


def _parameters(learner) -> int:
    return sum(math.prod(of.shape) for of in learner.trainable_variables)


def _traced_score(problem, learner, config) -> _Traced:
    """The scores of a batch of tasks."""
    evaluator = problem.evaluator(learner, config.information_every, config.num_relabelings)
    _, size, tasks = scored_tasks(config, "test")
    size = min(size, tasks, problem.test.num_tasks)
    spec = problem.test.dataset(size, config.seed).element_spec
    return _traced(evaluator.with_information, spec, tf.TensorSpec([2], tf.int32))


def _validation(problem, config, scored) -> float:
    """Seconds of the scores after an epoch, see :class:`maml.experiments.callbacks.Monitor`."""
    size = config.eval_batch_size or config.meta_batch_size
    episodes = config.num_validation_batches * size
    total = 0.0
    for name in problem.monitored:
        tasks = min(episodes, problem.families[name].num_tasks)
        total += scored(max(1, episodes // tasks) * tasks, size)
    return total


def _timed_acting(problem, learner) -> tuple[float, float]:
    """Seconds of processors for a task of a batch, and for the scores of a task: two are timed."""
    evaluator = problem.evaluator(learner)
    found = []
    for act in (
        lambda seed: problem.train.sample(2, [seed, 7]),
        lambda seed: evaluator(problem.train, 1, 2, seed, 2),
    ):
        act(0)  # Traces.
        start = time.process_time()
        act(1)
        found.append((time.process_time() - start) / 2)
    return found[0], found[1]
