"""Variants of MAML: first order, one layer, learned rates, and a loss after each step."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from maml.core.checks import check_whole
from maml.core.episodes import Episode, support_mask
from maml.core.registry import LEARNERS
from maml.learners.gradient_based.maml import MAML
from maml.nn import functional


@LEARNERS.register("fomaml")
class FOMAML(MAML):
    """First-order MAML (Finn et al. 2017, section 5.2): no derivatives of inner gradients.

    The gradient of *every* inner step is treated as a constant, so the meta-gradient is the query
    loss's at the adapted weights.

    Args:
        *args: of :class:`MAML`.
        **kwargs: of :class:`MAML`.
    """

    def __init__(self, network, head, first_order: bool = True, **kwargs):
        super().__init__(network, head, first_order=first_order, **kwargs)


@LEARNERS.register("anil")
class ANIL(MAML):
    """Almost no inner loop (Raghu et al. 2020, arXiv 1909.09157): only the last layer adapts.

    Args:
        network: as of :class:`MAML`.
        head: as of :class:`MAML`.
        adapt_only: names of the layers that adapt; the last with weights if None.
        **kwargs: of :class:`MAML`.
    """

    def __init__(self, network, head, adapt_only: Sequence[str] | None = None, **kwargs):
        if adapt_only is None:
            adapt_only = [functional.last_layer(network).name]
        super().__init__(network, head, adapt_only=adapt_only, **kwargs)


@LEARNERS.register("metasgd")
class MetaSGD(MAML):
    """Meta-SGD (Li et al. 2017, arXiv 1707.09835): a learned rate for every adapting weight.

    Args:
        network: as of :class:`MAML`.
        head: as of :class:`MAML`.
        inner_lr: where all rates start.
        **kwargs: of :class:`MAML`.
    """

    title = "Meta-SGD"

    def __init__(self, network, head, inner_lr: float = 0.01, **kwargs):
        super().__init__(network, head, inner_lr=inner_lr, **kwargs)
        self.learned_rates = [
            self.add_weight(
                name=f"rate_{index}",
                shape=variable.shape,
                dtype=variable.dtype,
                initializer=keras.initializers.Constant(inner_lr),
            )
            for index, variable in enumerate(self.functional.variables)
        ]

    def rates(self, steps):
        return [functional.tensors(self.learned_rates)] * steps


@LEARNERS.register("maml++")
class MAMLPlusPlus(MAML):
    r"""MAML++ (Antoniou et al. 2019, arXiv 1810.09502): rates by layer and step, multi-step loss.

    The training loss is :math:`\sum_k v_k L^*(\phi_k)` over the query losses after each inner step.
    The weights v start equal and move to the last step linearly over ``multi_step`` training steps.
    The paper's normalization by step is ``maml.nn.normalization.layer("step")`` in the network, its
    derivative-order annealing is ``first_order`` for a start.

    Args:
        network: as of :class:`MAML`.
        head: as of :class:`MAML`.
        inner_lr: where all rates start.
        inner_steps: inner steps in meta-training; further ones use the rates of the last.
        multi_step: training steps until only the loss after the last inner step counts.
        **kwargs: of :class:`MAML`.

    Raises:
        ValueError: as :class:`MAML`, or ``inner_steps`` is less than 1.
    """

    title = "MAML++"

    def __init__(
        self,
        network,
        head,
        inner_lr: float = 0.01,
        inner_steps: int = 5,
        multi_step: int = 1000,
        **kwargs,
    ):
        super().__init__(network, head, inner_lr=inner_lr, inner_steps=inner_steps, **kwargs)
        if inner_steps < 1:
            raise ValueError(
                "Invalid value for `inner_steps`: MAML++ expects 1 or more, since its loss is that "
                f"after each of them; received {inner_steps}."
            )
        check_whole(0, multi_step=multi_step)
        self.multi_step = multi_step
        # A layer's variables, such as kernel and bias, share a rate.
        self._layers_of = [
            variable.path.rpartition("/")[0] for variable in self.functional.variables
        ]
        self.learned_rates = {
            layer: self.add_weight(
                name="rates_" + layer.replace("/", "_"),
                shape=(inner_steps,),
                initializer=keras.initializers.Constant(inner_lr),
            )
            for layer in dict.fromkeys(self._layers_of)
        }

    def rates(self, steps):
        last = self.inner_steps - 1
        tables = {layer: tf.convert_to_tensor(v) for layer, v in self.learned_rates.items()}
        return [
            [tables[layer][min(step, last)] for layer in self._layers_of] for step in range(steps)
        ]

    def task_loss(self, embedded: Episode, training=False):
        if not training:
            return super().task_loss(embedded, training)
        mask = support_mask(embedded)
        if mask is not None:
            self.check_takes_masks()
        x, y = embedded.support_x, embedded.support_y
        states = self.encode_path(x, y, training=True, mask=mask)[1:]
        predictions = [
            self.decode(state, embedded.query_x, k + 1) for k, state in enumerate(states)
        ]
        losses = tf.stack(
            [tf.reduce_mean(self.head.loss(p, embedded.query_y)) for p in predictions]
        )
        return tf.reduce_sum(self._importance(losses.dtype) * losses), predictions[-1]

    def _importance(self, dtype) -> tf.Tensor:
        """The weights v of the losses after each step, [inner_steps]; they add up to one."""
        optimizer = getattr(self, "optimizer", None)
        seen = 0 if optimizer is None else optimizer.iterations
        done = tf.minimum(tf.cast(seen, dtype) / max(self.multi_step, 1), 1.0)
        done = done if self.multi_step else tf.ones_like(done)
        last = tf.one_hot(self.inner_steps - 1, self.inner_steps, dtype=dtype)
        return (1 - done) / self.inner_steps + done * last
