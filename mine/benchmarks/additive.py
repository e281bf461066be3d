"""A task that is not derived from a normal distribution."""

import math

from mine.benchmarks.task import BEYOND_NORMAL, Task


def additive_noise(epsilon: float) -> Task:
    """x uniform on (0, 1), y = x + e with e uniform on (-epsilon, epsilon).

    The density of y is a trapezoid. Its entropy less log(2 epsilon), that of e, is I = epsilon -
    log(2 epsilon) for epsilon <= 1/2, and 1 / (4 epsilon) beyond.

    Args:
        epsilon: half the width of the noise, positive and finite.

    Raises:
        ValueError: ``epsilon`` is out of range.
    """
    if not 0 < epsilon < math.inf:
        raise ValueError(
            f"Invalid value for `epsilon`: expected a positive, finite number; received {epsilon}."
        )

    def draw(n, rng):
        x = rng.uniform(size=(n, 1))
        return x, x + rng.uniform(-epsilon, epsilon, (n, 1))

    nats = epsilon - math.log(2 * epsilon) if epsilon <= 0.5 else 1 / (4 * epsilon)
    source = f"{BEYOND_NORMAL}: uniform margins and additive noise"
    return Task(f"additive-{epsilon:g}", 1, 1, nats, source, draw)
