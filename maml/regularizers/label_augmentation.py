"""Meta-augmentation: new tasks by relabeling."""

import tensorflow as tf

from maml.core.checks import check_finite
from maml.core.episodes import Episode, as_episode, fold_in
from maml.core.label_transforms import LabelTransform, check_transform
from maml.core.registry import REGULARIZERS
from maml.regularizers.base import Regularizer


@REGULARIZERS.register("label_augmentation")
class LabelAugmentation(Regularizer):
    """Label augmentation: trains on relabeled tasks (Rajendran et al. 2020, arXiv 2007.05549).

    In a training step each task is, with ``probability``, replaced by a draw of the label
    transform, support and queries alike, before anything else happens. That increases the
    conditional entropy H(y* | x*): x* no longer gives the label away, so memorizing it does not
    pay.

    Args:
        label_transform: draws the relabeling.
        probability: of each task to be relabeled.

    Raises:
        ValueError: the label_transform does not relabel the queries, or ``probability`` is none.
    """

    title = "label augmentation"
    symbol = "p"
    strength = "probability"

    def __init__(self, label_transform: LabelTransform, probability: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        check_transform(label_transform)
        if not label_transform.relabels_queries:
            raise ValueError(
                f"{type(label_transform).__name__} does not relabel the queries, so it makes no "
                "new task: use a label transform, such as LabelScale."
            )
        check_finite(least=0, most=1, probability=probability)
        self.label_transform, self.probability = label_transform, probability

    def augment(self, episode, seed):
        relabeled = self.label_transform(episode, fold_in(seed, 0))
        return some_of(relabeled, episode, self.probability, fold_in(seed, 1))


def some_of(changed: Episode, episode: Episode, probability: float, seed) -> Episode:
    """Replaces each task, with ``probability``, by that of ``changed``."""
    tasks = tf.shape(episode.support_y)[0]
    chosen = tf.random.stateless_uniform([tasks], seed) < probability

    def pick(new, old):
        own = tf.reshape(chosen, [-1] + [1] * (old.shape.rank - 1))
        return tf.where(own, new, old)

    return as_episode(pick(*pair) for pair in zip(changed, episode, strict=True))
