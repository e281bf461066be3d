"""The interface of every meta-learner: a Keras model that trains on batches of episodes.

A learner answers three questions, each for a whole batch of tasks at once:

* ``embed(x)``: what of an input does not depend on the task? Computed once, however many times the
  labels are transformed. (MAML: nothing, the input itself. CNP: the image features.)
* ``encode(x, y) -> state``: what does the support set say? (MAML: adapted weights. CNP: a context.)
* ``decode(state, x) -> Distribution``: the prediction q(y* | x*, state) at the queries.

Regularizers and diagnostics use nothing else, so each works for every learner. All the rest (loops,
callbacks, progress bars, checkpoints, distribution) is Keras.
"""

import abc
import contextlib

import keras
import tensorflow as tf

from maml.core.episodes import Episode, fold_in
from maml.core.serialization import Configured
from maml.distributions.base import Distribution, Head
from maml.nn import normalization


class MetaLearner(Configured, keras.Model, abc.ABC):
    """Meta-trains by ``compile`` and ``fit`` on a dataset of :class:`Episode`.

    The objective is ``mean task loss at the queries + sum of the regularizers' terms``. One
    backward pass serves two players: variables that belong to a regularizer's critic are stepped by
    ``critic_optimizer``, all others by ``optimizer``. A step whose gradient is not finite is
    skipped, for both players, and counted in the metric ``skipped_steps``.

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
    """Which of a problem's networks the constructor takes first, see :func:`maml.make_learner`."""

    classification_only = False
    """Whether it learns classification only."""

    def __init__(self, head: Head, regularizers=(), seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        # Mixed precision is for networks: what is computed of their outputs is as exact as weights.
        self.dtype_policy = keras.DTypePolicy(self.variable_dtype)
        self.head = head
        self.regularizers = list(regularizers)
        self.seed = seed
        names = ["loss", "task_loss", "mse"]
        for regularizer in self.regularizers:
            names += regularizer.metric_names
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}
        self.skipped = keras.metrics.Sum(name="skipped_steps")
        self._compiled_steps = {}

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
        state = self.encode(embedded.support_x, embedded.support_y, training=training)
        prediction = self.decode(state, embedded.query_x)
        return tf.reduce_mean(self.head.loss(prediction, embedded.query_y)), prediction

    def update_normalization_statistics(self, x):
        """Runs the networks on support inputs for the statistics of frozen normalisation."""
        self.embed(x)

    def divergence(self) -> str | None:
        """Where a computation was last no finite number, in words; None if nowhere known."""
        return None

    def query_layers(self) -> list[keras.layers.Layer]:
        """Layers on the way from x* to the prediction: where a memory of tasks would be."""
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
            stages.append(regularizer.transform(stages[-1], noise))
        return stages

    def call(self, episode: Episode, training: bool = False) -> tf.Tensor:
        """Expected query labels [tasks, queries, dim] after seeing the support set."""
        episode = Episode(*episode)
        state = self.encode(self.features(episode.support_x), episode.support_y, training=training)
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
        episode = Episode(*episode)
        if training:
            for index, regularizer in enumerate(self.regularizers):
                episode = regularizer.augment(episode, fold_in(fold_in(seed, index), -1))
        with self._perturbed(fold_in(seed, -2)) if training else contextlib.nullcontext():
            noise = [fold_in(seed, -3), fold_in(seed, -4)] if training else [None, None]
            stages = self._stages(episode.query_x, noise[1])
            embedded = episode._replace(
                support_x=self.features(episode.support_x, noise[0]), query_x=stages[-1]
            )
            task_loss, prediction = self.task_loss(embedded, training)
            logs = {
                "task_loss": task_loss,
                "mse": tf.reduce_mean((prediction.mean() - episode.query_y) ** 2),
            }
            objective = task_loss
            for index, regularizer in enumerate(self.regularizers):
                own_seed = fold_in(seed, index)
                term, values = regularizer.term(
                    self, embedded, stages[index], prediction, own_seed, training=training
                )
                objective += term
                logs |= values
        return objective, logs | {"loss": objective}

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
        # The scope holds back what layers assign, such as running moments: hand it on.
        for variable in self.non_trainable_variables:
            value = scope.get_current_value(variable)
            if value is not None:
                variable.assign(value)

    def create_weights(self, episode: Episode):
        """Creates every variable from one batch of episodes, so that optimizers know them all.

        Called before ``compile``; ``fit`` and ``load_weights`` need it.

        Raises:
            ValueError: a network has a layer that draws noise, or a Keras regularizer of weights.
        """
        two = Episode(*(part[:2] for part in episode))
        self._episode_spec = [([None, *part.shape[1:]], part.dtype.name) for part in two]
        self.objective(two, tf.constant([0, 0], tf.int32))
        self._refuse_unheeded()
        self.built = True
        if self._has_running_statistics():
            with normalization.collecting():
                self.update_normalization_statistics(two.support_x)

    def _refuse_unheeded(self):
        """Refuses what Keras networks may ask for in training, and these hooks would not do."""
        own = self.own_layers()
        noisy = [layer.name for layer in own if _draws_noise(layer)]
        if noisy:
            raise ValueError(
                f"The noise of {', '.join(noisy)} would be the same in all steps, and in scores "
                "too: leave it out, or set its rate to 0; noise in training is what maml.MRW "
                "and maml.MRA are for."
            )
        regularized = [v.path for layer in own for v in layer.trainable_variables if v.regularizer]
        if regularized:
            raise ValueError(
                f"The Keras regularizer of {regularized[0]} is not part of the meta-loss: leave it "
                "out, and pass regularizers=[maml.WeightDecay()] for one that is."
            )

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
        """How the networks normalise, in words that stand beside every score."""
        return normalization.describe(self)

    # -- training -----------------------------------------------------------------------------

    @property
    def prefers_xla(self) -> bool:
        """Whether XLA makes a training step faster, on CPU."""
        return False

    def compile(self, optimizer="adam", critic_optimizer=None, jit_compile="auto", **kwargs):
        """As ``keras.Model.compile``, and ``critic_optimizer`` for the regularizers' critics.

        With ``jit_compile="auto"`` XLA compiles the steps of learners that are faster with it;
        convolutions on CPU become several times slower. From the same seed XLA draws other random
        numbers, so a run is repeated exactly with the same setting only.
        """
        super().compile(optimizer=optimizer, jit_compile=False, **kwargs)
        self._xla = self.prefers_xla if jit_compile == "auto" else jit_compile
        self._compiled_steps.clear()
        self.optimizer.build(self.learner_variables)
        self.critic_optimizer = None
        if self.critic_variables:
            self.critic_optimizer = keras.optimizers.get(critic_optimizer or "adam")
            self.critic_optimizer.build(self.critic_variables)

    def fit(self, x=None, *args, shuffle=False, **kwargs):
        """As ``keras.Model.fit``, ``x`` a ``tf.data.Dataset`` of :class:`Episode`."""
        if self._xla and isinstance(x, tf.data.Dataset):
            self._compile_step(Episode(*x.element_spec))
        return super().fit(x, *args, shuffle=shuffle, **kwargs)

    def _compile_step(self, specs: Episode):
        """Compiles the training step for episodes of these shapes by XLA, if all are known.

        It is traced outside of XLA first. Traced inside, what ``tf.vectorized_map`` computes would
        become compile-time constants of its gradient, and every step would be compiled anew.
        """
        key = tuple(tuple(spec.shape) for spec in specs)
        if key in self._compiled_steps or not all(spec.shape.is_fully_defined() for spec in specs):
            return
        step = tf.function(self._step, autograph=False).get_concrete_function(specs)
        self._compiled_steps[key] = tf.function(
            lambda episode: step(*episode), autograph=False, jit_compile=True
        )

    # AutoGraph would read and rewrite all that a step calls, for seconds, and find nothing to do.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, episode: Episode) -> dict:
        episode = Episode(*episode)
        key = tuple(tuple(part.shape) for part in episode)
        return self._compiled_steps.get(key, self._step)(episode)

    def _step(self, episode) -> dict:
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
        if self._has_running_statistics():
            with normalization.collecting():
                self.update_normalization_statistics(episode.support_x)
        self.skipped.update_state(1.0 - tf.cast(finite, tf.float32))
        return self._track(logs, finite) | {"skipped_steps": self.skipped.result()}

    @tf.autograph.experimental.do_not_convert
    def test_step(self, episode: Episode) -> dict:
        _, logs = self.objective(episode, tf.constant([self.seed, 3], tf.int32))
        return self._track(logs)

    def _has_running_statistics(self) -> bool:
        kind = normalization.FrozenBatchNormalization
        return any(isinstance(layer, kind) for layer in self._flatten_layers())

    def _track(self, logs: dict, counts=True) -> dict:
        """Takes values into the epoch's means, unless they are of a step that does not count."""
        for name, value in logs.items():
            finite = tf.where(counts, value, tf.zeros_like(value))
            self.trackers[name].update_state(finite, sample_weight=tf.cast(counts, finite.dtype))
        return {name: self.trackers[name].result() for name in logs}

    # -- files --------------------------------------------------------------------------------

    def get_build_config(self):
        return {"episode": self._episode_spec}

    def build_from_config(self, config):
        parts = [tf.zeros([2, *shape[1:]], dtype) for shape, dtype in config["episode"]]
        self.create_weights(Episode(*parts))

    def compile_from_config(self, config):
        """Nothing: a learner that was loaded predicts; it is compiled anew to train on."""


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


def _draws_noise(layer) -> bool:
    """Whether a layer draws random numbers; recurrent cells could, at a rate that is often 0."""
    rates = ("rate", "dropout", "recurrent_dropout")
    rates = [getattr(layer, rate) for rate in rates if hasattr(layer, rate)]
    return bool(layer._seed_generators) and (any(rates) or not rates)


def _apply_if(condition, optimizer, gradients, variables):
    """Steps the optimizer if ``condition``; counts the step either way."""

    def skip():
        optimizer.iterations.assign_add(1)

    def step():
        optimizer.apply(gradients, variables)

    tf.cond(condition, step, skip)
