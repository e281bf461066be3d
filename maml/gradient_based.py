"""Learners whose task state is a set of adapted weights."""

import keras
import tensorflow as tf

from maml import functional
from maml.likelihoods import Head
from maml.meta_learner import MetaLearner


class MAML(MetaLearner):
    """Model-agnostic meta-learning (Finn et al. 2017, arXiv 1703.03400), any Keras network.

    Args:
        network: maps inputs [n, ...] to outputs [n, head.units]; built. All its trainable weights
            adapt. Batch normalisation is transductive, see :func:`maml.functional.call`; for second
            order it must be :class:`maml.CurrentBatchNormalization`.
        head: from outputs to a distribution over labels; its loss is the inner loss too.
        inner_lr: learning rate of the inner loop.
        inner_steps: inner steps in meta-training.
        test_inner_steps: inner steps elsewhere; as in training if None.
        first_order: first-order MAML: no second derivatives, in any step.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: the network holds a layer whose second derivative is wrong.
    """

    def __init__(
        self,
        network: keras.Model,
        head: Head,
        inner_lr: float = 0.01,
        inner_steps: int = 5,
        test_inner_steps: int | None = None,
        first_order: bool = False,
        **kwargs,
    ):
        super().__init__(head, **kwargs)
        wrong = [
            layer.name
            for layer in network._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        if wrong and not first_order:
            raise ValueError(
                f"The second derivative of keras.layers.BatchNormalization ({', '.join(wrong)}) is "
                "wrong, and so would be the meta-gradient: use maml.CurrentBatchNormalization, or "
                "first_order=True."
            )
        self.network = network
        self.inner_lr = inner_lr
        self.inner_steps = inner_steps
        self.test_inner_steps = inner_steps if test_inner_steps is None else test_inner_steps
        self.first_order = first_order

    def adapt(self, x, y, steps: int) -> list[tf.Tensor]:
        """Weights after ``steps`` inner steps on *one* task's support, [shots, ...] each."""

        def loss(weights):
            prediction = self.head(functional.call(self.network, weights, x))
            return tf.reduce_mean(self.head.loss(prediction, y))

        start = functional.weights_of(self.network)
        return functional.sgd(loss, start, self.inner_lr, steps, self.first_order)

    def encode(self, x, y, training=False):
        steps = self.inner_steps if training else self.test_inner_steps
        return _map_tasks(lambda task: self.adapt(*task, steps), (x, y), self._weight_signature())

    def predict(self, d, x):
        dtype = self.network.trainable_variables[0].dtype

        def outputs(task):
            return tf.cast(functional.call(self.network, *task), dtype)

        return self.head(_map_tasks(outputs, (d, x), tf.TensorSpec(None, dtype)))

    def prior(self, tasks):
        return [
            tf.broadcast_to(w, tf.concat([[tasks], tf.shape(w)], 0))
            for w in functional.weights_of(self.network)
        ]

    def _weight_signature(self):
        return [tf.TensorSpec(v.shape, v.dtype) for v in self.network.trainable_variables]


def _map_tasks(function, elements, signature):
    """``function`` of each task in turn: for convolutions on CPU faster than any batching."""
    return tf.map_fn(function, elements, fn_output_signature=signature)
