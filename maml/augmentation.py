"""Meta-augmentation: new tasks by relabelling."""

import tensorflow as tf

from maml.episodes import Episode, fold_in
from maml.interventions import Intervention
from maml.registry import REGULARIZERS
from maml.regularizers import Regularizer


class LabelAugmentation(Regularizer):
    """Trains on relabelled tasks (Rajendran et al. 2020, arXiv 2007.05549).

    In a training step each task is, with ``probability``, replaced by a draw of the intervention,
    support and queries alike, before anything else happens. That increases the conditional entropy
    H(y* | x*): x* no longer gives the label away, so memorizing it does not pay.

    Args:
        intervention: draws the relabelling.
        probability: of each task to be relabelled.

    Raises:
        ValueError: the intervention does not relabel the queries, or ``probability`` is none.
    """

    def __init__(self, intervention: Intervention, probability: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        if not intervention.relabels_queries:
            raise ValueError(
                f"{type(intervention).__name__} does not relabel the queries, so it makes no new "
                "task: use a label intervention, such as LabelScale."
            )
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be between 0 and 1, not {probability}.")
        self.intervention, self.probability = intervention, probability

    def augment(self, episode, seed):
        relabelled = self.intervention(episode, fold_in(seed, 0))
        return some_of(relabelled, episode, self.probability, fold_in(seed, 1))


def some_of(changed: Episode, episode: Episode, probability: float, seed) -> Episode:
    """Episodes of which each task is, with ``probability``, that of ``changed``."""
    tasks = tf.shape(episode.support_y)[0]
    chosen = tf.random.stateless_uniform([tasks], seed) < probability

    def pick(new, old):
        own = tf.reshape(chosen, [-1] + [1] * (old.shape.rank - 1))
        return tf.where(own, new, old)

    return Episode(*(pick(*pair) for pair in zip(changed, episode, strict=True)))


@REGULARIZERS.register("augment")
def label_augmentation(
    intervention: Intervention, augment_probability: float = 1.0
) -> LabelAugmentation:
    """:class:`LabelAugmentation`, its options under the names that runners give them."""
    return LabelAugmentation(intervention, augment_probability)
