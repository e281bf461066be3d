"""Several trained learners as one."""

from collections.abc import Sequence

from maml.core.episodes import Episode, PaddedEpisode
from maml.distributions.mixture import mix
from maml.learners.base import MetaLearner


class Ensemble(MetaLearner):
    r"""Predicts by the mean of its members' predictive distributions.

    :math:`q(y^* | x^*, D) = \frac1M \sum_m q_m(y^* | x^*, D)` (deep ensembles, Lakshminarayanan et
    al. 2017, arXiv 1612.01474). Members that differ in their seeds disagree where they are
    uncertain. The task state is the list of the members' states.

    Args:
        members: trained learners with the same head, whose distributions have mixtures: see
            :func:`maml.mix`.
        dtype: Keras dtype policy.

    Raises:
        ValueError: there is no member.
    """

    def __init__(self, members: Sequence[MetaLearner], dtype=None):
        if not members:
            raise ValueError(
                "Invalid value for `members`: expected at least one learner; received none."
            )
        super().__init__(members[0].head, dtype=dtype)
        self.members = list(members)
        if all(member.built for member in members):
            # As create_weights does.
            self._episode_spec, self.built = members[0]._episode_spec, True

    def encode(self, x, y, training=False, mask=None):
        episodes = [Episode(member.features(x), y, x, y) for member in self.members]
        if mask is not None:
            episodes = [PaddedEpisode(*episode, mask) for episode in episodes]
        return [
            member.encode_episode(episode, training)
            for member, episode in zip(self.members, episodes, strict=True)
        ]

    def decode(self, state, x):
        predictions = [
            member.decode(own, member.features(x))
            for member, own in zip(self.members, state, strict=True)
        ]
        return mix(predictions)

    def initial_state(self, batch_size):
        return [member.initial_state(batch_size) for member in self.members]
