"""Label-MI: the information that the support labels carry about the query label."""

import tensorflow as tf

import mine
from maml.core.checks import check_whole
from maml.core.episodes import fold_in
from maml.core.label_transforms import LabelTransform
from maml.core.registry import REGULARIZERS
from maml.core.seeds import Part, initializer_seeds
from maml.distributions.base import log_prob_under_each
from maml.regularizers.information import (
    CRITIC_BOUNDS,
    InformationTerm,
    predict_relabeled,
    scale_gradient,
)


@REGULARIZERS.register("label_mi")
class LabelMI(InformationTerm):
    r"""Label-MI: raises the information that the support labels carry about the query label.

    That is :math:`I(y^{*\prime}; Y' \mid x^*, X)` of relabeled tasks. The critic is the learner's
    own likelihood, :math:`T = \log q(y^{*\prime} \mid x^*, D') - h`:

    * ``bound="ba"`` drops the learned marginal h: the Barber-Agakov bound :math:`E \log
      q(y^{*\prime} \mid x^*, D') + H(y^{*\prime})`, which is label augmentation (Rajendran et al.
      2020) read as a bound on an information;
    * ``bound="plugin"`` takes for h the mean likelihood over N = ``negatives + 1`` relabeled
      support sets, :math:`E \log q(y^{*\prime} \mid x^*, D'_n) - \log \frac1N \sum_m
      q(y^{*\prime} \mid x^*, D'_m)` (:func:`mine.plug_in`; Poole et al. 2019, InfoNCE with
      the likelihood as critic). Nothing is learned beside the learner, and the value is in nats
      whatever the entropy; but the support set is encoded N times, and the value cannot exceed
      log N, near which the gradient vanishes;
    * "mine", "dv", "js" and "nwj" learn h, a function of the original label
      (:class:`mine.Likelihood`).

    In the tasks that this is for, x* determines the original label y*, so critics are given y* (and
    the original labels of the support set) in place of raw inputs.

    Args:
        label_transform: draws g; it must relabel queries as it relabels support sets.
        bound: "ba", "plugin", "mine", "dv", "js" or "nwj".
        negatives: relabeled tasks that a pair is compared with.
        weight: lambda, per nat.
        warmup_nats: see :class:`maml.regularizers.information.InformationTerm`.
        **kwargs: of :class:`maml.regularizers.information.InformationTerm`. The term is the mean
            over ``num_relabelings`` (with "plugin" it has ``negatives + 1`` instead). More make its
            gradient less noisy: cheap where networks only embed inputs, since a task is embedded
            once; where networks adapt, each costs as much as a task. With "ba", and a transform
            whose entropy is not known, the bound is known up to a constant: ``cap`` is of the
            log-likelihood alone, and ``label_mi_nats`` is not logged.

    Raises:
        ValueError: an option has no meaning, or the transform leaves the query labels as they are.
    """

    title, key = "Label-MI", "label_mi"

    BOUNDS = ("ba", "plugin", *CRITIC_BOUNDS)

    def __init__(
        self,
        label_transform: LabelTransform,
        bound: str = "ba",
        negatives: int = 4,
        weight: float = 1.0,
        warmup_nats: float = 0.5,
        **kwargs,
    ):
        super().__init__(label_transform, bound, weight, warmup_nats=warmup_nats, **kwargs)
        check_whole(1, negatives=negatives)
        if not label_transform.relabels_queries:
            raise ValueError(
                f"{type(label_transform).__name__} does not relabel the queries, so Label-MI has "
                "no label to predict: use PredictionMI, or a transform that relabels them."
            )
        self.negatives = negatives
        self.in_nats = bound != "ba" or label_transform.entropy is not None
        if self.has_critic:
            seed = next(initializer_seeds(self.seed, Part.LABEL_CRITIC))
            self.critic = mine.Likelihood(self.hidden, seed=seed, dtype=self.dtype_policy)

    @classmethod
    def options_without_effect(cls, bound, **others):
        own = {"ba": {"negatives": "bound"}, "plugin": {"num_relabelings": "bound"}}
        return super().options_without_effect(bound) | own.get(bound, {})

    @classmethod
    def table_name(cls, **options):
        bound = "" if options["bound"] == "ba" else f"{options['bound']}, "
        return f"{cls.title} ({bound}{cls.symbol} = {options['weight']:g})"

    @property
    def metric_names(self):
        names = super().metric_names
        if self.in_nats:
            return names
        # Up to a constant the bound is known, and logged as the surrogate.
        return tuple(name for name in names if name != f"{self.key}_nats")

    def scores(self, learner, episode, weight, seed, training):
        if self.bound == "plugin":
            return self._plug_in(learner, episode, weight, seed, training), None, 0.0, {}
        copies, draws = self.num_relabelings, 1 if self.bound == "ba" else 1 + self.negatives
        seeds = [fold_in(seed, index) for index in range(draws)]
        relabeled, *others = self.draws(episode, seeds, copies)
        if self.bound == "ba":
            joint = learner.query_log_prob(relabeled, training)
            return scale_gradient(joint, weight), None, 0.0, {}
        predicted = predict_relabeled(learner, relabeled, training)

        def score(y):
            log_prob = scale_gradient(predicted.log_prob(y), weight)
            original = tf.concat([episode.query_y] * copies, axis=0)
            inputs = [learner.head.features(y), learner.head.features(original)]
            return self.critic(log_prob, inputs, training=training)

        joint = score(relabeled.query_y)
        return joint, tf.stack([score(other.query_y) for other in others]), 0.0, {}

    def _plug_in(self, learner, episode, weight, seed, training):
        count = self.negatives + 1
        relabeled = self.relabeled(episode, count, seed)
        predicted = predict_relabeled(learner, relabeled, training)
        log_prob = log_prob_under_each(predicted, relabeled.query_y, count)
        return mine.plug_in(scale_gradient(log_prob, weight)).lower

    def value(self, joint, marginal, training):
        bound = super().value(joint, marginal, training)
        if self.bound != "ba":
            return bound
        return bound._replace(nats=bound.nats + (self.label_transform.entropy or 0.0))
