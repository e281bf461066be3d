"""The plain meta-optimizer."""

from maml.core.registry import OUTER


@OUTER.register("adam")
def adam() -> None:
    """Adam on the meta-loss, with the run's ``meta_lr`` and ``weight_decay``."""
