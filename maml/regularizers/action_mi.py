"""Action-MI: raises the information of actions about the support set."""

import tensorflow as tf

import mine
from maml.core.checks import check_at_least, check_whole
from maml.core.registry import REGULARIZERS
from maml.distributions.base import log_prob_under_each, split_conditions
from maml.distributions.categorical import Categorical
from maml.learners.prediction import predict_with_mismatched_supports
from maml.regularizers.base import Regularizer


@REGULARIZERS.register("action_mi")
class ActionMI(Regularizer):
    r"""Action-MI: the term :math:`-\lambda I(a; D | s)` of policies' meta-loss.

    How much exchanging the trajectories D of a task for those of other tasks of the batch changes
    the policy at the same states s, in nats: the lower plug-in bound of Poole et al. 2019 (arXiv
    1905.06922, eq. 10 with the policy as critic), at most the logarithm of ``supports``; exact for
    discrete actions. Of continuous actions the gradient goes through the sample.

    Args:
        weight: lambda, per nat.
        supports: sets of trajectories that a task is given, its own among them.
        cap: nats above which the term has no gradient; 0: none.

    Raises:
        ValueError: a number has no meaning.
    """

    title = "Action-MI"
    metric_names = ("action_mi_nats",)

    reads_prediction = False  # It makes its own.

    def __init__(self, weight: float = 0.1, supports: int = 4, cap: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        check_at_least(0, weight=weight, cap=cap)
        check_whole(2, supports=supports)
        self.weight, self.supports, self.cap = weight, supports, cap

    def check_head(self, head):
        if not hasattr(head, "surrogate"):
            raise ValueError(
                "Invalid value for `regularizer`: action_mi expects a policy, such as of "
                f"--task=navigation; received a {type(head).__name__}. Use label_mi."
            )

    def term(self, learner, episode, features, prediction, seed, training):
        policies, count = predict_with_mismatched_supports(learner, episode, self.supports)
        if isinstance(policies, Categorical):
            nats = mine.plug_in_categories(split_conditions(policies.log_probabilities, count))
        else:
            actions = _path_sample(policies, seed)
            nats = mine.plug_in(log_prob_under_each(policies, actions, count))
        nats = tf.reduce_mean(nats.lower)
        value = tf.where(nats > self.cap, tf.stop_gradient(nats), nats) if self.cap else nats
        return -self.weight * value, {"action_mi_nats": nats}


def _path_sample(policies, seed) -> tf.Tensor:
    """One draw of each, differentiable by its path."""
    if hasattr(policies, "path_sample"):
        return policies.path_sample(seed)
    # Of a fixed deviation, draws move with their mean.
    return policies.mean() + tf.stop_gradient(policies.sample(seed) - policies.mean())
