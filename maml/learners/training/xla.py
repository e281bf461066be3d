"""Training steps that XLA compiles: for which learners, and how several are made in one call.

Of TensorFlow's loop over compiled steps, as Keras makes it, half of the time is spent between them
where networks are small. So the loop is compiled too. It takes the batches of all its steps at
once.
"""

import contextlib
from collections.abc import Callable, Iterator

import tensorflow as tf

from maml.core.episodes import Episode, as_episode


class CompiledStep:
    """A training step for episodes of certain shapes, alone or in a loop.

    It is traced outside of XLA first. Traced inside, what ``tf.vectorized_map`` computes would
    become compile-time constants of its gradient, and every step would be compiled anew.

    Args:
        step: from an episode to the logs, a dictionary of tensors.
        specs: of the episode, all shapes known.
    """

    def __init__(self, step: Callable, specs: Episode):
        self._step = tf.function(step, autograph=False).get_concrete_function(specs)
        self.once = tf.function(
            lambda episode: self._step(*episode), autograph=False, jit_compile=True
        )
        self._loops: dict[int, Callable] = {}

    def __call__(self, episode) -> dict:
        """One step; its logs."""
        return self.once(episode)

    def loop(self, count: int) -> Callable[[Iterator], dict]:
        """What makes ``count`` steps on the next batches of an iterator, the same each time.

        The iterator, of ``tf.data``, has no end. The logs are those of the last step.
        """
        if count not in self._loops:
            self._loops[count] = self._make_loop(count)
        return self._loops[count]

    def _make_loop(self, count):
        @tf.function(autograph=False, jit_compile=True)
        def steps(episodes):
            def body(index, _):
                return index + 1, self._step(*(part[index] for part in episodes))

            logs = tf.nest.map_structure(
                lambda spec: tf.zeros(spec.shape, spec.dtype), self._step.structured_outputs
            )
            return tf.while_loop(lambda index, _: index < count, body, (0, logs))[1]

        @tf.function(autograph=False)
        def train(iterator):
            batches = [iterator.get_next() for _ in range(count)]
            return steps(as_episode(map(tf.stack, zip(*batches, strict=True))))

        return train


@contextlib.contextmanager
def compiled(learner, data: tf.data.Dataset, own_step: bool = False):
    """Within it Keras trains a learner by a compiled step, if XLA is wanted and shapes are known.

    Args:
        learner: a compiled :class:`maml.MetaLearner` with weights.
        data: what it trains on.
        own_step: whether its class has a ``train_step`` of its own, which is called for each step.
    """
    specs = as_episode(data.element_spec)
    known = all(spec.shape.is_fully_defined() for spec in specs)
    if not learner._xla or learner.run_eagerly or not known:
        yield
        return
    steps, key = learner._compiled_steps, shapes(specs)
    if key not in steps:
        steps[key] = CompiledStep(learner._step, specs)
    together = learner.steps_per_execution
    if together == 1 or own_step or data.cardinality() != tf.data.INFINITE_CARDINALITY:
        yield
        return
    kept, learner.train_function = learner.train_function, steps[key].loop(together)
    try:
        yield
    finally:
        learner.train_function = kept


def shapes(episode) -> tuple:
    """Of the parts of an episode, or of their specs."""
    return tuple(tuple(part.shape) for part in episode)


def by_xla(jit_compile, preferred: bool, regularizers, parallel: bool) -> bool:
    """Whether XLA compiles training steps.

    Args:
        jit_compile: of :meth:`Trainer.compile`.
        preferred: whether it makes steps of the learner faster.
        regularizers: of the learner.
        parallel: whether it trains on several devices, or under a strategy.

    Raises:
        ValueError: XLA is asked for, and a regularizer cannot be compiled by it.
    """
    without = [
        type(regularizer).__name__ for regularizer in regularizers if not regularizer.compiles
    ]
    if jit_compile is True and without:
        raise ValueError(
            f"Invalid value for `jit_compile`: XLA cannot compile {without[0]}; expected False or "
            "'auto', received True."
        )
    wanted = preferred and not without if jit_compile == "auto" else bool(jit_compile)
    return wanted and not parallel
