"""The interface of every meta-learner: a Keras model that trains on batches of episodes.

A learner defines three functions, each of a whole batch of tasks at once:

* ``embed(x)``: the part of an input's processing that does not depend on the task. Computed once,
  however many times labels are transformed. (MAML: the input itself. CNP: the image features.)
* ``encode(x, y) -> state``: the task state of a support set. (MAML: adapted weights. CNP: a
  context.)
* ``decode(state, x) -> Distribution``: the prediction q(y* | x*, state) at the queries.

Regularizers and diagnostics use nothing else, so each works for every learner; the rest is Keras.
"""

import abc
import contextlib
import inspect
import pathlib

import keras
import tensorflow as tf

from maml.core.checks import check_regularizers
from maml.core.episodes import (
    Episode,
    as_episode,
    augmented,
    fold_in,
    real_inputs,
    support_mask,
)
from maml.core.options import check_known
from maml.core.serialization import Configured
from maml.core.stored_images import plain_errors
from maml.distributions.base import Distribution, Head
from maml.learners.parallel import replicas
from maml.learners.prediction import Predictor
from maml.learners.training import arguments, skipped
from maml.learners.training.trainer import Trainer
from maml.nn import normalization


class MetaLearner(Configured, Predictor, Trainer, abc.ABC):
    """Meta-trains by ``compile`` and ``fit`` on a :class:`TaskFamily` or a dataset of episodes.

    The objective is ``mean task loss at the queries + sum of the regularizers' terms``. One
    backward pass serves two players: variables that belong to a regularizer's critic are stepped by
    ``critic_optimizer``, all others by ``optimizer``. A step whose loss or gradient is not finite
    is skipped, for both players, and counted in the metric ``skipped_steps``.

    Subclasses keep each argument of their constructor as an attribute of the same name: then
    :func:`maml.save` and :func:`maml.load` work for them too.

    Args:
        head: from network outputs to a distribution over labels.
        regularizers: terms added to the meta-loss, see :mod:`maml.regularizers.base`.
        seed: seed of everything drawn during training.
    """

    title = ""
    """What tables call the learner; the name of its class if empty."""

    network_kind = "network"
    """What of a problem the constructor takes first, see :meth:`maml.Networks.body`."""

    classification_only = False
    """Whether it learns classification only."""

    # Damage to files that episodes are drawn from is told by its sentence, not by TensorFlow's.
    fit = plain_errors()(Trainer.fit)
    evaluate = plain_errors()(Trainer.evaluate)
    predict = plain_errors()(Trainer.predict)

    def __init__(self, head: Head, regularizers=(), seed: int = 0, **kwargs):
        check_known(type(self), kwargs)
        super().__init__(**kwargs)
        # Mixed precision is for networks: what is computed of their outputs is as exact as weights.
        self.dtype_policy = keras.DTypePolicy(self.variable_dtype)
        self.head = head
        self.regularizers = check_regularizers(regularizers)
        self.seed = seed
        names = ["loss", "task_loss", "mse"]
        for regularizer in self.regularizers:
            names += regularizer.metric_names
        self.trackers = {name: skipped.CountedMean(name=name) for name in names}
        self.skipped = keras.metrics.Sum(name="skipped_steps")
        # Keras would compile predictions of a learner that is not compiled by XLA.
        self.jit_compile = False
        self._compiled_steps, self._looping = {}, {}

    for_one_device = ""
    """What keeps it from being trained on several devices, such as "with clear=False"; or ""."""

    @classmethod
    def table_name(cls) -> str:
        """What tables call the learner."""
        return cls.title or cls.__name__

    # -- what a learner defines ---------------------------------------------------------------

    def embed(self, x) -> tf.Tensor:
        """Inputs [tasks, n, ...] -> what the other two hooks take in their place."""
        return x

    @abc.abstractmethod
    def encode(self, x, y, training: bool = False):
        """Support embeddings and labels, [tasks, shots, ...] each -> the task state.

        A learner whose ``encode`` has another argument, ``mask=None``, takes padded support sets:
        the mask [tasks, shots], boolean, says which shots are real, and the state must not depend
        on the others.

        Returns:
            A tensor or nest of tensors, each with leading axis ``tasks``.
        """

    @abc.abstractmethod
    def decode(self, state, x) -> Distribution:
        """Task state and query embeddings [tasks, queries, ...] -> q(y* | x*, state).

        Returns:
            A distribution with batch axes [tasks, queries].
        """

    @abc.abstractmethod
    def initial_state(self, batch_size: int):
        """The task state before any support is seen, in the form :meth:`encode` returns."""

    def task_loss(self, embedded: Episode, training: bool = False):
        """The loss of a batch of episodes at the queries, before regularizers.

        Args:
            embedded: episodes whose inputs went through :meth:`features`.
            training: whether inner loops run with the number of steps for training.

        Returns:
            ``(loss, prediction)``: a scalar, and q(y* | x*, state) at the queries.
        """
        state = self.encode_episode(embedded, training)
        prediction = self.decode(state, embedded.query_x)
        return tf.reduce_mean(self.head.loss(prediction, embedded.query_y)), prediction

    def training_loss(self, embedded: Episode):
        """:meth:`task_loss` in a training step; the prediction's gradient is that of regularizers
        that read it, so that it may be constant where none does."""
        return self.task_loss(embedded, training=True)

    def query_log_prob(self, embedded: Episode, training: bool = False) -> tf.Tensor:
        """log q(y* | x*, D) of the query labels, [tasks, queries], in nats.

        In :meth:`fit` only their mean has a gradient, for some learners: Label-MI raises that.
        """
        state = self.encode_episode(embedded, training)
        return self.decode(state, embedded.query_x).log_prob(embedded.query_y)

    def update_normalization_statistics(self, x):
        """Runs the networks on support inputs for the statistics of frozen normalization."""
        self.embed(x)

    def divergence(self) -> str | None:
        """A description of where a value was last not finite; None if that is not known."""
        return None

    @property
    def exact_gradient(self) -> bool:
        """Whether the meta-gradient is the derivative of the objective, as autodiff has it.

        Learners override it whose gradient leaves something out on purpose, such as first-order
        ones: :func:`maml.testing.check_learner` does not hold it against finite differences then.
        """
        return True

    def query_layers(self) -> list[keras.layers.Layer]:
        """Layers between x* and the prediction, whose weights could store training tasks."""
        return self.own_layers()

    def own_layers(self) -> list[keras.layers.Layer]:
        """All layers but those of regularizers, networks before their parts."""
        others = [self, *(part for r in self.regularizers for part in r._flatten_layers())]
        return [layer for layer in self._flatten_layers() if layer not in others]

    # -- what follows from it -----------------------------------------------------------------

    def features(self, x, seed=None) -> tf.Tensor:
        """What :meth:`encode` and :meth:`decode` are given: :meth:`embed`, then regularizers.

        Args:
            x: inputs [tasks, n, ...].
            seed: stateless seed [2] of a regularizer's noise; None for none.
        """
        return self._stages(x, seed)[-1]

    def _stages(self, x, seed) -> list[tf.Tensor]:
        """Features as each regularizer's ``transform`` is given them, then as learners are."""
        stages = [self.embed(x)]
        for index, regularizer in enumerate(self.regularizers):
            noise = None if seed is None else fold_in(seed, index)
            stages.append(regularizer.transform_part(stages[-1], noise))
        return stages

    def encode_episode(self, embedded: Episode, training: bool = False):
        """The task state of a batch of episodes: :meth:`encode`, with their mask if they have one.

        Args:
            embedded: episodes whose inputs went through :meth:`features`.
            training: as of :meth:`encode`.

        Returns:
            The task state.

        Raises:
            ValueError: the support sets are padded, and this learner takes no padded ones.
        """
        x, y = embedded.support_x, embedded.support_y
        mask = support_mask(embedded)
        if mask is None:
            return self.encode(x, y, training=training)
        self.check_takes_masks()
        return self.encode(x, y, training=training, mask=mask)

    def check_takes_masks(self):
        """Refuses padded support sets where they would change predictions.

        Raises:
            ValueError: :meth:`encode` has no argument ``mask``, or a network normalizes by the
                current batch, which the padding would be part of.
        """
        if "mask" not in inspect.signature(self.encode).parameters:
            raise ValueError(
                f"Invalid support sets for {type(self).__name__}: expected sets of one size, since "
                "its method encode has no argument `mask`; received a support_mask. Give encode "
                "the argument, or draw episodes with a fixed number of shots."
            )
        if "current batch" in self.normalization:
            raise ValueError(
                f"Invalid support sets for {type(self).__name__}: expected sets of one size, since "
                f"its network normalizes by the {self.normalization}, which padding would be part "
                "of; received a support_mask. Use normalization 'layer', 'frozen' or 'none'."
            )

    def call(self, episode: Episode, training: bool = False) -> tf.Tensor:
        """Expected query labels [tasks, queries, dim] after seeing the support set."""
        episode = as_episode(episode)
        self.head.check_labels(episode.support_y, "support_y")
        self._check_values("support_y", episode.support_y, support_mask(episode))
        if tf.executing_eagerly():
            self._make_weights_for(episode.support_x, episode.support_y)
        support = episode._replace(support_x=self.features(episode.support_x))
        state = self.encode_episode(support, training)
        return self.decode(state, self.features(episode.query_x)).mean()

    def objective(self, episode: Episode, seed, training: bool = False):
        """The meta-loss of a batch of episodes.

        Args:
            episode: the batch.
            seed: stateless seed [2] of whatever the regularizers draw.
            training: whether inner loops run with the number of steps for training, and
                regularizers disturb what they disturb in training only.

        Returns:
            ``(objective, logs)``: a scalar to descend, and a dict of scalars to watch.
        """
        return self.forward(as_episode(episode), seed, training)[:2]

    def forward(self, episode: Episode, seed, training: bool = False, fit: bool = False):
        """What :meth:`objective` returns, the prediction (of :meth:`training_loss` with ``fit``),
        and query labels, those of the episode that the regularizers put in this one's place."""
        self.head.check_labels(episode.support_y, "support_y")
        self.head.check_labels(episode.query_y, "query_y")
        if training:
            episode = augmented(episode, self.regularizers, seed)
        with self._perturbed(fold_in(seed, -2)) if training else contextlib.nullcontext():
            noise = [fold_in(seed, -3), fold_in(seed, -4)] if training else [None, None]
            stages = self._stages(episode.query_x, noise[1])
            embedded = episode._replace(
                support_x=self.features(episode.support_x, noise[0]), query_x=stages[-1]
            )
            found = self.training_loss(embedded) if fit else self.task_loss(embedded, training)
            task_loss, prediction = found
            logs = {
                "task_loss": task_loss,
                "mse": self.head.squared_error(prediction, episode.query_y),
            }
            objective = task_loss
            for index, regularizer in enumerate(self.regularizers):
                own_seed = fold_in(seed, index)
                if not regularizer.draws_for_whole_batch:
                    own_seed = replicas.own_seed(own_seed)
                term, values = regularizer.term(
                    self, embedded, stages[index], prediction, own_seed, training=training
                )
                objective += term
                logs |= values
        return objective, logs | {"loss": objective}, prediction, episode.query_y

    @contextlib.contextmanager
    def _perturbed(self, seed):
        """Within it, variables have the values that regularizers give them for this step."""
        mapping = [
            pair
            for index, regularizer in enumerate(self.regularizers)
            for pair in regularizer.perturb(self, fold_in(seed, index))
        ]
        if not mapping:
            yield
            return
        with keras.StatelessScope(state_mapping=mapping) as scope:
            yield
        # The scope holds back what layers assign, such as running moments.
        for variable in self.non_trainable_variables:
            value = scope.get_current_value(variable)
            if value is not None:
                variable.assign(value)

    def create_weights(self, episode: Episode):
        """Creates every variable from one batch of episodes.

        :meth:`fit`, :meth:`evaluate` and :meth:`predict` do it where it was not done. It is needed
        before ``load_weights``.

        Raises:
            ValueError: inputs or labels are empty, labels are not those of the head, or a network
                has a layer that draws noise or a Keras regularizer of weights.
        """
        self._check_episode(as_episode(episode))
        self._create_weights(episode)

    def _create_weights(self, episode):
        two = Episode(*(part[:2] for part in episode[:4]))
        self._episode_spec = [([None, *part.shape[1:]], part.dtype.name) for part in two]
        with self._scope():
            # Episodes that a policy has collected are NumPy arrays.
            tensors = Episode(*(tf.convert_to_tensor(part) for part in two))
            self.objective(tensors, tf.constant([0, 0], tf.int32))
            arguments.check_layers(self.own_layers())
            self.built = True
            if self._has_running_statistics():
                with normalization.collecting():
                    self.update_normalization_statistics(real_inputs(as_episode(episode))[:2])

    @property
    def critic_variables(self) -> list:
        """Variables of the regularizers' critics."""
        return [v for r in self.regularizers for v in r.critic_variables]

    @property
    def learner_variables(self) -> list:
        """All trainable variables but the critics'."""
        critics = {id(v) for v in self.critic_variables}
        return [v for v in self.trainable_variables if id(v) not in critics]

    @property
    def normalization(self) -> str:
        """How the networks normalize, as it is written beside every score."""
        return normalization.describe(self)

    # -- files --------------------------------------------------------------------------------

    def save(self, filepath, **kwargs):
        """As ``keras.Model.save``, in the ``.keras`` format; :func:`maml.save` writes ``.h5`` too.

        Args:
            filepath: ending in ``.keras``.
            **kwargs: of ``keras.Model.save``.

        Raises:
            ValueError: another ending; Keras could not read an ``.h5`` file of a learner.
        """
        if pathlib.Path(filepath).suffix in (".h5", ".hdf5"):
            raise ValueError(
                f"Invalid value for `filepath`: expected a file ending in .keras; received "
                f"{filepath}. Use maml.save(learner, path) for .h5."
            )
        super().save(filepath, **kwargs)

    def get_build_config(self):
        return {"episode": self._episode_spec}

    def build_from_config(self, config):
        parts = [tf.zeros([2, *shape[1:]], dtype) for shape, dtype in config["episode"]]
        self._create_weights(Episode(*parts))

    def compile_from_config(self, config):
        """Does nothing: a learner that was loaded predicts; compile it to train it further."""


def per_input(network: keras.Model, x) -> tf.Tensor:
    """A network's outputs [tasks, n, ...] at inputs [tasks, n, ...] of all tasks at once.

    They are in the dtype of the network's variables, whatever it computes in.
    """
    flat = tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0))
    flat = tf.ensure_shape(flat, [None, *x.shape[2:]])
    outputs = network(flat, training=normalization.transductive(network))
    if network.weights:
        outputs = tf.cast(outputs, network.weights[0].dtype)
    shape = tf.concat([tf.shape(x)[:2], tf.shape(outputs)[1:]], 0)
    return tf.ensure_shape(tf.reshape(outputs, shape), [*x.shape[:2], *outputs.shape[1:]])
