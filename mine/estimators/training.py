"""Trains a critic on pairs and stops it on validation pairs.

A step of a small critic takes a fraction of a millisecond, and the overhead of ``keras.Model.fit``
several times that. So an epoch is one graph, pairs and validation pairs included.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mine.bounds import Bound
from mine.critics import form_scale
from mine.estimators.normal_start import normal_form
from mine.estimators.options import STEPS_PER_EPOCH
from mine.objective import Objective, read
from mine.replicas import apply_gradients

SCORING_NEGATIVES = 16
"""Negatives of each scored pair: enough that they add little to the sampling error."""


class Pairs(NamedTuple):
    """Pairs to tell from negatives: the critic sees ``[*conditions, y]``.

    Attributes:
        conditions: tuple of arrays [n, ...]; a negative has the same conditions and another y.
        y: [n, dim_y], or a set [n, elements, dim_y].
        others: tuple of arrays like ``y``, each a negative of every pair; empty to take the y of
            other pairs.
    """

    conditions: tuple
    y: np.ndarray
    others: tuple = ()

    @property
    def size(self) -> int:
        """How many pairs."""
        return self.y.shape[0]

    @property
    def features(self) -> int:
        """Features of the largest of the inputs."""
        return max(part.shape[-1] for part in (*self.conditions, self.y))

    def take(self, index) -> "Pairs":
        """The pairs at ``index``; numpy or TensorFlow."""
        return tf.nest.map_structure(lambda array: tf.gather(array, index), self)


class Trainer(tf.Module):
    """A critic, the bound it ascends, and its optimizer.

    All weights of the critic lie in one vector, so that the optimizer has one variable to step.

    Args:
        critic: a layer called with a list of inputs, that draws nothing at random; see
            :mod:`mine.critics`.
        objective: the bound.
        optimizer: steps the weights.
        negatives: negatives of each pair in a training step; "all" for those of the whole batch.
        example: a few pairs, for the shapes.
    """

    def __init__(
        self,
        critic: keras.layers.Layer,
        objective: Objective,
        optimizer: keras.optimizers.Optimizer,
        negatives: int | str,
        example: Pairs,
    ):
        super().__init__()
        self.critic, self.objective, self.optimizer = critic, objective, optimizer
        self.negatives = negatives
        critic([*example.conditions, example.y])
        self._shapes = [variable.shape for variable in critic.trainable_variables]
        self.theta = keras.Variable(self._flat(), name="theta")
        # 0 for a critic that is worse than constant scores: see fit.
        self.gain = keras.Variable(1.0, trainable=False, name="gain")
        optimizer.build([self.theta])
        states = (
            self.gain,
            *critic.non_trainable_variables,
            *objective.variables,
            *optimizer.variables,
        )
        self._states = [self.theta, *states]
        self._initial = [state.numpy() for state in self._states]

    def reset(self) -> None:
        """Restores the initial weights and states, for another training with the same graphs."""
        for state, value in zip(self._states, self._initial, strict=True):
            state.assign(value)

    # -- scores -----------------------------------------------------------------------------------

    def __call__(self, theta, inputs) -> tf.Tensor:
        """Scores ``inputs``, a list of tensors whose leading axes broadcast, by weights theta."""
        sizes = [math.prod(shape) for shape in self._shapes]
        weights = [
            tf.reshape(part, shape)
            for part, shape in zip(tf.split(theta, sizes), self._shapes, strict=True)
        ]
        states = [tf.convert_to_tensor(state) for state in self.critic.non_trainable_variables]
        return self.gain * self.critic.stateless_call(weights, states, inputs)[0]

    def scores(self, theta, pairs: Pairs, negatives: int):
        """Scores of pairs [n], and of their negatives [negatives, n]."""
        others = pairs.others[:negatives]
        if not others:
            # Rolls by different steps: none is the identity, so no sample meets itself.
            stride = tf.shape(pairs.y)[0] // (negatives + 1)
            others = [tf.roll(pairs.y, 1 + k * stride, axis=0) for k in range(negatives)]
        y = tf.stack([pairs.y, *others])
        scores = self(theta, [*(condition[tf.newaxis] for condition in pairs.conditions), y])
        return scores[0], scores[1:]

    def all_scores(self, theta, pairs: Pairs) -> tf.Tensor:
        """Scores of the conditions of each pair with the y of each, [n, n]."""
        conditions = [condition[:, tf.newaxis] for condition in pairs.conditions]
        return self(theta, [*conditions, pairs.y[tf.newaxis]])

    def bound(self, theta, pairs: Pairs, negatives: int | str, training: bool = False) -> Bound:
        """The bound of a batch."""
        if negatives == "all":
            return self.objective.all_pairs(self.all_scores(theta, pairs), training=training)
        return self.objective(*self.scores(theta, pairs, negatives), training=training)

    def scoring_negatives(self, pairs: Pairs) -> int:
        """Number of negatives of each validation or held-out pair."""
        if pairs.others:
            return len(pairs.others)
        return min(SCORING_NEGATIVES, (pairs.y.shape[0] or SCORING_NEGATIVES + 1) - 1)

    # -- training ---------------------------------------------------------------------------------

    def start(self, pairs: Pairs) -> None:
        """Gives the critic the moments of its inputs, and the form of a normal fit if it has one.

        Once: at every step moments cost more.
        """
        inputs = [*pairs.conditions, pairs.y]
        self.critic(inputs, training=True)
        # Negatives of the user's own are not drawn from p(y), and ask for another form.
        if pairs.others or not getattr(self.critic, "quadratic", False):
            return
        ready = zip(self.critic.standardize, inputs, strict=True)
        *x, y = (standardize(part).numpy() for standardize, part in ready)
        form, constant = normal_form(np.concatenate(x, axis=-1), y)
        self.critic.form.assign(form / form_scale(len(form)))
        self.critic.blocks[-1].bias.assign([constant])
        self.theta.assign(self._flat())

    def _flat(self) -> tf.Tensor:
        """The critic's own variables in one vector; they are what training starts at."""
        return tf.concat([tf.reshape(v, [-1]) for v in self.critic.trainable_variables], axis=0)

    def step(self, pairs: Pairs) -> None:
        """One step up the bound of a batch."""
        with tf.GradientTape() as tape:
            theta = tf.convert_to_tensor(self.theta)
            tape.watch(theta)
            loss = -self.bound(theta, pairs, self.negatives, training=True).surrogate
        apply_gradients(self.optimizer, [tape.gradient(loss, theta)], [self.theta])

    @tf.function(reduce_retracing=True, autograph=False)
    def epoch(self, pairs: Pairs, validation: Pairs, batch_size: int, first, seed):
        """``STEPS_PER_EPOCH`` steps, and the nats of their mean weights on validation pairs.

        Args:
            pairs: to train on; each comes once a pass, so never twice in a batch.
            validation: to value the weights on.
            batch_size: pairs a step.
            first: number of the first step, [].
            seed: of the order of the pairs, [].

        Returns:
            ``(nats, theta)``: a scalar, and the weights' mean over the epoch.
        """
        batches = pairs.size // batch_size

        def body(step, mean):
            place = tf.range(batch_size) + step % batches * batch_size
            key = tf.stack([seed, step // batches])
            index = tf.random.experimental.index_shuffle(place, key, pairs.size - 1)
            self.step(pairs.take(index))
            return step + 1, mean + self.theta / STEPS_PER_EPOCH

        _, mean = tf.while_loop(
            lambda step, _: step < first + STEPS_PER_EPOCH, body, (first, tf.zeros_like(self.theta))
        )
        return self.validate(mean, validation, batch_size), mean

    def validate(self, theta, pairs: Pairs, batch_size: int) -> tf.Tensor:
        """Nats on validation pairs; for InfoNCE in batches, whose size is its ceiling."""
        if self.objective.bound != "infonce":
            return self.bound(theta, pairs, self.scoring_negatives(pairs)).nats
        batches = pairs.size // batch_size
        parts = [
            self.bound(theta, pairs.take(tf.range(i, i + batch_size)), "all").nats
            for i in range(0, batches * batch_size, batch_size)
        ]
        return tf.add_n(parts) / batches

    def fit(
        self,
        pairs: Pairs,
        validation: Pairs,
        batch_size: int,
        steps: int,
        patience: int,
        seed: int,
        progress: Callable[[float], None],
    ) -> list[float]:
        """Trains with early stopping on the validation pairs, and keeps the best weights.

        The weights before training are a candidate too. A critic that is worse than one whose
        scores are all zero is replaced by that.

        Args:
            pairs: to train on.
            validation: to stop on.
            batch_size: pairs a step.
            steps: largest number of training steps.
            patience: epochs without a gain after which to stop.
            seed: of the order of the pairs.
            progress: called with the nats after each epoch.

        Returns:
            Nats on the validation pairs after each epoch.

        Raises:
            ArithmeticError: a value that is not finite.
        """
        pairs, validation = tf.nest.map_structure(tf.constant, (pairs, validation))
        self.start(pairs)
        best, waited, curve = self.theta.numpy(), 0, []
        most = float(self.validate(self.theta, validation, batch_size))
        for first in range(0, steps - STEPS_PER_EPOCH + 1, STEPS_PER_EPOCH):
            nats, theta = self.epoch(
                pairs, validation, batch_size, tf.constant(first), tf.constant(int(seed))
            )
            curve.append(float(nats))
            if not math.isfinite(curve[-1]):
                raise ArithmeticError(
                    f"Training diverged: expected finite scores of the critic; received others "
                    f"after {first + STEPS_PER_EPOCH} steps; use preprocess='rank' or a lower "
                    "learning_rate."
                )
            progress(curve[-1])
            waited += 1
            if curve[-1] > most:
                best, most, waited = theta, curve[-1], 0
            if waited >= patience:
                break
        self.theta.assign(best)
        if most < self._value_of_zeros(validation):
            self.gain.assign(0.0)
        return curve

    def _value_of_zeros(self, pairs: Pairs) -> float:
        """The nats of a critic whose scores are all zero."""
        if self.objective.bound == "infonce":
            return 0.0
        zeros = tf.zeros([pairs.size])
        return float(read(self.objective.bound, zeros, zeros))

    def weights(self) -> list[np.ndarray]:
        """All arrays that the scores depend on."""
        states = (self.theta, self.gain, *self.critic.non_trainable_variables)
        return [state.numpy() for state in states]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Restores arrays of :meth:`weights`."""
        states = (self.theta, self.gain, *self.critic.non_trainable_variables)
        for state, value in zip(states, weights, strict=True):
            state.assign(value)
