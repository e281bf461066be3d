"""Keras' ``compile``, ``fit``, ``evaluate`` and ``predict`` for models that train on episodes."""

import contextlib
import types

import keras
import tensorflow as tf

from maml.core.checks import check_counts
from maml.core.episodes import Episode, TaskFamily, as_episode, fold_in, real_inputs
from maml.core.seeds import Stream, stream
from maml.learners.parallel import replicas
from maml.learners.training import arguments, executions, skipped, xla
from maml.nn import normalization

EVALUATION_STEPS = 10
"""Batches of a :class:`maml.TaskFamily`, which has no end, that are evaluated or predicted."""

EVALUATION_START = 2**30
"""Number of the first of them: training draws the batches before it."""


class Trainer(keras.Model):
    """What Keras does with a learner: the part of :class:`maml.MetaLearner` that trains it.

    It trains on several devices under ``MirroredStrategy`` and ``MultiWorkerMirroredStrategy`` of
    ``tf.distribute``, if learner, networks and optimizers are made within ``strategy.scope()``.
    Each replica gets an equal part of the tasks of a batch, and the step is that of one device, up
    to rounding: a task has the same draws, bounds and their negatives are of the whole batch, and a
    step whose gradient is not finite in one replica is skipped in all. Two things depend on the
    number of devices: normalization by the current batch, where a network takes tasks together, and
    draws of learners that draw, such as a latent NP, for relabeled copies of tasks.
    """

    # What compile was given, in an object that Keras does not look into: it is not saved.
    _given = types.SimpleNamespace(functions={}, keras={}, critic_optimizer=None)

    # -- what it trains -----------------------------------------------------------------------

    @property
    def metrics(self):
        return [*super().metrics, *self._given.keras.values()]

    @property
    def prefers_xla(self) -> bool:
        """Whether XLA makes a training step faster, on CPU."""
        return False

    def compile(
        self,
        optimizer="adam",
        loss=None,
        metrics=None,
        *,
        critic_optimizer=None,
        jit_compile="auto",
        run_eagerly=False,
        steps_per_execution="auto",
        **kwargs,
    ):
        """As ``keras.Model.compile``, and ``critic_optimizer`` for the regularizers' critics.

        Args:
            optimizer: of the learner's variables, as Keras takes it.
            loss: refused, since the loss belongs to the head.
            metrics: what to log beside the losses, of the predictions at the queries: a dictionary
                from names to functions ``(distribution, y) -> [tasks, queries]``, such as
                ``{"accuracy": maml.accuracy}``, or to Keras metrics, which get the expected labels;
                or a list of Keras metrics or their names.
            critic_optimizer: of the critics' variables; Adam if None. Refused without critics.
            jit_compile: whether XLA compiles the training step. With "auto" it does for learners
                that are faster with it; convolutions on CPU become several times slower. XLA draws
                other random numbers: with the same setting only is a run repeated exactly.
            run_eagerly: whether each step runs as plain Python, for debugging.
            steps_per_execution: training steps at once, between which no callback runs; "auto": up
                to 20 on vectors, see :mod:`maml.learners.training.executions`.
            **kwargs: refused; what else ``keras.Model.compile`` takes does not fit episodes.

        Raises:
            ValueError: an argument that would have no effect, or a wrong one.
        """
        parallel = self.distribute_strategy.num_replicas_in_sync > 1
        arguments.check_compile(
            loss, jit_compile, run_eagerly, steps_per_execution, parallel, kwargs
        )
        self._at_once = steps_per_execution
        with self._scope():
            compiled = arguments.compiled_metrics(metrics, self.trackers, self.head)
            optimizer = arguments.optimizer(optimizer, "optimizer", bool(self.critic_variables))
            critic_optimizer = arguments.critic_optimizer(
                critic_optimizer, optimizer, self.regularizers
            )
            at_once = 1 if steps_per_execution == "auto" else steps_per_execution
            super().compile(
                optimizer, jit_compile=False, run_eagerly=run_eagerly, steps_per_execution=at_once
            )
            for name in getattr(optimizer, "metric_names", ()):
                self.trackers.setdefault(name, skipped.CountedMean(name=name))
        parallel = parallel or tf.distribute.has_strategy()
        self._xla = xla.by_xla(jit_compile, self.prefers_xla, self.regularizers, parallel)
        self._compiled_steps.clear()
        self._looping.clear()
        self._given = compiled
        self._given.critic_optimizer, self.critic_optimizer = critic_optimizer, None
        if self.built:
            self._build_optimizers()

    def _build_optimizers(self):
        """Makes the optimizers' variables, which takes the learner's and the critics'."""
        critics = self.critic_variables
        arguments.check_optimizer(self.optimizer, bool(critics))
        arguments.check_precision(self._flatten_layers())
        replicas.check_scope(self, [])
        with self._scope():
            self.optimizer.build(self.learner_variables)
            if critics:
                self.critic_optimizer = self._given.critic_optimizer or keras.optimizers.Adam()
                self.critic_optimizer.build(critics)
        optimizers = [self.optimizer, self.critic_optimizer]
        replicas.check_scope(self, [o for o in optimizers if o is not None])

    def _scope(self):
        strategy = self.distribute_strategy
        parallel = strategy.num_replicas_in_sync > 1
        return strategy.scope() if parallel else contextlib.nullcontext()

    # -- fit, evaluate, predict ---------------------------------------------------------------

    def fit(
        self,
        x,
        *,
        batch_size: int | None = None,
        steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        validation_data=None,
        validation_batch_size: int | None = None,
        validation_steps: int | None = None,
        shuffle: bool = False,
        **kwargs,
    ):
        """Trains on a family of tasks, or on a dataset of batches of episodes.

        Weights that do not exist yet are made from the first tasks. A family is an endless stream
        whose batch i depends on the learner's seed and i only, and i counts the training steps of
        the optimizer: two calls with ``steps=10`` are one call with ``steps=20``.

        Args:
            x: a :class:`maml.TaskFamily`, a ``tf.data.Dataset`` of :class:`maml.Episode` (each a
                batch of tasks), or one :class:`maml.Episode`.
            batch_size: tasks in a batch of a family; 32 if None. Of episodes it is given.
            steps: training steps in all, divided equally among the epochs.
            epochs: number of epochs; if None, ``steps / steps_per_epoch``, or 1.
            steps_per_epoch: training steps of an epoch; if None, ``steps / epochs``, or all batches
                of a dataset that ends.
            validation_data: as ``x``; evaluated after each epoch, always on the same episodes.
            validation_batch_size: tasks in a batch of validation; as in training if None.
            validation_steps: batches of validation; of a family 10, of episodes all, if None.
            shuffle: refused if true; the order of episodes is that of ``x``.
            **kwargs: ``callbacks``, ``verbose``, ``initial_epoch`` and ``validation_freq`` of
                ``keras.Model.fit``.

        Returns:
            Keras' ``History``.

        Raises:
            ValueError: the learner is not compiled, or the numbers of steps and epochs are missing
                or contradict each other, or a policy was compiled with several steps at once.
            FloatingPointError: half of the steps of an epoch of ten or more were skipped, since
                loss or gradients were not finite. Fewer give a warning at the end.
        """
        self._check_compiled("fit")
        unknown = kwargs.keys() - {"callbacks", "verbose", "initial_epoch", "validation_freq"}
        if unknown or shuffle:
            raise ValueError(
                f"Invalid argument `{min(unknown, default='shuffle')}` of fit: episodes hold their "
                "labels and have an order; give x, batch_size, steps, epochs, steps_per_epoch, "
                "validation_data, callbacks or verbose."
            )
        epochs, steps_per_epoch = arguments.schedule(steps, epochs, steps_per_epoch, self._at_once)
        on_policy = getattr(x, "on_policy", False)
        executions.check(self._at_once, on_policy)
        check_counts(validation_batch_size=validation_batch_size, validation_steps=validation_steps)
        if isinstance(x, TaskFamily):
            arguments.check_callbacks(kwargs.get("callbacks"))
        if isinstance(x, TaskFamily) and steps_per_epoch is None:
            raise ValueError(
                "Missing argument `steps`: a TaskFamily is an endless stream, so fit expects "
                "`steps` (in all) or `steps_per_epoch`."
            )
        self._make_weights(x)
        data = self._batches(x, batch_size, int(self.optimizer.iterations.numpy()))
        if validation_data is not None:
            size = validation_batch_size or (
                batch_size if isinstance(validation_data, TaskFamily) else None
            )
            validation_data, validation_steps = self._finite(
                validation_data, size, validation_steps
            )
        if self._at_once == "auto":
            executions.choose(self, data, steps_per_epoch, on_policy, kwargs.get("callbacks"))
        watch = skipped.Watch(self, kwargs.pop("callbacks", None), x, data, batch_size)
        own_step = getattr(self.train_step, "__func__", None) is not Trainer.train_step
        with xla.compiled(self, data, loop=not own_step):
            history = super().fit(
                replicas.spread(data, self.distribute_strategy),
                epochs=epochs,
                steps_per_epoch=steps_per_epoch,
                validation_data=validation_data,
                validation_steps=validation_steps,
                callbacks=watch.callbacks,
                shuffle=False,
                **kwargs,
            )
        watch.warn(stacklevel=3)
        return history

    def evaluate(self, x=None, batch_size: int | None = None, steps: int | None = None, **kwargs):
        """Losses and metrics of episodes, as ``keras.Model.evaluate``.

        Args:
            x: as of :meth:`fit`.
            batch_size: tasks in a batch of a family; 32 if None.
            steps: number of batches; of a family 10, of episodes all, if None. Those of a family
                are the same in each call, and none of :meth:`fit`.
            **kwargs: ``verbose``, ``callbacks`` and ``return_dict`` of ``keras.Model.evaluate``.

        Returns:
            The means in the order of the logs, or a dictionary if ``return_dict``.

        Raises:
            ValueError: the learner is not compiled.
        """
        self._check_compiled("evaluate")
        self._make_weights(x)
        data, steps = self._finite(x, batch_size, steps)
        return super().evaluate(data, steps=steps, **kwargs)

    def predict(self, x, batch_size: int | None = None, steps: int | None = None, **kwargs):
        """Expected query labels after seeing the support sets, as ``keras.Model.predict``.

        Args:
            x: as of :meth:`fit`. All its episodes have the same number of queries.
            batch_size: tasks in a batch of a family; 32 if None.
            steps: number of batches; of a family 10, of episodes all, if None.
            **kwargs: ``verbose`` and ``callbacks`` of ``keras.Model.predict``.

        Returns:
            An array [tasks, queries, dim], of all batches.
        """
        self._make_weights(x)
        data, steps = self._finite(x, batch_size, steps)
        return super().predict(data, steps=steps, **kwargs)

    def train_on_batch(self, x: Episode, *, return_dict: bool = False):
        """One training step on a batch of episodes; returns its logs as :meth:`evaluate` does."""
        logs = {name: values[-1] for name, values in self.fit(x, verbose=0).history.items()}
        return logs if return_dict else self._flatten_metrics_in_order(logs)

    def test_on_batch(self, x: Episode, *, return_dict: bool = False):
        """As :meth:`evaluate`, of a batch of episodes."""
        return self.evaluate(x, verbose=0, return_dict=return_dict)

    def predict_on_batch(self, x: Episode):
        """As :meth:`predict`, of a batch of episodes."""
        return self.predict(x, verbose=0)

    def _check_compiled(self, method: str):
        # Keras calls a learner that it has loaded compiled, without an optimizer.
        if getattr(self, "optimizer", None) is None:
            raise ValueError(
                f"{method} expects a compiled learner: call compile, such as "
                'learner.compile("adam"), before.'
            )

    def _make_weights(self, x):
        """Creates weights and the optimizers' variables where they do not exist yet."""
        if not self.built:
            if isinstance(x, TaskFamily):
                episode = x.sample(2, stream(self.seed, Stream.FIRST_EPISODE))
            else:
                episode = next(iter(self._batches(x)), None)
                if episode is None:
                    raise ValueError(
                        "Invalid value for `x`: expected one batch or more; received an empty one."
                    )
            self.create_weights(as_episode(episode))
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None and not optimizer.built:
            self._build_optimizers()

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: weights are made. Keras cannot average a mask over replicas."""

    def _batches(self, x, batch_size=None, start=0) -> tf.data.Dataset:
        """A dataset of the batches that ``x`` stands for."""
        if isinstance(x, tuple) and len(x) in (4, 5):
            self._check_episode(as_episode(x))
        return arguments.batches(x, batch_size, self.seed, start)

    def _finite(self, x, batch_size, steps):
        """The batches to evaluate, and how many."""
        check_counts(steps=steps)
        if isinstance(x, tf.distribute.DistributedDataset):  # Of validation within Keras' fit.
            return x, steps
        if isinstance(x, TaskFamily):
            steps = steps or EVALUATION_STEPS
        data = self._batches(x, batch_size, start=EVALUATION_START)
        data = data if steps is None else data.take(steps)
        return replicas.spread(data, self.distribute_strategy), steps or arguments.length(data)

    # -- one step -----------------------------------------------------------------------------

    # AutoGraph would read and rewrite all that a step calls, for seconds, and find nothing to do.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, episode: Episode) -> dict:
        episode = as_episode(episode)
        step = self._compiled_steps.get(xla.shapes(episode), self._step)
        return replicas.as_logs(step(episode))

    def _step(self, episode) -> dict:
        seed = fold_in(stream(self.seed, Stream.TRAINING_NOISE), self.optimizer.iterations)
        # Some optimizers take a step of their own, such as those of policies.
        if hasattr(self.optimizer, "meta_step"):
            return self._logged(*self.optimizer.meta_step(self, episode, seed))
        players = [(self.optimizer, self.learner_variables)]
        if self.critic_optimizer is not None:
            players.append((self.critic_optimizer, self.critic_variables))
        with replicas.agreed_assignments(self.non_trainable_variables):
            with tf.GradientTape() as tape:
                objective, logs, prediction, y = self.forward(episode, seed, True, fit=True)
                # Keras adds gradients up over replicas; this is the objective itself on one.
                share = objective / replicas.count() if replicas.count() > 1 else objective
            gradients = tape.gradient(share, [variables for _, variables in players])

        norm = tf.linalg.global_norm(tf.nest.flatten(gradients))
        finite = replicas.all_finite(tf.math.is_finite(norm) & tf.math.is_finite(objective))
        for (optimizer, variables), player_gradients in zip(players, gradients, strict=True):
            replicas.apply_if(finite, optimizer, player_gradients, variables)
        if self._has_running_statistics():
            with (
                replicas.agreed_assignments(self.non_trainable_variables),
                normalization.collecting(),
            ):
                self.update_normalization_statistics(real_inputs(episode))
        return self._logged(logs, prediction, y, finite)

    def _logged(self, logs: dict, prediction, y, finite) -> dict:
        """The logs of a step, counted as skipped unless loss and gradient are finite."""
        # Each replica counts its share: Keras reads the sum over replicas after an epoch.
        number = replicas.count()
        self.skipped.update_state((1.0 - tf.cast(finite, tf.float32)) / number)
        logs = self._track(logs, prediction, y, finite)
        return logs | {"skipped_steps": self.skipped.result() * number}

    @tf.autograph.experimental.do_not_convert
    def test_step(self, episode: Episode) -> dict:
        seed = stream(self.seed, Stream.VALIDATION_NOISE)
        with replicas.agreed_assignments(self.non_trainable_variables):
            _, logs, prediction, y = self.forward(as_episode(episode), seed, training=False)
        return replicas.as_logs(self._track(logs, prediction, y))

    @tf.autograph.experimental.do_not_convert
    def predict_step(self, episode: Episode):
        with replicas.agreed_assignments(self.non_trainable_variables):
            return self(as_episode(episode), training=False)

    def _has_running_statistics(self) -> bool:
        kind = normalization.FrozenBatchNormalization
        return any(isinstance(layer, kind) for layer in self._flatten_layers())

    def _track(self, logs: dict, prediction, y, counts=True) -> dict:
        """Takes values into the epoch's means, unless they are of a step that does not count.

        The means are over tasks, as those of Keras are over examples.
        """
        weight = tf.where(counts, tf.cast(tf.shape(y)[0], y.dtype), 0)
        for name, value in logs.items():
            finite = tf.where(counts, value, tf.zeros_like(value))
            self.trackers[name].update_state(finite, sample_weight=tf.cast(weight, finite.dtype))
        given = self._given
        for name, metric in given.keras.items():
            function = given.functions.get(name)
            if function is not None:
                value = tf.cast(tf.reduce_mean(function(prediction, y)), y.dtype)
                value = tf.where(counts, value, tf.zeros_like(value))
                metric.update_state(value, sample_weight=weight)
            else:
                # Keras' metrics are of examples [n, dim].
                labels, mean = (
                    tf.reshape(tf.where(counts, v, tf.zeros_like(v)), [-1, v.shape[-1]])
                    for v in (y, prediction.mean())
                )
                weights = tf.fill(tf.shape(labels)[:1], tf.cast(counts, y.dtype))
                metric.update_state(labels, mean, sample_weight=weights)
        results = {name: self.trackers[name].result() for name in logs}
        return results | {name: metric.result() for name, metric in given.keras.items()}
