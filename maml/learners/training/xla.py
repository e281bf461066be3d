"""Training steps that XLA compiles: for which learners, and how several are made in one call.

Of TensorFlow's loop over compiled steps, as Keras makes it, nearly half of the time may be spent
between them where networks are small. So the loop is compiled too. It takes the batches of all its
steps at once.
"""

import contextlib
from collections.abc import Callable, Iterator

import tensorflow as tf

from maml.core.episodes import Episode, as_episode

MOST_BYTES = 2**25
"""Of the batches that a call holds at once; of larger ones each is drawn when its step begins."""


class CompiledStep:
    """A training step for episodes of certain shapes, alone or in a loop.

    It is traced outside of XLA first. Traced inside, what ``tf.vectorized_map`` computes would
    become compile-time constants of its gradient, and every step would be compiled anew.

    Args:
        step: from an episode to the logs, a dictionary of tensors.
        specs: of the episode, all shapes known.
    """

    def __init__(self, step: Callable, specs: Episode):
        self._specs = specs
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
        # Keras would track a tf.function for good.
        return lambda iterator: self._loops[count](iterator)

    def fits(self, count: int) -> bool:
        """Whether the batches of this number of steps may be in memory at once."""
        sizes = [spec.shape.num_elements() * spec.dtype.size for spec in self._specs]
        return count * sum(sizes) <= MOST_BYTES

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
            def draw(index, drawn):
                parts = iterator.get_next()
                return index + 1, [
                    array.write(index, part) for array, part in zip(drawn, parts, strict=True)
                ]

            empty = [tf.TensorArray(spec.dtype, count) for spec in self._specs]
            _, drawn = tf.while_loop(lambda index, _: index < count, draw, (0, empty))
            batches = [
                tf.ensure_shape(array.stack(), [count, *spec.shape])
                for array, spec in zip(drawn, self._specs, strict=True)
            ]
            return steps(as_episode(batches))

        return train


@contextlib.contextmanager
def compiled(learner, data: tf.data.Dataset, loop: bool):
    """Within it Keras trains a learner by a compiled step, if XLA is wanted and shapes are known.

    Args:
        learner: a compiled :class:`maml.MetaLearner` with weights.
        data: what it trains on.
        loop: whether several steps may be one call: not where the user has another
            ``train_step``.
    """
    step, together = _step_for(learner, as_episode(data.element_spec)), learner.steps_per_execution
    endless = data.cardinality() == tf.data.INFINITE_CARDINALITY
    if step is None or not (loop and together > 1 and endless and step.fits(together)):
        yield
        return
    kept, looped = learner.train_function, step.loop(together)
    learner.train_function = looped
    try:
        yield
    finally:
        if learner.train_function is looped:  # No callback has compiled the learner anew.
            learner.train_function = kept


def _step_for(learner, specs: Episode) -> CompiledStep | None:
    """The compiled step for episodes of some shapes; None if XLA compiles none."""
    known = all(spec.shape.is_fully_defined() for spec in specs)
    if not learner._xla or learner.run_eagerly or not known:
        return None
    steps, key = learner._compiled_steps, shapes(specs)
    if key not in steps:
        steps[key] = CompiledStep(learner._step, specs)
    return steps[key]


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
