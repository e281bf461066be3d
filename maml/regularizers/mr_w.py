"""MR-W: a bound, in nats, on the information of weights about the training tasks.

Both are of kernels, the weights of dense and convolutional layers; biases and scales stay free.
"""

import math
from collections.abc import Iterable, Sequence

import keras
import tensorflow as tf

from maml.core.checks import check_finite
from maml.core.episodes import fold_in
from maml.core.registry import REGULARIZERS
from maml.regularizers.base import Regularizer, normal_kl

ALL = "all"
"""In place of names of layers."""


@REGULARIZERS.register("mr_w")
class MRW(Regularizer):
    r"""MR-W: noise in the weights, and a penalty on the information that they hold despite it.

    Meta-regularization on weights (Yin et al. 2020, section 4.2, eq. 5), by Bayes by backprop
    (Blundell et al. 2015, arXiv 1505.05424): each kernel w on the way from x* to the prediction has
    a posterior :math:`N(w, \sigma^2)` with a learned :math:`\log\sigma` for every weight, and the
    meta-loss gets :math:`\beta \sum KL(N(w, \sigma^2) \| N(0, s^2))`, in nats: a bound on the
    information of the weights about the training tasks. A training step draws the weights once for
    all its tasks; elsewhere they are their means. Of weights that adapt, the shared start is noisy.

    A weight's :math:`\sigma` starts at ``sigma`` over the root of its fan-in, so that the noise of
    a unit's output has ``sigma`` times the size of its inputs however many these are: enough for
    the loss to have a gradient with respect to :math:`\sigma`. A start at 1e-7, as in the original
    code, disturbs no prediction, and the term is plain weight decay. Watch the metric ``sigma``
    move.

    Args:
        weight: beta, per nat.
        sigma: standard deviation that the noise of a unit's output starts with, for inputs of size
            one.
        prior_scale: s, the standard deviation of the prior.
        layers: names of the layers, or networks, whose kernels are noisy; ``["all"]`` for all of
            them, None for ``learner.query_layers()``.

    Raises:
        ValueError: ``sigma`` or ``prior_scale`` is not positive. When the learner's weights are
            created: it has no layer of that name, or the layers have no kernels.
    """

    title = "MR-W"
    symbol = "β"

    metric_names = ("mr_w_nats", "mr_w_sigma")

    reads_prediction = False

    def __init__(
        self,
        weight: float = 1e-5,
        sigma: float = 0.1,
        prior_scale: float = 1.0,
        layers: Sequence[str] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_finite(weight=weight)
        check_finite(above=0, sigma=sigma, prior_scale=prior_scale)
        self.weight, self.sigma, self.prior_scale = weight, sigma, prior_scale
        self.layers = None if layers is None else list(layers)
        self.log_sigmas = []

    def perturb(self, learner, seed):
        if not self.log_sigmas:
            return []
        return [
            (kernel, _draw(kernel, log_sigma, fold_in(seed, index)))
            for index, (kernel, log_sigma) in enumerate(self._posteriors(learner))
        ]

    def term(self, learner, episode, features, prediction, seed, training):
        # Before the first episode went through the learner, some of its layers had no kernels.
        if not self.log_sigmas:
            self.log_sigmas = [
                self._start(index, kernel, fan_in(kernel, learner))
                for index, kernel in enumerate(self._kernels(learner))
            ]
        pairs = self._posteriors(learner)
        means = _means(kernel for kernel, _ in pairs)
        log_sigmas = [tf.convert_to_tensor(log_sigma) for _, log_sigma in pairs]
        nats = tf.add_n(
            [
                tf.reduce_sum(normal_kl(mean, log_sigma, self.prior_scale))
                for mean, log_sigma in zip(means, log_sigmas, strict=True)
            ]
        )
        every = tf.concat([tf.reshape(log_sigma, [-1]) for log_sigma in log_sigmas], 0)
        return self.weight * nats, {"mr_w_nats": nats, "mr_w_sigma": tf.reduce_mean(tf.exp(every))}

    def _posteriors(self, learner):
        return list(zip(self._kernels(learner), self.log_sigmas, strict=True))

    def _kernels(self, learner):
        if self.layers is None:
            chosen = learner.query_layers()
        else:
            every = learner.own_layers()
            names = [layer.name for layer in every]
            unknown = sorted(set(self.layers) - {*names, ALL})
            if unknown:
                raise ValueError(
                    f"MRW's layers name no layer of the learner: {', '.join(unknown)}; its "
                    f"layers are {', '.join(names)}."
                )
            chosen = [layer for layer in every if ALL in self.layers or layer.name in self.layers]
        found = kernels(variable for layer in chosen for variable in layer.trainable_variables)
        if not found:
            raise ValueError(
                "MRW finds no kernel of a dense or convolutional layer on the way from x* to "
                "the prediction: name layers that have one by layers=."
            )
        return found

    def _start(self, index, kernel, inputs):
        log_sigma = math.log(self.sigma) - 0.5 * math.log(inputs)
        return self.add_weight(
            name=f"log_sigma_{index}",
            shape=kernel.shape,
            dtype=kernel.dtype,
            initializer=keras.initializers.Constant(log_sigma),
        )


def fan_in(kernel: keras.Variable, learner) -> int:
    """How many inputs each output of a kernel of the learner is a sum over."""
    for layer in learner._flatten_layers():
        # Of attention, whose kernels have axes of inputs, heads and features in some order.
        if isinstance(layer, keras.layers.EinsumDense) and layer.kernel is kernel:
            axes, outputs = layer.equation.split(",")[1].split("->")
            sizes = zip(axes, kernel.shape, strict=True)
            return math.prod(size for axis, size in sizes if axis not in outputs)
    return math.prod(kernel.shape[:-1])


def kernels(variables: Iterable[keras.Variable]) -> list[keras.Variable]:
    """Those that are kernels of dense and convolutional layers, each once."""
    return list({id(v): v for v in variables if v.name.endswith("kernel")}.values())


def _means(variables) -> list[tf.Tensor]:
    """Values of variables as they are kept, whatever a training step has them be."""
    with keras.StatelessScope():
        return [tf.convert_to_tensor(variable) for variable in variables]


def _draw(mean, log_sigma, seed) -> tf.Tensor:
    noise = tf.random.stateless_normal(mean.shape, seed, dtype=mean.dtype)
    return mean + tf.exp(log_sigma) * noise
