"""Implicit MAML: adapted weights that solve a problem, and the gradient of a solution."""

from collections.abc import Callable

import tensorflow as tf

from maml.core.checks import check_counts, check_finite
from maml.core.registry import LEARNERS
from maml.learners.gradient_based.maml import AFTER_LAST_STEP, MAML, padded_support
from maml.nn import functional


def conjugate_gradient(matvec: Callable, b: tf.Tensor, steps: int) -> tf.Tensor:
    """Solves A x = b for a symmetric positive definite A (Hestenes & Stiefel 1952).

    It is exact after as many steps as A has distinct eigenvalues.

    Args:
        matvec: from a vector [n] to A times it.
        b: right-hand side, [n].
        steps: how often A is applied.

    Returns:
        x, [n].
    """
    x, residual, direction = tf.zeros_like(b), b, b
    square = tf.reduce_sum(residual**2)
    for _ in range(steps):
        image = matvec(direction)
        # As far along the direction as the error, in the norm of A, goes down.
        rate = tf.math.divide_no_nan(square, tf.reduce_sum(direction * image))
        x += rate * direction
        residual -= rate * image
        # The next direction is conjugate to all before; the residual alone is steepest descent.
        previous, square = square, tf.reduce_sum(residual**2)
        direction = residual + tf.math.divide_no_nan(square, previous) * direction
    return x


def neumann(matvec: Callable, b: tf.Tensor, steps: int) -> tf.Tensor:
    r"""Solves A x = b by :math:`\sum_{k=0}^{K} (I - A)^k b` (Lorraine et al. 2020).

    It converges where all eigenvalues of A are between 0 and 2.

    Args:
        matvec: from a vector [n] to A times it.
        b: right-hand side, [n].
        steps: K, how often A is applied.

    Returns:
        x, [n].
    """
    x = term = b
    for _ in range(steps):
        term -= matvec(term)
        x += term
    return x


SOLVERS = {"cg": conjugate_gradient, "neumann": neumann}
"""Solvers of A x = b by name: functions ``(matvec, b, steps) -> x``."""


@LEARNERS.register("imaml")
class IMAML(MAML):
    r"""Implicit MAML (Rajeswaran et al. 2019, arXiv 1909.04630).

    The adapted weights solve the problem (eq. 4)

    .. math:: \phi^* = \arg\min_\phi L_D(\phi) + \frac\lambda2 \lVert \phi - \theta \rVert^2,

    which the inner loop approximates. The meta-gradient follows from the solution alone: with g
    that of the query loss at :math:`\phi^*` it is :math:`(I + \nabla^2 L_D(\phi^*) / \lambda)^{-1}
    g` (lemma 1), found by ``solver_steps`` products with the Hessian. Memory does not grow with
    ``inner_steps``. The embedding and the layers that do not adapt move the solution too, and get
    the gradient of that.

    It is exact at a solution only: take enough inner steps, at a rate below :math:`2 / (\lambda +
    c)` with c the largest curvature of :math:`L_D`. With few, it is an approximation. ``damping``
    makes it robust to that, and to negative curvature: it is added to :math:`\lambda` under the
    Hessian, as if the solution were held more firmly, up to FOMAML's gradient at infinity.

    Args:
        network: as of :class:`MAML`.
        head: as of :class:`MAML`.
        regularization: :math:`\lambda`, how strongly the solution is held near the start; 2 is the
            paper's on Omniglot. It should exceed the most negative curvature of :math:`L_D`, so
            that there is one solution nearby.
        solver: of the linear system: "cg" (conjugate gradient), "neumann" (converges where
            :math:`\lambda` exceeds all curvatures), or a function ``(matvec, b, steps) -> x`` of
            vectors [n]; to be saved, it must be registered with Keras.
        solver_steps: products with the Hessian that the solver may take.
        damping: what is added to :math:`\lambda` under the Hessian of the meta-gradient; 0 is the
            paper's gradient. The authors' code solves :math:`(1 + c) u + H u / (\lambda + 10) = g`
            with c = 1 on Omniglot, which is, but for half the length, a damping of 22.
        **kwargs: of :class:`MAML`, without ``recompute``.

    Raises:
        ValueError: an option has an invalid value.
    """

    title = "iMAML"

    exact_gradient = False  # That of a solution, which the inner loop approximates.

    def __init__(
        self,
        network,
        head,
        regularization: float = 2.0,
        solver: str | Callable = "cg",
        solver_steps: int = 5,
        damping: float = 0.0,
        **kwargs,
    ):
        super().__init__(network, head, **kwargs)
        self.regularization, self.damping = regularization, damping
        self.solver, self.solver_steps = solver, solver_steps
        if self.first_order:
            raise ValueError(
                "Invalid value for `first_order`: expected False, since IMAML's meta-gradient is "
                "made of the Hessian; received True. Use FOMAML for a gradient without it."
            )
        self._refuse_but("no inner step is kept anyway", recompute=False)
        check_finite(above=0, regularization=regularization)
        check_finite(least=0, damping=damping)
        check_counts(solver_steps=solver_steps)
        if not callable(solver) and solver not in SOLVERS:
            raise ValueError(
                f"Invalid value for `solver`: expected one of {', '.join(SOLVERS)}, or a function "
                f"(matvec, b, steps) -> x; received {solver!r}."
            )

    def inner_loss(self, weights, shared, x, y, step=AFTER_LAST_STEP, mask=None):
        """The regularized loss [] of one task's support set [shots, ...] at these weights.

        All steps minimise one function: normalization by step takes that of the predictions.
        """
        start = functional.tensors(self.functional.variables)
        distance = tf.add_n(
            [tf.reduce_sum(tf.square(w - s)) for w, s in zip(weights, start, strict=True)]
        )
        loss = super().inner_loss(weights, shared, x, y, mask=mask)
        return loss + self.regularization / 2 * distance

    def encode_path(self, x, y, training=False, mask=None):
        """The task state after no step, one step, and so on: ``steps + 1`` of them.

        The last is treated as the solution and has its gradient. Those before it are constants.
        """
        start, *visited = super().encode_path(x, y, training, mask)
        visited = tf.nest.map_structure(tf.stop_gradient, visited)
        if visited:
            visited[-1] = self._solution(visited[-1], start, x, y, mask)
        return [start, *visited]

    def _solution(self, solution, start, x, y, mask=None):
        """The adapted weights [tasks, ...] as a function of all that the inner problem holds.

        For all tasks at once, since ``tf.vectorized_map`` drops custom gradients inside of it.
        """
        shared = functional.tensors(self.functional.shared)

        @tf.custom_gradient
        def solve(*_):
            def backward(*upstream):
                signature = tf.nest.map_structure(
                    lambda part: tf.TensorSpec(part.shape[1:], part.dtype), (start, x, y)
                ) + ([tf.TensorSpec(part.shape, part.dtype) for part in shared],)
                by_start, by_x, by_y, by_shared = self.map_tasks(
                    lambda task: self._pull_back(task[0], task[1], shared, *task[2:]),
                    (list(upstream), solution, *padded_support(x, y, mask)),
                    signature,
                )
                return [*by_start, by_x, by_y, *(tf.reduce_sum(part, 0) for part in by_shared)]

            return solution, backward

        return solve(*start, x, y, *shared)

    def _pull_back(self, upstream, solution, shared, x, y, mask=None):
        r"""From the gradient g at one task's solution to those at what the solution depends on.

        Optimality, :math:`F = \nabla_\phi L(\phi; x, y, s) + \lambda (\phi - \theta) = 0`, holds
        however its arguments change, so :math:`(H + \lambda I)\, d\phi = \lambda\, d\theta -
        d_{x, y, s} \nabla_\phi L` with :math:`H = \nabla^2_\phi L`.
        """
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([solution, x, y, shared])
            with tf.GradientTape() as inner:
                inner.watch(solution)
                loss = super().inner_loss(solution, shared, x, y, mask=mask)
            # slope = grad_phi L
            slope = inner.gradient(loss, solution, unconnected_gradients="zero")

        def of_slope(u, sources):
            # (d grad_phi L / d source)^T u
            return tape.gradient(slope, sources, _like(solution, u), unconnected_gradients="zero")

        # u = (I + H / (lambda + damping))^-1 g
        solver = self.solver if callable(self.solver) else SOLVERS[self.solver]
        firmness = self.regularization + self.damping
        u = solver(
            lambda v: v + _flat(of_slope(v / firmness, solution)),
            _flat(upstream),
            self.solver_steps,
        )
        # theta gets u; x, y and s get -(d grad_phi L)^T u / (lambda + damping).
        return _like(solution, u), *of_slope(-u / firmness, [x, y, shared])


def _flat(parts) -> tf.Tensor:
    """All numbers of a list of tensors, [n]."""
    return tf.concat([tf.reshape(part, [-1]) for part in parts], 0)


def _like(parts, vector) -> list[tf.Tensor]:
    """A vector [n] cut into tensors of the shapes of ``parts``."""
    pieces = tf.split(vector, [part.shape.num_elements() for part in parts])
    return [tf.reshape(piece, part.shape) for piece, part in zip(pieces, parts, strict=True)]
