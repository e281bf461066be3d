"""A run made ready to train: its problem, its learner with weights, and their optimizers."""

import keras

from maml.core.registry import OUTER
from maml.experiments.config import Config
from maml.learners.base import MetaLearner
from maml.learners.parallel.workers import ONE, Devices
from maml.learners.training import executions
from maml.tasks.problem import Problem
from maml.tasks.sizes import check_several, check_sizes, weights_that_fit


def prepared(config: Config, devices: Devices = ONE) -> tuple[Problem, MetaLearner]:
    """The problem, and the learner with its weights, after a check that they fit each other.

    Args:
        config: of the run.
        devices: to train on.

    Raises:
        ValueError: an option has no meaning or is far too large, or data are unfit.
    """
    with devices.scope():
        problem = config.make_problem()
        if config.patience and problem.validation is None:
            raise ValueError(
                "Invalid value for `patience`: early stopping needs validation tasks, and "
                f"{config.task} has none; use --patience=0, or task options that keep some."
            )
        check_several(problem)
        numbers = {**config.task_options, **config.network_options, **config.regularizer_options}
        check_sizes(problem, vars(config) | config.learner_defaults() | numbers)
        with weights_that_fit():
            learner = config.make_learner(problem)
            learner.create_weights(problem.train.sample(2, [config.seed, 5]))
    if devices.strategy is not None:
        devices.check(learner, problem.train.on_policy, config.meta_batch_size)
    return problem, learner


def compile_learner(learner: MetaLearner, config: Config, **others) -> None:
    """Gives a learner the optimizers of a configuration: Adam, and another for critics.

    ``others`` are more arguments of ``keras.Model.compile``.
    """
    decay, rate = config.weight_decay, config.meta_lr
    if config.meta_lr_decay:
        rate = keras.optimizers.schedules.CosineDecay(config.meta_lr, config.steps)
    adam = keras.optimizers.AdamW(rate, weight_decay=decay) if decay else None
    if learner.critic_variables:
        others |= {"critic_optimizer": keras.optimizers.Adam(config.critic_lr, clipnorm=1.0)}
    outer = OUTER.make(config.outer, **config.outer_options)
    learner.compile(outer or adam or keras.optimizers.Adam(rate), **others)


def batch_spec(problem: Problem, config: Config):
    """The shapes of a training batch, an :class:`maml.Episode` of ``tf.TensorSpec``."""
    return problem.train.dataset(config.meta_batch_size, config.seed).element_spec


def steps_together(problem: Problem, config: Config, devices: Devices = ONE) -> int:
    """Training steps of a call of Keras, by :func:`maml.learners.training.executions.at_once`.

    Args:
        problem: of the run.
        config: of the run.
        devices: to train on.
    """
    inputs, on_policy = batch_spec(problem, config).support_x, problem.train.on_policy
    return executions.at_once(inputs, config.epoch_steps(), on_policy, devices.replicas)


def scored_tasks(config: Config, split: str) -> tuple[int, int, int]:
    """What the final scores of a split are of.

    Args:
        config: of the run.
        split: "train", "validation" or "test".

    Returns:
        Episodes of each task, tasks of a batch, and the most tasks.
    """
    episodes, count = config.episodes_per_task, config.num_validation_tasks
    if split == "train":
        episodes = max(1, episodes // 10)
    elif split == "test":
        count = config.num_test_tasks
    return episodes, config.eval_batch_size or config.meta_batch_size, count
