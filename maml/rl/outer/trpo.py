"""Trust-region steps of meta-weights."""

import keras
import tensorflow as tf

from maml.core.checks import check_counts, check_finite
from maml.core.registry import OUTER
from maml.rl.outer.surrogate import Surrogate


@OUTER.register("trpo")
class TRPO(keras.optimizers.SGD):
    r"""TRPO outside of the inner loop (Schulman et al. 2015, arXiv 1502.05477; Finn et al. 2017).

    The step s of the meta-weights maximises the importance-weighted advantage of the *adapted*
    policies, with the mean KL divergence from the old adapted policies at most ``max_kl``. It is
    along :math:`x = H^{-1} g` by conjugate gradient, H the Hessian of the divergence, of length
    :math:`\sqrt{2\,\mathrm{max\_kl} / x^\top H x}`, shortened until the surrogate falls and the
    divergence holds. Products with H are exact second derivatives through the inner step, on a
    share of the trajectories; the line search takes all.

    Args:
        max_kl: the largest mean divergence in nats.
        damping: added to the diagonal of H.
        cg_steps: steps of conjugate gradient.
        curvature_share: share of the trajectories that products with H are made of.
        backtracks: the most shortenings.
        shrink: factor of a shortening, 0.99 at most.

    Raises:
        ValueError: a number has no meaning.
    """

    metric_names = ("kl", "accepted")

    def __init__(
        self,
        max_kl: float = 0.01,
        damping: float = 1e-5,
        cg_steps: int = 10,
        curvature_share: float = 0.2,
        backtracks: int = 15,
        shrink: float = 0.8,
    ):
        check_counts(cg_steps=cg_steps, backtracks=backtracks)
        check_finite(above=0, max_kl=max_kl)
        check_finite(above=0, most=1, curvature_share=curvature_share)
        check_finite(above=0, most=0.99, shrink=shrink)
        check_finite(least=0, damping=damping)
        super().__init__(1.0, name="trpo")
        self.max_kl, self.damping, self.cg_steps = max_kl, damping, cg_steps
        self.curvature_share, self.backtracks, self.shrink = curvature_share, backtracks, shrink

    def meta_step(self, learner, episode, seed):
        """One step of a learner; what ``MetaLearner.train_step`` calls.

        Returns:
            ``(logs, prediction, labels, finite)``: with ``kl`` of the step and ``accepted``.
        """
        variables = learner.learner_variables
        every = Surrogate(learner, episode, seed)
        with tf.GradientTape() as tape:
            logs, start, prediction, y = every.forward()
        gradient = _flat(tape.gradient(start, variables, unconnected_gradients="zero"))
        part = Surrogate(learner, every.share_of_trajectories(self.curvature_share), seed)
        part.forward()

        def product(vector):
            """H times a vector, with damping."""
            parts = _like(vector, variables)
            with tf.GradientTape() as outer:
                with tf.GradientTape() as inner:
                    divergence = part.divergence()
                slopes = inner.gradient(divergence, variables, unconnected_gradients="zero")
                along = tf.add_n([tf.reduce_sum(a * b) for a, b in zip(slopes, parts, strict=True)])
            second = outer.gradient(along, variables, unconnected_gradients="zero")
            return _flat(second) + self.damping * vector

        direction = conjugate_gradient(product, gradient, self.cg_steps)
        curvature = tf.maximum(tf.reduce_sum(direction * product(direction)), 1e-12)
        full = direction * tf.sqrt(2 * self.max_kl / curvature)
        finite = tf.reduce_all(tf.math.is_finite(full))
        full = tf.where(finite, full, tf.zeros_like(full))
        before = [tf.identity(variable) for variable in variables]
        accepted, divergence = self._search(every, variables, before, full, start)
        self.iterations.assign_add(1)
        logs |= {"kl": divergence, "accepted": tf.cast(accepted, divergence.dtype)}
        return logs, prediction, y, finite

    def _search(self, every, variables, before, full, start):
        """Moves the variables by the longest step that is accepted, or not at all."""

        def move(length):
            for variable, old, step in zip(variables, before, _like(full, variables), strict=True):
                variable.assign(old - length * step)

        def go_on(number, length, accepted, divergence):
            return tf.logical_and(number < self.backtracks, tf.logical_not(accepted))

        def attempt(number, length, accepted, divergence):
            move(length)
            value, divergence = every.value()
            # Where nothing is finite, neither comparison holds.
            accepted = tf.logical_and(value < start, divergence <= self.max_kl)
            length = tf.where(accepted, length, length * self.shrink)
            return number + 1, length, accepted, divergence

        one = tf.ones([], full.dtype)
        _, _, accepted, divergence = tf.while_loop(
            go_on, attempt, (tf.constant(0), one, tf.constant(False), tf.zeros([], full.dtype))
        )
        for variable, old in zip(variables, before, strict=True):
            variable.assign(tf.where(accepted, variable, old))
        return accepted, tf.where(accepted, divergence, tf.zeros_like(divergence))


def conjugate_gradient(product, target, steps: int) -> tf.Tensor:
    """Solves H x = target for a symmetric positive H (Hestenes & Stiefel 1952).

    Args:
        product: from a vector to H times it.
        target: [n].
        steps: how many; it stops earlier where the residual vanishes.

    Returns:
        x, [n].
    """

    def go_on(number, x, residual, direction, square):
        return tf.logical_and(number < steps, square > 1e-10)

    def step(number, x, residual, direction, square):
        moved = product(direction)
        length = square / tf.reduce_sum(direction * moved)
        x = x + length * direction
        residual = residual - length * moved
        following = tf.reduce_sum(residual**2)
        direction = residual + following / square * direction
        return number + 1, x, residual, direction, following

    start = (tf.constant(0), tf.zeros_like(target), target, target, tf.reduce_sum(target**2))
    return tf.while_loop(go_on, step, start)[1]


def _flat(parts) -> tf.Tensor:
    return tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)


def _like(vector, variables) -> list[tf.Tensor]:
    """A flat vector in the shapes of some variables."""
    sizes = [int(tf.TensorShape(variable.shape).num_elements()) for variable in variables]
    return [
        tf.reshape(part, variable.shape)
        for part, variable in zip(tf.split(vector, sizes), variables, strict=True)
    ]
