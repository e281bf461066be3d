"""Cross-fitting: every sample is scored by a critic that has not seen it.

The samples are split into folds. For each fold a critic is trained on the others, stopped on some
of them that are set aside for validation, and scores the fold.
"""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from mine import bounds
from mine.estimators.options import STEPS_PER_EPOCH, Options
from mine.estimators.training import Pairs, Trainer
from mine.estimators.uncertainty.intervals import Scores
from mine.objective import Objective
from mine.reporting.processes import resources
from mine.reporting.progress import ProgressBar

VALIDATION_SHARE = 0.15
"""Share of the samples outside a fold on which training is stopped."""

NEGATIVE = 5_000
"""Bytes of a negative in the graph of a training step, in which each stands by itself."""

MIN_FOLD_SIZE = 10
"""Least number of samples of a fold."""


class Fits(NamedTuple):
    """The critics of all folds.

    Attributes:
        trainer: whose weights are those of the last fold.
        weights: of the trainer, for each fold.
        curves: validation nats after every epoch, for each fold.
        scores: of the held-out pairs of each fold.
        batch_size: pairs a step, at most ``options.batch_size``.
    """

    trainer: Trainer
    weights: list
    curves: list
    scores: list
    batch_size: int


def cross_fit(build: Callable[[int], keras.layers.Layer], pairs: Pairs, options: Options) -> Fits:
    """Trains a critic for each fold and scores the fold.

    Args:
        build: makes a critic from a seed.
        pairs: all samples, float32.
        options: how, resolved: nothing is None.

    Raises:
        ValueError: too many folds for so few samples.
    """
    n = pairs.size
    smallest = n // options.folds
    if smallest < MIN_FOLD_SIZE:
        raise ValueError(
            f"Invalid value for `folds`: expected at least {MIN_FOLD_SIZE} of {n} samples a fold; "
            f"received {options.folds}, which leaves {smallest}; use fewer folds."
        )
    order = np.random.default_rng(options.seed).permutation(n)
    folds = np.array_split(order, options.folds)
    # The first fold is the largest. All get equally many to train on, so one graph serves all.
    num_validation = round(VALIDATION_SHARE * (n - len(folds[0])))
    num_training = n - len(folds[0]) - num_validation
    batch_size = min(options.batch_size, num_training)
    if options.bound == "infonce":
        batch_size = min(batch_size, num_validation, len(folds[-1]))
    if options.negatives != "all":
        needed = options.negatives * (NEGATIVE + 4 * batch_size * pairs.features)
        resources.require("negatives", options.negatives, needed)
    trainer = build_trainer(build, pairs, options)
    weights, curves, scores = [], [], []
    for index, fold in enumerate(folds):
        rest = np.concatenate([other for i, other in enumerate(folds) if i != index])
        rest = np.random.default_rng([options.seed, index]).permutation(rest)
        trainer.reset()
        with _progress(f"critic {index + 1} of {options.folds}", options) as progress:
            curve = trainer.fit(
                pairs.take(rest[:num_training]),
                pairs.take(rest[num_training : num_training + num_validation]),
                batch_size=batch_size,
                steps=options.steps,
                patience=options.patience,
                seed=np.random.SeedSequence([options.seed, index]).generate_state(1)[0] >> 1,
                progress=progress,
            )
        weights.append(trainer.weights())
        curves.append(curve)
        scores.append(score(trainer, pairs.take(fold), batch_size))
    return Fits(trainer, weights, curves, scores, batch_size)


@contextlib.contextmanager
def _progress(label: str, options: Options):
    """A bar that appears if training takes more than two seconds."""
    epochs = options.steps // STEPS_PER_EPOCH
    hidden = not options.progress
    with ProgressBar(total=epochs, desc=label, delay=2, leave=False, disable=hidden) as bar:

        def progress(nats):
            bar.set_postfix(nats=f"{nats:.3f}", refresh=False)
            bar.update()

        yield progress


def build_trainer(build: Callable, pairs: Pairs, options: Options) -> Trainer:
    """A trainer with all its variables, fit for data of the shapes of ``pairs``."""
    schedule = keras.optimizers.schedules.CosineDecay(options.learning_rate, options.steps)
    return Trainer(
        build(options.seed),
        Objective(options.bound),
        keras.optimizers.Adam(schedule),
        options.negatives,
        example=pairs.take(np.arange(2)),
    )


def score(trainer: Trainer, pairs: Pairs, batch_size: int) -> Scores:
    """Scores of held-out ``pairs``; for InfoNCE the terms of as many whole batches as there are."""
    pairs = tf.nest.map_structure(tf.constant, pairs)
    if trainer.objective.bound != "infonce":
        return _paired(trainer, pairs)
    blocks = pairs.size // batch_size
    if not blocks:
        raise ValueError(
            f"Too few samples: expected at least {batch_size}, the batch size of this InfoNCE; "
            f"received {pairs.size}."
        )
    terms = [
        _terms(trainer, pairs.take(tf.range(i * batch_size, (i + 1) * batch_size)))
        for i in range(blocks)
    ]
    return Scores(tf.concat(terms, axis=0), None)


@tf.function(reduce_retracing=True, autograph=False)
def _paired(trainer, pairs) -> Scores:
    return Scores(*trainer.scores(trainer.theta, pairs, trainer.scoring_negatives(pairs)))


@tf.function(reduce_retracing=True, autograph=False)
def _terms(trainer, pairs) -> tf.Tensor:
    scores = trainer.all_scores(trainer.theta, pairs)
    return tf.linalg.diag_part(scores) - bounds.log_mean_exp(scores, axis=1)
