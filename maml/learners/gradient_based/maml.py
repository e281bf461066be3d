"""MAML: the task state is a set of adapted weights, by differentiable gradient descent."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from maml.core.checks import check_counts, check_finite, check_whole
from maml.core.episodes import Episode, real_shots_first, support_mask
from maml.core.registry import LEARNERS
from maml.distributions.base import Head
from maml.learners.base import MetaLearner, per_input
from maml.learners.gradient_based import inner_loop, task_gradient
from maml.nn import functional, normalization, task_map

_HOOKS = (
    "embed", "features", "encode", "encode_episode", "encode_path", "descend", "initial_state",
    "decode", "outputs", "map_tasks", "task_loss",
)  # fmt: skip
"""What a loop over tasks does in one go, unless a subclass has its own."""

AFTER_LAST_STEP = 2**31
"""The step number of predictions: after any number of inner steps."""


@LEARNERS.register("maml")
class MAML(MetaLearner):
    r"""Model-agnostic meta-learning (Finn et al. 2017, arXiv 1703.03400), any Keras network.

    :math:`\phi_0 = \theta,\; \phi_{k+1} = \phi_k - \alpha \nabla L_D(\phi_k)`; the meta-gradient is
    that of the query loss at :math:`\phi_K` with respect to :math:`\theta`, second derivatives
    included.

    Args:
        network: maps what ``embedding`` gives, [n, ...], to outputs [n, head.units]; built. For
            second order its batch normalization must be of :mod:`maml.nn.normalization`.
        head: from outputs to a distribution over labels; its loss is the inner loss too.
        embedding: Keras network from inputs [n, ...] to what ``network`` takes, shared by all
            tasks: it does not adapt. None: the inputs themselves.
        inner_lr: learning rate of the inner loop.
        inner_steps: inner steps in meta-training.
        test_inner_steps: inner steps elsewhere; as in training if None.
        first_order: first-order MAML: no second derivatives, in any step.
        adapt_only: names of the layers of ``network`` that adapt; all if None.
        inner_optimizer: "sgd" or "adam".
        inner_clip: largest global norm of an inner step's gradient; None for any.
        inner_batch_size: shots an inner step sees, the next ones in turn; None for all.
        task_map: how tasks are mapped, see :mod:`maml.nn.task_map`.
        recompute: compute inner steps again in the backward pass: less memory, more time.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: an option is invalid, or a layer of ``network`` has a wrong second derivative.
    """

    second_order = True
    """Whether the meta-gradient goes through second derivatives, unless ``first_order``."""

    def __init__(
        self,
        network: keras.Model,
        head: Head,
        embedding: keras.Model | None = None,
        inner_lr: float = 0.01,
        inner_steps: int = 5,
        test_inner_steps: int | None = None,
        first_order: bool = False,
        adapt_only: Sequence[str] | None = None,
        inner_optimizer: str = "sgd",
        inner_clip: float | None = None,
        inner_batch_size: int | None = None,
        task_map: str = "auto",
        recompute: bool = False,
        **kwargs,
    ):
        super().__init__(head, **kwargs)
        self.network, self.embedding = network, embedding
        self.inner_lr, self.inner_steps = inner_lr, inner_steps
        self.test_inner_steps = test_inner_steps
        self.first_order, self.recompute = first_order, recompute
        self.adapt_only = None if adapt_only is None else list(adapt_only)
        self.inner_optimizer, self.inner_clip = inner_optimizer, inner_clip
        self.inner_batch_size, self.task_map = inner_batch_size, task_map
        self._creates_weights = self._fits = False
        self._check()
        self.functional = functional.Functional(network, adapt_only)
        self.diverged = self.add_weight(
            name="diverged", shape=(2,), dtype="int32", initializer="zeros", trainable=False
        )

    @classmethod
    def options_without_effect(cls, task_map, **others) -> dict[str, str]:
        """Options that have no effect beside the others -> the option that is the reason."""
        return {"recompute": "task_map"} if task_map == "vectorized" else {}

    def _refuse_but(self, reason: str, **only):
        """Refuses options of which this learner has one value only."""
        for name, value in only.items():
            if getattr(self, name) != value:
                raise ValueError(
                    f"Invalid value for `{name}`: expected {value!r}, since {reason}; received "
                    f"{getattr(self, name)!r}. Leave it out."
                )

    def _check(self):
        check_whole(0, inner_steps=self.inner_steps, test_inner_steps=self.test_inner_steps or 0)
        check_counts(inner_batch_size=self.inner_batch_size)
        check_finite(least=0, inner_lr=self.inner_lr)
        if self.inner_clip is not None:
            check_finite(above=0, inner_clip=self.inner_clip)
        if self.inner_optimizer not in inner_loop.OPTIMIZERS:
            raise ValueError(
                "Invalid value for `inner_optimizer`: expected one of "
                f"{', '.join(inner_loop.OPTIMIZERS)}; received {self.inner_optimizer!r}."
            )
        task_map.choose(self.task_map, self.network)
        wrong = normalization.wrong_second_derivatives(self.network)
        if wrong and self.second_order and not self.first_order:
            raise ValueError(
                f"Invalid layers {', '.join(wrong)} of `network`: the second derivative of Keras' "
                "own normalization is wrong, and so would be the meta-gradient. Use the layers of "
                "maml.nn.normalization, such as maml.CurrentBatchNormalization, or "
                "first_order=True."
            )

    # -- the inner loop -----------------------------------------------------------------------

    def rates(self, steps: int) -> list[list[tf.Tensor]]:
        """Learning rates of each step and each adapting weight; each broadcasts to the weight."""
        weights = self.functional.variables
        return [[tf.constant(self.inner_lr, w.dtype) for w in weights] for _ in range(steps)]

    def inner_loss(
        self, weights, shared, x, y, step: int = AFTER_LAST_STEP, mask=None
    ) -> tf.Tensor:
        """The loss of one task's support set [shots, ...] at these weights, [].

        ``mask`` [shots] has ones for the real shots, and zeros for padding; None: all are real.
        """
        prediction = self.head(self.functional(weights, shared, x, step))
        losses = self.head.loss(prediction, y)
        if mask is None:
            return tf.reduce_mean(losses)
        return tf.reduce_sum(mask * losses) / tf.maximum(tf.reduce_sum(mask), 1)

    def loss_of_task(self, x, y, mask=None):
        """The inner loss of *one* task as :func:`inner_loop.descend` takes it: ``(loss,
        arguments)``, the shots of its support set and the weights that do not adapt."""
        support, parts = padded_support(x, y, mask), 2 if mask is None else 3

        def loss(weights, arguments, step):
            x, y, mask = self._batch(step, *arguments[:parts])
            return self.inner_loss(weights, arguments[parts:], x, y, step, mask)

        return loss, [*support, *functional.tensors(self.functional.shared)]

    def path(self, x, y, steps: int, mask=None, start=None) -> inner_loop.Path:
        """The inner loop of *one* task, from weights ``start`` or those that tasks share."""
        start = functional.tensors(self.functional.variables) if start is None else start
        loss, arguments = self.loss_of_task(x, y, mask)
        options = self.inner_optimizer, self.inner_clip, self.first_order, self.recompute
        return inner_loop.descend(loss, start, arguments, self.rates(steps), *options)

    def _batch(self, step, x, y, mask=None):
        """The shots of one inner step: ``(x, y, mask)``; of padded ones the real are the first."""
        size = self.inner_batch_size
        if size is None:
            return x, y, mask
        count = tf.shape(x)[0]
        if mask is not None:
            count = tf.maximum(tf.cast(tf.reduce_sum(mask), tf.int32), 1)
        index = tf.math.floormod(step * size + tf.range(size), count)
        parts = [part if part is None else tf.gather(part, index) for part in (x, y, mask)]
        return tuple(parts)

    def steps(self, training: bool) -> int:
        """Inner steps in training, and elsewhere; one while weights are made."""
        training = training or self.test_inner_steps is None
        steps = self.inner_steps if training else self.test_inner_steps
        return min(steps, 1) if self._creates_weights else steps

    def _create_weights(self, episode):
        # One inner step meets every weight, and takes a fraction of the time of all. What a user
        # has written may count on all of them.
        own = [type(part).__module__.startswith("maml.") for part in self.regularizers]
        self._creates_weights = all(own) and not self._has_hooks_of_its_own
        try:
            super()._create_weights(episode)
        finally:
            self._creates_weights = False

    # -- the hooks ----------------------------------------------------------------------------

    def embed(self, x):
        return x if self.embedding is None else per_input(self.embedding, x)

    def encode(self, x, y, training=False, mask=None):
        return self.encode_path(x, y, training, mask)[-1]

    def encode_path(self, x, y, training: bool = False, mask=None) -> list[list[tf.Tensor]]:
        """The task state after no step, one step, and so on: ``steps + 1`` of them."""
        return [self.initial_state(tf.shape(x)[0]), *self.descend(x, y, training, mask)]

    def descend(self, x, y, training: bool, mask=None, start=None) -> list[list[tf.Tensor]]:
        """Weights after each inner step of all tasks, from weights ``start`` [tasks, ...] of each,
        or the shared ones; other arguments as of :meth:`encode`."""
        steps = self.steps(training)
        if not steps:
            return []
        own = [tf.TensorSpec(v.shape, v.dtype) for v in self.functional.variables]
        signature = inner_loop.Path([own] * steps, tf.TensorSpec([steps], own[0].dtype))
        support = self._support(x, y, mask)
        visited = self.map_tasks(
            lambda task: self.path(*task[0][:2], steps, *task[0][2:], start=task[1] or None),
            (tuple(support), start or []),
            signature,
        )
        self._note_divergence(visited.losses)
        return visited.weights

    def _support(self, x, y, mask):
        """Support sets as inner loops take them: ``(x, y)``, or ``(x, y, mask)``."""
        support = padded_support(x, y, mask)
        if mask is not None and self.inner_batch_size is not None:
            # The steps take the real shots in turn.
            order = real_shots_first(mask)
            support = tuple(tf.gather(part, order, batch_dims=1) for part in support)
        return support

    def forward(self, episode, seed, training=False, fit=False):
        """As of :class:`MetaLearner`."""
        self._fits = fit
        try:
            return super().forward(episode, seed, training, fit)
        finally:
            self._fits = False

    def training_loss(self, embedded: Episode):
        """The loss and prediction of a training step, whose prediction may be constant.

        Where tasks are taken one after the other, the gradient of each is taken in the same loop
        (:func:`task_gradient.mean_loss`). Subclasses that encode, decode or score in a way of their
        own are trained by that.
        """
        read = any(regularizer.reads_prediction for regularizer in self.regularizers)
        if read or not self._takes_gradients_by_task:
            return super().training_loss(embedded)
        loss, outputs = self._mean_loss(embedded, self.head.loss)
        return loss, self.head(outputs)

    def query_log_prob(self, embedded: Episode, training=False):
        """As of :class:`MetaLearner`; in :meth:`fit` constants, whose mean alone has a gradient,
        from a loop as that of :meth:`training_loss`."""
        if not self._fits or not self._takes_gradients_by_task:
            return super().query_log_prob(embedded, training)
        loss, outputs = self._mean_loss(embedded, lambda predicted, y: -predicted.log_prob(y))
        values = self.head(outputs).log_prob(embedded.query_y)
        return tf.stop_gradient(values) - (loss - tf.stop_gradient(loss))

    @property
    def _takes_gradients_by_task(self) -> bool:
        """Whether the gradient of a task can be taken in the loop over tasks."""
        return self._mode == "map_fn" and not self._has_hooks_of_its_own

    @property
    def _has_hooks_of_its_own(self) -> bool:
        """Whether it embeds, encodes, decodes or scores in a way of its own."""
        return any(getattr(type(self), hook) is not getattr(MAML, hook) for hook in _HOOKS)

    def _mean_loss(self, embedded: Episode, loss):
        """``(mean, outputs)`` of a training step: the mean over all queries of ``loss(prediction,
        y)``, and the network's outputs [tasks, queries, units], constants."""
        mask = support_mask(embedded)
        if mask is not None:
            self.check_takes_masks()
        steps = self.steps(training=True)
        dtype = self.functional.variables[0].dtype
        count = embedded.query_x.shape[1]
        signature = (
            tf.TensorSpec([count, self.head.units], dtype), tf.TensorSpec([steps], dtype),
        )  # fmt: skip
        support_x, *rest = self._support(embedded.support_x, embedded.support_y, mask)

        def one(x, query_x, query_y, y, *mask):
            path = self.path(x, y, steps, *mask)
            start = functional.tensors(self.functional.variables)
            shared = functional.tensors(self.functional.shared)
            outputs = self.functional([start, *path.weights][-1], shared, query_x, AFTER_LAST_STEP)
            losses = loss(self.head(outputs[tf.newaxis]), query_y[tf.newaxis])
            return tf.reduce_mean(losses), (outputs, path.losses)

        parts = [support_x, embedded.query_x, embedded.query_y, *rest]
        features = 2 if self._features_have_weights() else 0
        mean, (outputs, losses) = task_gradient.mean_loss(
            one, parts, features, self._weights_by_task(), signature
        )
        if steps:
            self._note_divergence(losses)
        return mean, outputs

    def _features_have_weights(self) -> bool:
        """Whether what the inner loops are given depends on weights."""
        return self.embedding is not None or any(own.transforms for own in self.regularizers)

    def _weights_by_task(self) -> list[keras.Variable]:
        """The variables that the inner loop and the prediction of a task depend on."""
        others = [*self.regularizers, *([] if self.embedding is None else [self.embedding])]
        elsewhere = {id(variable) for part in others for variable in part.trainable_variables}
        return [v for v in self.trainable_variables if id(v) not in elsewhere]

    def decode(self, state, x, step: int = AFTER_LAST_STEP):
        return self.head(self.outputs(state, x, step))

    def outputs(self, state, x, step: int) -> tf.Tensor:
        """Outputs of the network at the weights of each task, [tasks, queries, units]."""
        shared = functional.tensors(self.functional.shared)

        signature = tf.TensorSpec(None, self.functional.variables[0].dtype)
        return self.map_tasks(
            lambda task: self.functional(task[0], shared, task[1], step), (state, x), signature
        )

    def initial_state(self, batch_size):
        return [
            tf.broadcast_to(w, tf.concat([[batch_size], tf.shape(w)], 0))
            for w in functional.tensors(self.functional.variables)
        ]

    @property
    def exact_gradient(self):
        return not self.first_order

    def update_normalization_statistics(self, x):
        features = self.features(x)
        self.network(tf.reshape(features, [-1, *features.shape[2:]]))

    def map_tasks(self, function, elements, signature):
        """``function`` of each task, in this learner's way; see :mod:`maml.nn.task_map`."""
        return task_map.map_tasks(function, elements, self._mode, signature)

    @property
    def _mode(self) -> str:
        return task_map.choose(self.task_map, self.network)

    @property
    def encodes_each_task_alone(self):
        return not self._has_hooks_of_its_own or super().encodes_each_task_alone

    @property
    def prefers_xla(self):
        tower = self.embedding is None or task_map.is_dense(self.embedding)
        return self._mode == "vectorized" and tower

    def _note_divergence(self, losses):
        """Notes where an inner loss [tasks, steps] is not finite, for :meth:`divergence`."""
        broken = tf.logical_not(tf.math.is_finite(losses))
        first = tf.argmax(tf.reshape(broken, [-1]), output_type=tf.int32)
        width = tf.maximum(tf.shape(losses)[1], 1)
        here = tf.stack([first // width + 1, first % width + 1])
        self.diverged.assign(
            tf.where(tf.reduce_any(broken), here, tf.convert_to_tensor(self.diverged))
        )

    def divergence(self) -> str | None:
        """A description of where an inner loss was last not finite; None if all were finite."""
        task, step = self.diverged.numpy()
        if not task:
            return None
        return f"the inner loss of task {task} of a batch was not finite before inner step {step}"


def padded_support(x, y, mask) -> tuple[tf.Tensor, ...]:
    """``(x, y)``, or ``(x, y, mask)`` with the mask as numbers if there is one."""
    return (x, y) if mask is None else (x, y, tf.cast(mask, y.dtype))
