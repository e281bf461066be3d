"""How much better an action was than expected: baselines and generalized advantages, in NumPy."""

import numpy as np

from maml.rl.trajectories import Trajectories

RIDGE = 1e-5
"""Weight of the squared coefficients of the baseline (Duan et al. 2016, rllab)."""

MOST = 10.0
"""Observations are clipped to this size for the baseline, as in rllab."""


def discounted(rewards: np.ndarray, discount: float) -> np.ndarray:
    """Sums of all later rewards, each discounted by its distance: [..., horizon], as rewards."""
    sums = np.empty_like(rewards)
    later = np.zeros(rewards.shape[:-1])
    for step in reversed(range(rewards.shape[-1])):
        later = rewards[..., step] + discount * later
        sums[..., step] = later
    return sums


def baseline(trajectories: Trajectories, discount: float) -> np.ndarray:
    """Expected discounted returns of a linear model, [tasks, trajectories, horizon].

    Ridge regression on (o, o^2, t, t^2, t^3, 1), t the step in hundreds, fitted for each task to
    the trajectories that it then predicts (Duan et al. 2016, arXiv 1604.06778, appendix; the code
    of Finn et al. 2017).
    """
    observed, _, rewards, alive = trajectories
    count, _, horizon, _ = observed.shape
    clipped = np.clip(observed.astype(float), -MOST, MOST)
    time = np.broadcast_to(np.arange(horizon) / 100, rewards.shape)[..., np.newaxis]
    features = np.concatenate(
        [clipped, clipped**2, time, time**2, time**3, np.ones_like(time)], axis=-1
    )
    flat = features.reshape(count, -1, features.shape[-1])
    weighted = flat * alive.reshape(count, -1, 1)
    targets = discounted(rewards, discount).reshape(count, -1, 1)
    normal = weighted.swapaxes(1, 2) @ flat
    normal += RIDGE * np.eye(flat.shape[-1])
    # Where features repeat each other the solution is the shortest.
    coefficients = np.linalg.pinv(normal, hermitian=True) @ (weighted.swapaxes(1, 2) @ targets)
    return (flat @ coefficients).reshape(rewards.shape) * alive


def generalized(
    trajectories: Trajectories, values: np.ndarray, discount: float, trace: float
) -> np.ndarray:
    """Generalized advantage estimates, [tasks, trajectories, horizon].

    The discounted sum, by ``discount * trace``, of r_t + discount v_{t+1} - v_t (Schulman et al.
    2016, arXiv 1506.02438, eq. 16); after the end the value is 0.

    Args:
        trajectories: with rewards.
        values: expected returns of each step.
        discount: gamma.
        trace: lambda: 1 for the return itself less the value.
    """
    following = np.concatenate([values[..., 1:], np.zeros_like(values[..., :1])], axis=-1)
    errors = (trajectories.rewards + discount * following - values) * trajectories.alive
    return discounted(errors, discount * trace) * trajectories.alive


def standardized(advantages: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Advantages with mean 0 and deviation 1 over the steps of each task, 0 after the end."""
    axes = (1, 2)
    count = np.maximum(alive.sum(axes, keepdims=True), 1)
    mean = (advantages * alive).sum(axes, keepdims=True) / count
    centred = (advantages - mean) * alive
    deviation = np.sqrt((centred**2).sum(axes, keepdims=True) / count)
    return centred / np.maximum(deviation, 1e-8)
