"""Prediction-MI: the information that the support labels carry about the learner's prediction."""

import functools

import tensorflow as tf

import mine
from maml.core.checks import check_at_least
from maml.core.episodes import concatenated, fold_in, support_mask
from maml.core.label_transforms import LabelTransform
from maml.core.registry import REGULARIZERS
from maml.core.seeds import Part, initializer_seeds
from maml.distributions.base import split_conditions
from maml.distributions.categorical import Categorical
from maml.regularizers.information import (
    CRITIC_BOUNDS,
    InformationTerm,
    predict_relabeled,
    scale_gradient,
)
from mine import replicas

POWER_LIMIT = 1.2
"""Mean square of predictions over that of labels above which the critic is being exploited."""


@REGULARIZERS.register("prediction_mi", short="mine")
class PredictionMI(InformationTerm):
    r"""Prediction-MI: raises the information that the support labels carry about the prediction.

    That is :math:`I(\hat y^*; Y' \mid x^*, X)` of relabeled tasks, Definition 1 of Yin et al.
    2020 with X held fixed. A critic (MINE, Belghazi et al. 2018, arXiv 1801.04062) sees the
    learner's noisy predictions and the relabeled support set. The term rewards predictions for
    *depending* on the support labels, right or wrong, so it can be exploited: any invertible
    recoding of the prediction counts. Bound the outputs, or let ``power_penalty`` limit predictions
    whose mean square exceeds ``POWER_LIMIT`` times that of the labels.

    Of classes it has a closed form, ``bound="exact"``: the entropy of the mean of the predictions
    under N relabeled support sets less the mean of their entropies (:func:`mine.categorical`), at
    most log N.

    Args:
        label_transform: draws g.
        bound: "mine", "dv", "js" or "nwj" with a critic, or "exact" for predictions of classes.
        noise: standard deviation of the noise through which the critic sees predictions, in the
            unit of their ``critic_features()``; 0: that of the learner's likelihood. Where it is
            large beside what a relabeling changes at first, the critic receives no signal.
        power_penalty: weight of the penalty on the power of predictions.
        num_relabelings: relabeled copies of each task for which predictions are made: the N of
            "exact", which has two at least. A critic compares each prediction with the relabeled
            support set that it was made from, and with that of the next copy; of one copy with
            relabeled labels that nothing is predicted from. One costs half as much as two where
            networks adapt, and its gradient is noisier.
        **kwargs: of :class:`maml.regularizers.information.InformationTerm`.

    Raises:
        ValueError: an option has no meaning.
    """

    title, key = "Prediction-MI", "prediction_mi"
    BOUNDS = (*CRITIC_BOUNDS, "exact")

    def __init__(
        self,
        label_transform: LabelTransform,
        bound: str = "mine",
        noise: float = 0.0,
        power_penalty: float = 1.0,
        num_relabelings: int = 2,
        **kwargs,
    ):
        super().__init__(label_transform, bound, num_relabelings=num_relabelings, **kwargs)
        check_at_least(0, noise=noise, power_penalty=power_penalty)
        self.noise, self.power_penalty = noise, power_penalty
        if self.has_critic:
            hidden, dtype = self.hidden, self.dtype_policy
            seed = next(initializer_seeds(self.seed, Part.PREDICTION_CRITIC))
            self.critic = mine.Concatenated(hidden, seed=seed, dtype=dtype)
            seed = next(initializer_seeds(self.seed, Part.SET_ENCODER))
            self.set_encoder = mine.SetEncoder(hidden, seed=seed, dtype=dtype)

    @classmethod
    def options_without_effect(cls, bound, **others):
        own = ("noise", "power_penalty") if bound == "exact" else ()
        return super().options_without_effect(bound) | dict.fromkeys(own, "bound")

    @property
    def exact_gradient(self):
        """Critics scale their inputs by running moments, which are constants to a gradient."""
        return super().exact_gradient and not self.has_critic

    def check_head(self, head):
        if self.has_critic and not head.bounded and not self.power_penalty:
            raise ValueError(
                f"With unbounded outputs ({type(head).__name__} without `bounds`) and "
                "power_penalty=0 the critic can be exploited by ever larger outputs: give the head "
                "`bounds`, the regularizer power_penalty=1, or use label_mi."
            )

    @property
    def metric_names(self):
        names = super().metric_names
        return (*names, f"{self.key}_power_ratio") if self.has_critic else names

    @classmethod
    def table_name(cls, **options):
        bound = "MINE" if options["bound"] == "mine" else options["bound"]
        return f"{cls.title} ({bound}, {cls.symbol} = {options['weight']:g})"

    def scores(self, learner, episode, weight, seed, training):
        if self.bound == "exact":
            return self._exact(learner, episode, weight, seed, training), None, 0.0, {}
        # Each relabeling makes a joint pair, and with the support set of the next one a negative of
        # the same x* and X. They go as one batch: on small networks each operation costs.
        copies = self.num_relabelings
        count, tasks = max(copies, 2), tf.shape(episode.query_y)[0]
        draws = self.draws(episode, [fold_in(seed, index) for index in range(count)])
        relabeled, adapted = concatenated(draws), concatenated(draws[:copies])
        predicted = predict_relabeled(learner, adapted, training)
        clean = predicted.critic_features()
        draw = functools.partial(
            tf.random.stateless_normal, seed=fold_in(seed, count), dtype=clean.dtype
        )
        noise = replicas.drawn(draw, tf.concat([[copies, tasks], tf.shape(clean)[1:]], 0), axis=1)
        noise = (self.noise or predicted.critic_noise) * tf.reshape(noise, tf.shape(clean))
        noisy = scale_gradient(clean, weight) + noise
        described = self.set_encoder(
            self._describe(learner, concatenated([episode] * count), relabeled),
            training=training,
            mask=support_mask(relabeled),
        )
        sets = tf.repeat(described[:, tf.newaxis], tf.shape(clean)[1], axis=1)
        of_others = tf.roll(sets, tasks, axis=0)
        original = learner.head.features(concatenated([episode] * copies).query_y)
        here = copies * tasks
        pairs = [noisy, noisy], [sets[:here], of_others[:here]], [original, original]
        scores = self.critic([tf.concat(part, axis=0) for part in pairs], training=training)
        scores = tf.reshape(scores, [2, copies, tasks, -1])

        power, limit = (replicas.mean(tf.reduce_mean(part**2)) for part in (clean, original))
        power /= limit
        penalty = self.power_penalty * tf.nn.relu(power - POWER_LIMIT)
        return scores[0], scores[1], penalty, {"power_ratio": power}

    def _exact(self, learner, episode, weight, seed, training):
        count = max(self.num_relabelings, 2)
        predicted = predict_relabeled(learner, self.relabeled(episode, count, seed), training)
        if not isinstance(predicted, Categorical):
            raise ValueError(
                "Invalid value for `bound`: 'exact' needs predictions of classes, received a "
                f"{type(predicted).__name__}; use bound='mine'."
            )
        log_prob = split_conditions(predicted.log_probabilities, count)
        return mine.categorical(scale_gradient(log_prob, weight))

    def _describe(self, learner, episode, relabeled):
        """What the critic is told of a support set: elements [tasks, shots, features]."""
        features = learner.head.features
        if self.label_transform.relabels_queries:
            return tf.concat([features(episode.support_y), features(relabeled.support_y)], axis=-1)
        # The inputs changed too. Of an image, a critic needs to know which one it is, no pixels.
        x = tf.stop_gradient(relabeled.support_x)
        if x.shape.rank > 3:
            tasks, shots = tf.shape(x)[0], tf.shape(x)[1]
            flat = tf.reshape(x, [tasks * shots, *x.shape[2:]])
            pooled = tf.image.resize(flat, [4, 4], method="area")
            x = tf.reshape(pooled, [tasks, shots, 16 * x.shape[-1]])
        return tf.concat([x, features(relabeled.support_y)], axis=-1)
