"""Noise of learners that draw in ``encode``: the step's in training, the same elsewhere."""

import contextlib
import functools

import tensorflow as tf

from maml.core.episodes import fold_in
from maml.core.seeds import Stream, stream
from maml.learners.base import MetaLearner
from mine import replicas


class ProbabilisticLearner(MetaLearner):
    """The base of learners whose task state is drawn.

    ``encode`` draws with :attr:`noise_seed`. Within a training step it is the step's own, so that a
    run that was stopped goes on with the same numbers, and the objective is a function of its
    weights and seed. Elsewhere it is fixed by the learner's ``seed``: the same support set gives
    the same state.
    """

    _step_seed = None

    @property
    def noise_seed(self) -> tf.Tensor:
        """Stateless seed [2] of what is drawn now; fold a number in for each use."""
        if self._step_seed is None:
            return stream(self.seed, Stream.LATENT)
        return self._step_seed

    @property
    def in_step(self) -> bool:
        """Whether the noise is that of a training step."""
        return self._step_seed is not None

    def normal(self, shape, use: int, dtype, tasks: int | None = None) -> tf.Tensor:
        """Draws of a standard normal.

        Args:
            shape: of the draws.
            use: draws that are independent have other numbers.
            dtype: of the draws.
            tasks: axis of the shape that goes over tasks, each of which has draws of its own, on
                several devices those that it has on one; None: all tasks share the draws.
        """
        draw = functools.partial(
            tf.random.stateless_normal, seed=fold_in(self.noise_seed, use), dtype=dtype
        )
        return draw(shape) if tasks is None else replicas.drawn(draw, shape, tasks)

    def forward(self, episode, seed, training=False, fit=False):
        with self._drawing(fold_in(seed, -5) if training else None):
            return super().forward(episode, seed, training, fit)

    @contextlib.contextmanager
    def _drawing(self, seed):
        self._step_seed = seed
        try:
            yield
        finally:
            self._step_seed = None
