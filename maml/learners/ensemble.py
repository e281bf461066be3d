"""Several trained learners as one."""

from collections.abc import Sequence

from maml.learners.base import MetaLearner


class Ensemble(MetaLearner):
    r"""Answers by the mean of its members' predictive distributions.

    :math:`q(y^* | x^*, D) = \frac1M \sum_m q_m(y^* | x^*, D)` (deep ensembles, Lakshminarayanan et
    al. 2017, arXiv 1612.01474): where members that differ in their seeds alone disagree, none of
    them knew. The task state is the list of the members' states.

    Args:
        members: trained learners with heads of one kind, which must know mixtures:
            classes, or a density on a circle.
        dtype: Keras dtype policy.

    Raises:
        ValueError: there is no member.
    """

    def __init__(self, members: Sequence[MetaLearner], dtype=None):
        if not members:
            raise ValueError("An ensemble needs members.")
        super().__init__(members[0].head, dtype=dtype)
        self.members = list(members)
        if all(member.built for member in members):
            # As create_weights would leave it.
            self._episode_spec, self.built = members[0]._episode_spec, True

    def encode(self, x, y, training=False):
        return [member.encode(member.features(x), y, training=training) for member in self.members]

    def decode(self, state, x):
        predictions = [
            member.decode(own, member.features(x))
            for member, own in zip(self.members, state, strict=True)
        ]
        return predictions[0].mixture(predictions)

    def initial_state(self, batch_size):
        return [member.initial_state(batch_size) for member in self.members]
