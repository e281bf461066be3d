"""The interface of every meta-learner: a Keras model that trains on batches of episodes.

A learner answers three questions, each for a whole batch of tasks at once:

* ``embed(x)``: what of an input does not depend on the task? Computed once, however many times the
  labels are transformed. (MAML: nothing, the input itself. CNP: the image features.)
* ``encode(x, y) -> d``: what does the support set say? (MAML: adapted weights. CNP: a context.)
* ``predict(d, x) -> Distribution``: the prediction q(y* | x*, d) at the queries.

Regularizers and diagnostics use nothing else, so each works for every learner. All the rest (loops,
callbacks, progress bars, checkpoints, distribution) is Keras.
"""

import abc

import keras
import tensorflow as tf

from maml.episodes import Episode, fold_in
from maml.likelihoods import Distribution, Head


class MetaLearner(keras.Model, abc.ABC):
    """Meta-trains by ``compile`` and ``fit`` on a dataset of :class:`Episode`.

    The objective is ``mean task loss at the queries + sum of the regularizers' terms``. One
    backward pass serves two players: variables that belong to a regularizer's critic are stepped by
    ``critic_optimizer``, all others by ``optimizer``. A step whose gradient is not finite is
    skipped, for both players, and counted in the metric ``skipped_steps``.

    Args:
        head: from network outputs to a distribution over labels.
        regularizers: terms added to the meta-loss, see :mod:`maml.regularizers`.
        seed: seed of everything drawn during training.
    """

    def __init__(self, head: Head, regularizers=(), seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.head = head
        self.regularizers = list(regularizers)
        self.seed = seed
        names = ["loss", "task_loss", "mse"]
        for regularizer in self.regularizers:
            names += regularizer.metric_names
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self.skipped = keras.metrics.Sum(name="skipped_steps")

    # -- what a learner defines ---------------------------------------------------------------

    def embed(self, x) -> tf.Tensor:
        """Inputs [tasks, n, ...] -> what the other two hooks take in their place."""
        return x

    @abc.abstractmethod
    def encode(self, x, y, training: bool = False):
        """Support embeddings and labels, [tasks, shots, ...] each -> the task state d.

        Returns:
            A tensor or nest of tensors, each with leading axis ``tasks``.
        """

    @abc.abstractmethod
    def predict(self, d, x) -> Distribution:
        """Task state and query embeddings [tasks, queries, ...] -> q(y* | x*, d).

        Returns:
            A distribution with batch axes [tasks, queries].
        """

    @abc.abstractmethod
    def prior(self, tasks: int):
        """The task state before any support is seen, in the form :meth:`encode` returns."""

    # -- what follows from it -----------------------------------------------------------------

    def call(self, episode: Episode, training: bool = False) -> tf.Tensor:
        """Expected query labels [tasks, queries, dim] after seeing the support set."""
        episode = Episode(*episode)
        d = self.encode(self.embed(episode.support_x), episode.support_y, training=training)
        return self.predict(d, self.embed(episode.query_x)).mean()

    def objective(self, episode: Episode, seed, training: bool = False):
        """The meta-loss of a batch of episodes.

        Args:
            episode: the batch.
            seed: stateless seed [2] of whatever the regularizers draw.
            training: whether inner loops run with the number of steps for training.

        Returns:
            ``(objective, logs)``: a scalar to descend, and a dict of scalars to watch.
        """
        episode = Episode(*episode)
        embedded = episode._replace(
            support_x=self.embed(episode.support_x), query_x=self.embed(episode.query_x)
        )
        d = self.encode(embedded.support_x, embedded.support_y, training=training)
        prediction = self.predict(d, embedded.query_x)
        task_loss = tf.reduce_mean(self.head.loss(prediction, episode.query_y))
        logs = {
            "task_loss": task_loss,
            "mse": tf.reduce_mean((prediction.mean() - episode.query_y) ** 2),
        }
        objective = task_loss
        for index, regularizer in enumerate(self.regularizers):
            term, values = regularizer.term(
                self, embedded, prediction, fold_in(seed, index), training=training
            )
            objective += term
            logs |= values
        return objective, logs | {"loss": objective}

    def create_weights(self, episode: Episode):
        """Creates every variable from one batch of episodes, so that optimizers know them all.

        Called before ``compile``; ``fit`` and ``load_weights`` need it.
        """
        two = Episode(*(part[:2] for part in episode))
        self.objective(two, tf.constant([0, 0], tf.int32))
        self.built = True

    @property
    def critic_variables(self) -> list:
        """Variables of the regularizers' critics."""
        return [v for r in self.regularizers for v in r.critic_variables]

    @property
    def learner_variables(self) -> list:
        """All trainable variables but the critics'."""
        critics = {id(v) for v in self.critic_variables}
        return [v for v in self.trainable_variables if id(v) not in critics]

    def compile(self, optimizer="adam", critic_optimizer=None, jit_compile=False, **kwargs):
        """As ``keras.Model.compile``, and ``critic_optimizer`` for the regularizers' critics.

        Without ``jit_compile``: on CPU, XLA makes convolutions several times slower.
        """
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        self.optimizer.build(self.learner_variables)
        self.critic_optimizer = None
        if self.critic_variables:
            self.critic_optimizer = keras.optimizers.get(critic_optimizer or "adam")
            self.critic_optimizer.build(self.critic_variables)

    def train_step(self, episode: Episode) -> dict:
        seed = fold_in(tf.constant([self.seed, 2], tf.int32), self.optimizer.iterations)
        players = [(self.optimizer, self.learner_variables)]
        if self.critic_optimizer is not None:
            players.append((self.critic_optimizer, self.critic_variables))
        with tf.GradientTape() as tape:
            objective, logs = self.objective(episode, seed, training=True)
        gradients = tape.gradient(objective, [variables for _, variables in players])

        norm = tf.linalg.global_norm(tf.nest.flatten(gradients))
        finite = tf.math.is_finite(norm)
        for (optimizer, variables), player_gradients in zip(players, gradients, strict=True):
            _apply_if(finite, optimizer, player_gradients, variables)
        self.skipped.update_state(1.0 - tf.cast(finite, tf.float32))
        return self._track(logs, finite) | {"skipped_steps": self.skipped.result()}

    def test_step(self, episode: Episode) -> dict:
        _, logs = self.objective(episode, tf.constant([self.seed, 3], tf.int32))
        return self._track(logs)

    def _track(self, logs: dict, counts=True) -> dict:
        """Takes values into the epoch's means, unless they are of a step that does not count."""
        for name, value in logs.items():
            finite = tf.where(counts, value, tf.zeros_like(value))
            self.trackers[name].update_state(finite, sample_weight=tf.cast(counts, finite.dtype))
        return {name: self.trackers[name].result() for name in logs}


def _apply_if(condition, optimizer, gradients, variables):
    """Steps the optimizer if ``condition``; counts the step either way."""

    def skip():
        optimizer.iterations.assign_add(1)

    def step():
        optimizer.apply(gradients, variables)

    tf.cond(condition, step, skip)
