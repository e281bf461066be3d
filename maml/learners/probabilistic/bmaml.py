"""Bayesian MAML: several sets of weights that adapt together by Stein variational gradients."""

import keras
import numpy as np
import tensorflow as tf

from maml.core.checks import check_flags, check_whole
from maml.core.episodes import Episode
from maml.core.registry import LEARNERS
from maml.learners.gradient_based import inner_loop
from maml.learners.gradient_based.maml import padded_support
from maml.learners.probabilistic.weight_samples import WeightSamples, all_points, apart, merged
from maml.nn import functional


@LEARNERS.register("bmaml")
class BMAML(WeightSamples):
    r"""Bayesian MAML (Yoon et al. 2018, arXiv 1806.03836).

    M particles, sets of weights, adapt by Stein variational gradient descent (Liu and Wang 2016,
    arXiv 1608.04471, equation 8; their section 3.1). With the mean loss L of N shots a step is

    .. math::

        \phi_i \leftarrow \phi_i - \frac{\alpha}{M} \sum_j \left[ k(\phi_j, \phi_i) \nabla
        L(\phi_j) - \tfrac1N \nabla_{\phi_j} k(\phi_j, \phi_i) \right], \quad
        k(\phi, \phi') = e^{-|\phi - \phi'|^2 / h},

    where h is the median of the squared distances of pairs, over log M. That is the paper's
    step with its rate divided by N: the repulsion weighs as beside the sum of the losses. The prior
    over weights is flat. One particle without ``chaser`` is MAML.

    Training moves the start of the particles by the chaser loss (their section 3.2): after the
    inner steps on the support set the particles take ``leader_steps`` more on support set and
    queries together, and the loss is the squared distance to where these lead, which is held
    constant. Without ``chaser`` the loss is -log of the mixture's density at the queries. What does
    not adapt follows the query loss too.

    Args:
        network: as of :class:`maml.MAML`. Its weights are the first particle; the others are
            those shuffled, each kernel within itself, so that they are as large.
        head: as of :class:`maml.MAML`.
        particles: M.
        chaser: whether the loss is the chaser loss.
        leader_steps: steps of the leader beyond those of the inner loop.
        initializer_seed: seed of the shuffles.
        **kwargs: of :class:`maml.MAML`.

    Raises:
        ValueError: an option has an invalid value, or one that these inner steps do not have.
    """

    def __init__(
        self,
        network,
        head,
        particles: int = 5,
        chaser: bool = True,
        leader_steps: int = 1,
        initializer_seed: int = 0,
        **kwargs,
    ):
        super().__init__(network, head, **kwargs)
        check_whole(1, particles=particles, leader_steps=leader_steps)
        check_whole(0, initializer_seed=initializer_seed)
        check_flags(chaser=chaser)
        self.particles, self.chaser, self.leader_steps = particles, chaser, leader_steps
        self.initializer_seed = initializer_seed
        plain = {"inner_optimizer": "sgd", "inner_batch_size": None, "recompute": False}
        self._refuse_but("BMAML takes Stein steps on all shots", **plain)
        self.others = [
            Particle(self.functional.variables, [initializer_seed, number], dtype=self.dtype_policy)
            for number in range(1, particles)
        ]

    @classmethod
    def options_without_effect(cls, chaser, **others):
        own = {} if chaser else {"leader_steps": "chaser"}
        return super().options_without_effect(**others) | own

    def starts(self) -> list[tf.Tensor]:
        """Where the particles start, [particles, ...] of each weight."""
        sets = [self.functional.variables, *(particle.own for particle in self.others)]
        return [tf.stack(values) for values in zip(*map(functional.tensors, sets), strict=True)]

    def initial_state(self, batch_size):
        return [
            tf.broadcast_to(w, tf.concat([[batch_size], tf.shape(w)], 0)) for w in self.starts()
        ]

    def encode_path(self, x, y, training=False, mask=None):
        start = self.initial_state(tf.shape(x)[0])
        return self.stein_path(start, x, y, self.steps(training), mask)

    def stein_path(self, state, x, y, steps: int, mask=None) -> list[list[tf.Tensor]]:
        """Particles [tasks, particles, ...] before the first step and after each.

        Args:
            state: where they start.
            x: embeddings of shots [tasks, shots, ...].
            y: their labels [tasks, shots, dim].
            steps: number of steps.
            mask: which shots are real [tasks, shots]; None: all.
        """
        support = padded_support(
            *(part if part is None else self._each(part) for part in (x, y, mask))
        )
        if mask is None:
            shots = tf.fill(tf.shape(x)[:1], tf.cast(tf.shape(x)[1], y.dtype))
        else:
            shots = tf.maximum(tf.reduce_sum(tf.cast(mask, y.dtype), axis=1), 1)
        own = [tf.TensorSpec(v.shape, v.dtype) for v in self.functional.variables]
        signature, path, losses = (tf.TensorSpec([], own[0].dtype), own), [state], []
        for step, rates in enumerate(self.rates(steps)):

            def slope(task, step=step):
                weights, support = task
                loss, arguments = self.loss_of_task(*support)
                return inner_loop.slope(
                    loss, weights, arguments, step, self.inner_clip, self.first_order
                )

            loss, gradients = self.map_tasks(slope, (merged(path[-1]), support), signature)
            losses.append(tf.reduce_mean(apart(loss, self.particles), axis=1))
            gradients = [apart(g, self.particles) for g in gradients]
            directions = stein_directions(path[-1], gradients, shots)
            path.append([w - r * d for w, r, d in zip(path[-1], rates, directions, strict=True)])
        if losses:
            self._note_divergence(tf.stack(losses, axis=1))
        return path

    def _each(self, part) -> tf.Tensor:
        return tf.repeat(part, self.particles, axis=0)

    @property
    def exact_gradient(self):
        # The leader is held constant.
        return not self.chaser and super().exact_gradient

    def task_loss(self, embedded: Episode, training=False):
        if not (training and self.chaser):
            return super().task_loss(embedded, training)
        follower = self.encode_episode(embedded, training=True)
        x, y, mask = all_points(embedded)
        leader = self.stein_path(follower, x, y, self.leader_steps, mask)[-1]
        constant = [tf.stop_gradient(w) for w in follower]
        prediction = self.decode(constant, embedded.query_x)
        loss = tf.reduce_mean(self.head.loss(prediction, embedded.query_y))
        tasks = tf.cast(tf.shape(embedded.query_y)[0], loss.dtype)
        distance = tf.add_n(
            [
                tf.reduce_sum(tf.square(w - tf.stop_gradient(ahead))) / tasks
                for w, ahead in zip(follower, leader, strict=True)
            ]
        )
        # The logged value is the query loss; the gradient of what adapts is the distance's.
        return loss + distance - tf.stop_gradient(distance), prediction


class Particle(keras.layers.Layer):
    """One more set of the weights that adapt: those of the network, each shuffled within itself.

    Args:
        variables: of the network.
        seed: of the shuffles, a list of integers from 0 on.
        **kwargs: of ``keras.layers.Layer``.
    """

    def __init__(self, variables, seed, **kwargs):
        super().__init__(**kwargs)
        self.own = []
        for index, variable in enumerate(variables):
            values = keras.ops.convert_to_numpy(variable)
            shuffled = np.random.default_rng([*seed, index]).permutation(values.ravel())
            self.own.append(
                self.add_weight(
                    name=f"particle_{index}_{variable.name}",
                    shape=variable.shape,
                    dtype=variable.dtype,
                    initializer=_Values(shuffled.reshape(values.shape)),
                )
            )
        self.built = True


class _Values(keras.initializers.Initializer):
    def __init__(self, values):
        self.values = values

    def __call__(self, shape, dtype=None):
        return tf.constant(self.values, dtype)


def stein_directions(particles, gradients, shots) -> list[tf.Tensor]:
    r"""What a Stein step subtracts from each particle, times the rate; see :class:`BMAML`.

    :math:`\frac1M \sum_j [k_{ji} g_j + \frac{2}{h N} k_{ji} (\phi_j - \phi_i)]`, since
    :math:`\nabla_{\phi_j} k_{ji} = -\frac2h (\phi_j - \phi_i) k_{ji}`.

    Args:
        particles: [tasks, particles, ...] of each weight.
        gradients: of the mean loss, like them.
        shots: N of each task, [tasks].

    Returns:
        Like ``particles``.
    """
    count = particles[0].shape[1]
    if count == 1:  # The kernel is 1, and has no slope.
        return gradients
    flat, slopes = (
        tf.concat([tf.reshape(p, [tf.shape(p)[0], count, -1]) for p in parts], axis=-1)
        for parts in (particles, gradients)
    )
    kernel, bandwidth = radial_kernel(flat)
    attraction = tf.matmul(kernel, slopes)
    along = tf.matmul(kernel, flat) - tf.reduce_sum(kernel, axis=-1, keepdims=True) * flat
    scale = 2 / (bandwidth * shots)
    direction = (attraction + scale[:, tf.newaxis, tf.newaxis] * along) / count
    pieces = tf.split(direction, [int(np.prod(p.shape[2:])) for p in particles], axis=-1)
    return [tf.reshape(piece, tf.shape(p)) for piece, p in zip(pieces, particles, strict=True)]


def radial_kernel(points) -> tuple[tf.Tensor, tf.Tensor]:
    """exp(-squared distance / h) of all pairs, [tasks, n, n], and h, [tasks].

    h is the median of the squared distances between different points, over log n.

    Args:
        points: [tasks, n, size], two or more.
    """
    count = points.shape[1]
    # Around their mean, lest the products cancel.
    points -= tf.reduce_mean(points, axis=1, keepdims=True)
    squares = tf.reduce_sum(tf.square(points), axis=-1)
    products = tf.matmul(points, points, transpose_b=True)
    distances = tf.maximum(squares[:, :, tf.newaxis] + squares[:, tf.newaxis] - 2 * products, 0)
    above = np.flatnonzero(np.triu(np.ones([count, count]), 1))
    pairs = tf.sort(tf.gather(tf.reshape(distances, [-1, count**2]), above, axis=1), axis=1)
    middle = len(above) // 2
    median = (pairs[:, (len(above) - 1) // 2] + pairs[:, middle]) / 2
    bandwidth = tf.maximum(median, 1e-12) / np.log(count)
    return tf.exp(-distances / bandwidth[:, tf.newaxis, tf.newaxis]), bandwidth
