"""Exact posteriors over finitely many functions: of the training tasks, or of a grid."""

import abc
import math

import tensorflow as tf

from maml.core.checks import check_whole
from maml.core.registry import LEARNERS
from maml.distributions.mixture import mix
from maml.distributions.normal import Normal
from maml.learners.exact.base import ExactLearner
from mine.reporting.processes import resources

OF_A_FUNCTION = 4 * 160
"""Bytes of a function's values at the shots of a batch: 16 tasks of ten."""


class DiscretePosterior(ExactLearner):
    r"""The posterior over functions :math:`f_1, \dots, f_M`, and the mixture that it predicts.

    :math:`p(m | D) \propto p(m) \exp(-\sum_k (y_k - f_m(x_k))^2 / 2 \sigma^2)`, and the prediction
    at x is :math:`\sum_m p(m | D)\, N(f_m(x), \sigma^2)`. The task state is :math:`\log p(m, D)` up
    to a constant, [tasks, functions].
    """

    @abc.abstractmethod
    def functions(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Parameters [functions, parameters] and log-probabilities [functions]."""

    def encode(self, x, y, training=False, mask=None):
        parameters, log_prior = self.functions()
        squares = (y - self.prior.values(parameters, x)) ** 2
        if mask is not None:
            squares = tf.where(mask[..., tf.newaxis], squares, tf.zeros_like(squares))
        log_likelihood = -0.5 * tf.reduce_sum(squares, axis=1) / self.prior.noise**2
        return log_likelihood + tf.cast(log_prior, x.dtype)

    def decode(self, state, x):
        return self.mixture(self.functions()[0], state, x)

    def mixture(self, parameters, log_weights, x):
        """The prediction at x of functions that have weights, [tasks, functions]."""
        values = tf.transpose(self.prior.values(parameters, x), [2, 0, 1])[..., tf.newaxis]
        return mix(Normal(values, self.prior.noise), tf.transpose(log_weights)[..., tf.newaxis])

    def initial_state(self, batch_size):
        log_prior = tf.cast(self.functions()[1], self.compute_dtype)
        return tf.repeat(log_prior[tf.newaxis], batch_size, axis=0)


@LEARNERS.register("posterior_over_tasks")
class PosteriorOverTasks(DiscretePosterior):
    r"""The exact memorizer: the posterior over the training tasks, and over no others.

    Its mean is the discrete minimum mean squared error estimator (dMMSE) of Raventos et al. 2023
    (arXiv 2306.15063, eq. 3). No learner has less error on training tasks; on new tasks it answers
    by the training tasks that fit them best.

    Args:
        prior: the distribution of the tasks.
        head: as of :class:`ExactLearner`.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: there are infinitely many training tasks, or another head.
    """

    title = "posterior over tasks"

    def __init__(self, prior, head, **kwargs):
        super().__init__(prior, head, **kwargs)
        if not prior.train_tasks:
            raise ValueError(
                "Invalid value for `train_tasks`: posterior_over_tasks expects a number of "
                "training tasks, 1 or more; received 0, infinitely many. Use "
                '--task_options="train_tasks=64", or another learner.'
            )
        resources.require("train_tasks", prior.train_tasks, OF_A_FUNCTION * prior.train_tasks)

    def functions(self):
        parameters = self.prior.training_parameters()
        return parameters, tf.zeros(tf.shape(parameters)[:1])


@LEARNERS.register("grid_posterior")
class GridPosterior(DiscretePosterior):
    """Exact Bayes on a grid over the parameters of all tasks: the best learner, up to its spacing.

    A support set leaves most of the grid without weight, so that predictions are mixed of its most
    probable functions alone. The task state is their parameters and log-weights. Without a support
    set they are a coarse grid.

    Args:
        prior: the distribution of the tasks, of two parameters.
        head: as of :class:`ExactLearner`.
        points: of the grid along each parameter; at a standard deviation of the posterior between
            two points the rule is exact to a relative 1e-8, at two of them to 1 %.
        kept: functions that predictions are mixed of.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: tasks of too many parameters, or another head.
    """

    title = "exact Bayes"

    def __init__(self, prior, head, points: int = 64, kept: int = 1024, **kwargs):
        super().__init__(prior, head, **kwargs)
        check_whole(1, points=points, kept=kept)
        resources.require("points", points, 2 * OF_A_FUNCTION * float(points) ** 2)
        self.points, self.kept = points, kept
        # Refuses tasks that have none.
        self._kinds = prior.grid(1)[0].shape[0]

    def functions(self):
        return self.prior.grid(self.points)

    def encode(self, x, y, training=False, mask=None):
        log_weights = super().encode(x, y, training, mask)
        count = min(self.kept, log_weights.shape[-1])
        log_weights, index = tf.math.top_k(log_weights, count)
        return tf.cast(tf.gather(self.functions()[0], index), x.dtype), log_weights

    def decode(self, state, x):
        return self.mixture(*state, x)

    def initial_state(self, batch_size):
        coarse = max(1, min(self.points, math.isqrt(self.kept // self._kinds)))
        return tuple(
            tf.cast(tf.repeat(part[tf.newaxis], batch_size, axis=0), self.compute_dtype)
            for part in self.prior.grid(coarse)
        )
