"""Information terms."""

import tensorflow as tf

import mine
from maml.core.episodes import concatenated, fold_in
from maml.core.label_transforms import LabelTransform
from maml.core.registry import REGULARIZERS
from maml.distributions.base import log_prob_under_each, split_conditions
from maml.distributions.categorical import Categorical
from maml.regularizers.base import Regularizer

POWER_LIMIT = 1.2
"""Mean square of predictions over that of labels from which a free critic is being gamed."""


@tf.custom_gradient
def scale_gradient(x, factor):
    """The identity, whose gradient is multiplied by ``factor`` (a scalar)."""
    return tf.identity(x), lambda upstream: (upstream * factor, None)


class LabelMI(Regularizer):
    r"""Raises the information that the support labels carry about the query's answer.

    A label transform g relabels a task: Y' = g(Y), y*' = g(y*). The term added to the meta-loss is
    :math:`-\lambda I`, for one of two informations, both in nats:

    * ``target="label"``: :math:`I(y^{*\prime}; Y' | x^*, X)`. The critic is the model's own
      likelihood, :math:`T = \log q(y^{*\prime} | x^*, D') - h`. ``bound="ba"`` drops the learned
      marginal h: the Barber-Agakov bound :math:`E \log q(y^{*\prime} | x^*, D') + H(y^{*\prime})`,
      which is label augmentation (Rajendran et al. 2020) read as an information bound.
      ``bound="plugin"`` takes for h the mean likelihood over N = ``negatives + 1`` relabellings
      of the support, :math:`E \log q(y^{*\prime} | x^*, D'_n) - \log \frac1N \sum_m q(y^{*\prime}
      | x^*, D'_m)` (:func:`mine.plug_in`; Poole et al. 2019, eq. 12 with the likelihood as critic).
      Nothing is learned beside the model, and the value is in nats whatever the entropy; but the
      support is encoded N times, and the value cannot exceed log N, near which nothing pulls.
    * ``target="prediction"``: :math:`I(\hat y^*; Y' | x^*, X)`, a free critic over the model's own
      noisy predictions. It is Definition 1 of Yin et al. 2020 with X held fixed, and can be gamed:
      any invertible recoding of the prediction counts. Bound the outputs, or let ``power_penalty``
      hold predictions whose mean square exceeds ``POWER_LIMIT`` times the labels'. Of classes it
      has a closed form, ``bound="exact"``: the entropy of the mean of the predictions under N
      relabellings less the mean of their entropies (:func:`mine.categorical`), at most log N.

    Model and critic ascend the *same* bound in one backward pass; the gradient that reaches the
    model is scaled by :math:`\lambda`. In the tasks this is for, x* determines the original label
    y*, so critics see y* (and the support's original labels) in place of raw inputs.

    Args:
        label_transform: draws g.
        target: "label" or "prediction".
        bound: "ba" or "plugin" (label only, no critic), "exact" (predictions of classes only, no
            critic), "mine", "dv", "js" or "nwj".
        weight: lambda, per nat.
        warmup: training steps over which lambda rises linearly from 0; the critic learns all along.
        num_relabelings: relabellings of each task in a step, of which the term is the mean (target
            "label",
            but for "plugin", which has ``negatives + 1``), or N of "exact", which has two at least.
            More make its gradient less noisy. Where networks only embed the inputs they cost
            little, since a task is embedded once; where they adapt, each is a task more.
        cap: nats of a batch from which the term no longer pulls; 0: none. With "ba", and an
            label_transform whose entropy is not known, they are of the log-likelihood alone.
        negatives: relabellings a pair is set against (target "label").
        noise: standard deviation of the noise through which the critic sees predictions, in the
            unit of their ``critic_features()``; 0: that of the model's likelihood (target
            "prediction"). Where
            it is large beside what a relabelling does at first, the critic sees nothing to raise.
        power_penalty: weight of the penalty on the power of predictions (target "prediction").
        hidden: units of the critic's hidden layers.
        rate: weight of the newest batch in MINE's running normaliser.
        seed: seed of the critic's initial weights.

    Raises:
        ValueError: a combination that has no meaning.
    """

    TARGETS = ("label", "prediction")
    CRITIC_FREE = ("ba", "plugin", "exact")
    BOUNDS = (*CRITIC_FREE, "mine", "dv", "js", "nwj")

    def __init__(
        self,
        label_transform: LabelTransform,
        target: str = "label",
        bound: str = "ba",
        weight: float = 1.0,
        warmup: int = 0,
        num_relabelings: int = 1,
        cap: float = 0.0,
        negatives: int = 4,
        noise: float = 0.0,
        power_penalty: float = 1.0,
        hidden=(64, 64),
        rate: float = 0.01,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if target not in self.TARGETS:
            raise ValueError(f"target must be one of {self.TARGETS}, not {target!r}.")
        if bound not in self.BOUNDS:
            raise ValueError(f"bound must be one of {self.BOUNDS}, not {bound!r}.")
        if target == "prediction" and bound in ("ba", "plugin"):
            raise ValueError(
                f"bound={bound!r} needs target='label': a prediction has no likelihood but the "
                "model's."
            )
        if target == "label" and bound == "exact":
            raise ValueError("bound='exact' is of predictions of classes: use target='prediction'.")
        for name, value in {"noise": noise, "cap": cap}.items():
            if value < 0:
                raise ValueError(f"{name} must be at least 0, not {value}.")
        for name, value in {"num_relabelings": num_relabelings, "negatives": negatives}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}.")
        if target == "label" and not label_transform.relabels_queries:
            raise ValueError(
                f"{type(label_transform).__name__} does not relabel the queries, so target='label' "
                "has no label to predict; use target='prediction' or a label transform."
            )
        self.label_transform, self.target, self.bound = label_transform, target, bound
        self.weight, self.warmup, self.noise = weight, warmup, noise
        self.num_relabelings, self.cap, self.negatives = num_relabelings, cap, negatives
        self.power_penalty, self.hidden, self.rate, self.seed = power_penalty, hidden, rate, seed
        self.step = self.add_weight(name="step", shape=(), initializer="zeros", trainable=False)
        if bound not in self.CRITIC_FREE:
            self.objective = mine.Objective(bound, rate, dtype=self.dtype_policy)
            self._make_critic()

    def _make_critic(self):
        hidden, seed = self.hidden, self.seed
        if self.target == "prediction":
            self.critic = mine.Concatenated(hidden, seed=seed, dtype=self.dtype_policy)
            self.set_encoder = mine.SetEncoder(hidden, seed=seed + 100, dtype=self.dtype_policy)
        else:
            self.critic = mine.Likelihood(hidden, seed=seed, dtype=self.dtype_policy)

    @property
    def metric_names(self):
        names = ["mi_weight", "mi_surrogate", "mi_nats"]
        if self.bound not in self.CRITIC_FREE:
            names.append("effective_negatives")
            if self.target == "prediction":
                names.append("power_ratio")
        return tuple(names)

    @property
    def critic_variables(self):
        return self.trainable_variables

    def term(self, learner, episode, features, prediction, seed, training):
        if training:
            self.step.assign_add(1.0)
        ramp = tf.minimum(self.step / self.warmup, 1.0) if self.warmup else tf.ones_like(self.step)
        weight = self.weight * ramp
        logs = {"mi_weight": weight}
        scores = self._label if self.target == "label" else self._prediction
        scores = {"plugin": self._plug_in, "exact": self._exact}.get(self.bound, scores)
        joint, marginal, penalty, extra = scores(learner, episode, weight, seed, training)
        bound = self._bound(joint, marginal, training)
        surrogate = bound.surrogate
        if self.cap:
            above = bound.nats > self.cap
            surrogate = tf.where(above, tf.stop_gradient(surrogate), surrogate)
        logs["mi_surrogate"] = surrogate
        # A value on the batch that is being fitted is no estimate: nats are for held-out batches.
        if not training:
            logs["mi_nats"] = bound.nats
        if marginal is not None:
            logs["effective_negatives"] = mine.effective_sample_size(marginal)
        return penalty - surrogate, logs | extra

    def _plug_in(self, learner, episode, weight, seed, training):
        count = self.negatives + 1
        relabelled = self._draws(episode, count, seed)
        predicted = _answer(learner, relabelled, training)
        log_prob = log_prob_under_each(predicted, relabelled.query_y, count)
        return mine.plug_in(scale_gradient(log_prob, weight)).lower, None, 0.0, {}

    def _exact(self, learner, episode, weight, seed, training):
        count = max(self.num_relabelings, 2)
        predicted = _answer(learner, self._draws(episode, count, seed), training)
        if not isinstance(predicted, Categorical):
            raise ValueError("bound='exact' needs predictions of classes: use bound='mine'.")
        log_prob = split_conditions(predicted.log_probabilities, count)
        return mine.categorical(scale_gradient(log_prob, weight)), None, 0.0, {}

    def _draws(self, episode, count, seed):
        """Relabellings of the same episodes, in one batch: an inner loop is traced once."""
        return concatenated(self.label_transform(episode, fold_in(seed, i)) for i in range(count))

    def _label(self, learner, episode, weight, seed, training):
        episode = concatenated([episode] * self.num_relabelings)
        relabelled = self.label_transform(episode, fold_in(seed, 0))
        predicted = _answer(learner, relabelled, training)

        def score(y):
            log_prob = scale_gradient(predicted.log_prob(y), weight)
            if self.bound == "ba":
                return log_prob
            inputs = [learner.head.features(y), learner.head.features(episode.query_y)]
            return self.critic(log_prob, inputs, training=training)

        joint = score(relabelled.query_y)
        if self.bound == "ba":
            return joint, None, 0.0, {}
        others = [
            self.label_transform(episode, fold_in(seed, 1 + i)) for i in range(self.negatives)
        ]
        return joint, tf.stack([score(other.query_y) for other in others]), 0.0, {}

    def _prediction(self, learner, episode, weight, seed, training):
        # Two draws of g make two joint pairs, and crosswise two negatives with the same x* and X.
        # They go as one batch of twice the tasks: on small networks each operation costs.
        tasks = tf.shape(episode.query_y)[0]
        both, twice = self._draws(episode, 2, seed), concatenated([episode] * 2)
        predicted = _answer(learner, both, training)
        clean = predicted.critic_features()
        noise = tf.random.stateless_normal(tf.shape(clean), fold_in(seed, 2), dtype=clean.dtype)
        codes = scale_gradient(clean, weight) + (self.noise or predicted.critic_noise) * noise
        described = self.set_encoder(self._describe(learner, twice, both), training=training)
        sets = tf.repeat(described[:, tf.newaxis], tf.shape(clean)[1], axis=1)
        original = learner.head.features(twice.query_y)
        pairs = [codes, codes], [sets, tf.roll(sets, tasks, axis=0)], [original, original]
        scores = self.critic([tf.concat(part, axis=0) for part in pairs], training=training)
        scores = tf.reshape(scores, [2, 2, tasks, -1])

        power = tf.reduce_mean(clean**2) / tf.reduce_mean(original**2)
        penalty = self.power_penalty * tf.nn.relu(power - POWER_LIMIT)
        return scores[0], scores[1], penalty, {"power_ratio": power}

    def _describe(self, learner, episode, draw):
        """What the critic is told of a support set: elements [tasks, shots, features]."""
        features = learner.head.features
        if self.label_transform.relabels_queries:
            return tf.concat([features(episode.support_y), features(draw.support_y)], axis=-1)
        # The inputs changed too. Of an image, a critic needs to know which one it is, no pixels.
        x = tf.stop_gradient(draw.support_x)
        if x.shape.rank > 3:
            tasks, shots = tf.shape(x)[0], tf.shape(x)[1]
            flat = tf.reshape(x, [tasks * shots, *x.shape[2:]])
            pooled = tf.image.resize(flat, [4, 4], method="area")
            x = tf.reshape(pooled, [tasks, shots, 16 * x.shape[-1]])
        return tf.concat([x, features(draw.support_y)], axis=-1)

    def _bound(self, joint, marginal, training):
        if self.bound not in self.CRITIC_FREE:
            return self.objective(joint, marginal, training=training)
        value = tf.reduce_mean(joint)
        entropy = self.label_transform.entropy if self.bound == "ba" else None
        return mine.Bound(value, value + (entropy or 0.0))


def _answer(learner, episode, training):
    """The learner's q(y* | x*, D) at the queries of embedded episodes."""
    state = learner.encode(episode.support_x, episode.support_y, training=training)
    return learner.decode(state, episode.query_x)


@REGULARIZERS.register("mine")
def mutual_information(
    label_transform: LabelTransform,
    mi_target: str = "label",
    mi_bound: str = "ba",
    mi_weight: float = 1.0,
    mi_warmup: int = 0,
    mi_draws: int = 1,
    mi_cap: float = 0.0,
    mi_noise: float = 0.0,
    mi_power_penalty: float = 1.0,
    seed: int = 0,
) -> LabelMI:
    """:class:`LabelMI`, its options under the names that runners give them."""
    return LabelMI(
        label_transform,
        mi_target,
        mi_bound,
        weight=mi_weight,
        warmup=mi_warmup,
        num_relabelings=mi_draws,
        cap=mi_cap,
        noise=mi_noise,
        power_penalty=mi_power_penalty,
        seed=seed,
    )
