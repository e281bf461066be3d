"""Names of this library's environments in Gymnasium."""

import importlib

NAMESPACE, VERSION = "maml", 0

ENVIRONMENTS = {
    "Navigation": "navigation",
    "HalfCheetahDir": "half_cheetah",
    "HalfCheetahVel": "half_cheetah",
    "AntDir": "ant",
    "AntVel": "ant",
    "AntGoal": "ant",
}
"""Class -> its module in ``maml.rl.environments``; nothing is imported before it is made."""


def register() -> None:
    """Names the environments for ``gymnasium.make``, if Gymnasium is installed."""
    try:
        import gymnasium
    except ImportError:
        return
    for name, module in ENVIRONMENTS.items():
        full = f"{NAMESPACE}/{name}-v{VERSION}"
        if full not in gymnasium.registry:  # As it is where this is imported again.
            gymnasium.register(full, make, kwargs={"name": name, "module": module})


def make(name: str, module: str, **options):
    """One of the environments as ``gymnasium.Env``.

    Args:
        name: of the class.
        module: of the class, in ``maml.rl.environments``.
        **options: of the class.
    """
    from maml.rl.gym.single import SingleEnv

    environments = importlib.import_module(f"maml.rl.environments.{module}")
    return SingleEnv(getattr(environments, name)(**options))
