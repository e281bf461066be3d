"""What learners have in common that know the distribution of the tasks: they have no weights."""

from maml.distributions.base import Head
from maml.distributions.gaussian import GaussianHead
from maml.distributions.normal import NormalHead
from maml.learners.base import MetaLearner
from maml.learners.exact.priors import TaskPrior
from mine.reporting import counted


class ExactLearner(MetaLearner):
    """Predicts by Bayes' rule from a known distribution of tasks; nothing of it is trained.

    Its predictive density is that of the posterior, whatever the head: the head says only what
    labels are, and which part of the likelihood the logged loss counts.

    Args:
        prior: the distribution, which the tasks give.
        head: ``normal`` or ``gaussian``, of one label coordinate.
        **kwargs: of :class:`MetaLearner`.

    Raises:
        ValueError: another head.
    """

    network_kind = "prior"

    def __init__(self, prior: TaskPrior, head: Head, **kwargs):
        super().__init__(head, **kwargs)
        if not isinstance(head, NormalHead | GaussianHead) or head.dim != 1:
            raise ValueError(
                f"Invalid value for `head`: expected a head of one number, normal or gaussian, as "
                f"{self.table_name()} predicts; received {type(head).__name__}."
            )
        self.prior = prior

    def embed(self, x):
        """The inputs as they are.

        Raises:
            ValueError: they have another number of features than those of the tasks.
        """
        if x.shape[-1] != self.prior.inputs:
            raise ValueError(
                f"Invalid inputs for {self.table_name()}: expected "
                f"{counted(self.prior.inputs, 'feature')}, as its tasks have; received "
                f"{x.shape[-1]}. Make it of the prior of these tasks."
            )
        return super().embed(x)
