"""What a model answers, checked, in NumPy: means, means with deviations, probabilities, samples."""

from collections.abc import Callable

import numpy as np

from maml.core.metrics import Metric
from maml.diagnostics import information

OUTPUTS = ("mean", "mean_std", "probs", "samples")
"""Kinds of answers, see :func:`maml.diagnostics.memorization_report`."""

SMALLEST_STD = 1e-3
"""Least deviation of an answer, over that of the labels: an exact answer has no density."""


def expected(output, kind: str) -> np.ndarray:
    """The expected labels of an answer, [queries, dim]."""
    if kind == "samples":
        return output.mean(0)
    return output[0] if kind == "mean_std" else output


def _squared_error(kind: str) -> Callable:
    return lambda output, y: np.mean((expected(output, kind) - y) ** 2, axis=-1)


def _accuracy(output, y):
    return (np.argmax(output, axis=-1) == np.argmax(y, axis=-1)).astype(float)


LARGEST = 1e150
"""Size of labels and answers."""

DEFAULTS = {kind: Metric("mse", _squared_error(kind)) for kind in OUTPUTS if kind != "probs"} | {
    "probs": Metric("accuracy", _accuracy, greater_is_better=True, best=1.0)
}
"""Kind of answers -> the metric unless another is given."""


class Reader:
    """Reads and checks a model's answers of one kind.

    Args:
        kind: one of ``OUTPUTS``.
        dim: coordinates of a label; of "probs" the number of classes.
        vector: whether the user's labels have a label axis. Without, answers need none.
    """

    def __init__(self, kind: str, dim: int, vector: bool):
        self.kind, self.dim, self.vector = kind, dim, vector

    def _expected_shape(self, queries: int) -> str:
        if self.kind == "probs":
            return f"[{queries}, classes]"
        axes = f"[{queries}, {self.dim}]" if self.vector else f"[{queries}]"
        shapes = {"samples": f"[samples, {axes[1:]}", "mean_std": f"a pair of {axes}"}
        return shapes.get(self.kind, axes)

    def _with_axis(self, value, queries: int) -> np.ndarray:
        if value is None:
            raise ValueError(
                "Invalid value returned by `predict`: expected numbers, received None. Does it "
                "return what it computes?"
            )
        value = np.asarray(value)
        if value.dtype.kind not in "fiub":
            raise ValueError(
                f"Invalid value returned by `predict`: expected numbers, received {value.dtype}."
            )
        value = value.astype(float)
        samples = self.kind == "samples"
        shape = value.shape[1:] if samples else value.shape
        if self.kind != "probs" and self.dim == 1 and shape == (queries,):
            value, shape = value[..., np.newaxis], (queries, 1)
        if shape != (queries, self.dim) or (samples and not len(value)):
            hint = ""
            if self.kind != "probs" and value.ndim == 2 and np.allclose(value.sum(-1), 1):
                hint = " For probabilities of classes give output='probs'."
            raise ValueError(
                f"Invalid shape returned by `predict` with output={self.kind!r}: expected "
                f"{self._expected_shape(queries)}, received {list(np.asarray(value).shape)}.{hint}"
            )
        if not np.all(np.isfinite(value)):
            raise ValueError(
                f"Invalid value returned by `predict`: expected finite numbers, received "
                f"{np.sum(~np.isfinite(value))} of {value.size} that are not. Answer every query, "
                "such as by a constant."
            )
        check_magnitude("value returned by `predict`", value)
        return value

    def __call__(self, output, queries: int):
        """The answer with a label axis: [queries, dim], a pair of it, or [samples, queries, dim].

        Raises:
            ValueError: its shape or its values are not of the kind.
        """
        if self.kind == "mean_std":
            if not isinstance(output, tuple | list) or len(output) != 2:
                raise ValueError(
                    "Invalid value returned by `predict` with output='mean_std': expected a pair "
                    f"(mean, std), received a {type(output).__name__}."
                )
            mean, std = (self._with_axis(part, queries) for part in output)
            if np.any(std < 0):
                raise ValueError(
                    "Invalid std returned by `predict`: expected values of at least 0, received "
                    f"{std.min():g}."
                )
            return mean, std
        if isinstance(output, tuple) and len(output) == 2 != queries:
            raise ValueError(
                f"Invalid value returned by `predict` with output={self.kind!r}: expected "
                f"{self._expected_shape(queries)}, received a pair. For a mean and a standard "
                "deviation give output='mean_std'."
            )
        value = self._with_axis(output, queries)
        if self.kind == "probs" and (
            np.any(value < -1e-6) or np.any(np.abs(value.sum(-1) - 1) > 1e-3)
        ):
            raise ValueError(
                "Invalid value returned by `predict` with output='probs': expected probabilities "
                f"from 0 to 1 that sum to 1, received values from {value.min():g} to "
                f"{value.max():g} with sums from {value.sum(-1).min():g} to "
                f"{value.sum(-1).max():g}."
            )
        return np.clip(value, 0, 1) if self.kind == "probs" else value


def check_magnitude(what: str, value: np.ndarray) -> None:
    """Raises ValueError for numbers whose squares are not finite.

    Args:
        what: they are.
        value: finite numbers.
    """
    largest = np.abs(value.astype(float)).max(initial=0)
    if largest > LARGEST:
        raise ValueError(
            f"Invalid {what}: expected sizes up to {LARGEST:g}, whose squares are finite, received "
            f"{largest:g}. Give labels and answers in another unit."
        )


def constants(kind: str, y: np.ndarray) -> list:
    """Constant answers to one query that may be the best, for labels ``y`` [n, dim].

    Of classes their frequencies; of numbers the mean and the median, and of densities their spread.
    """
    mean = y.mean(0)
    if kind == "probs":
        return [mean]
    if kind == "mean_std":
        return [(mean, y.std(0))]
    if kind == "samples":
        return [y[:: max(len(y) // 100, 1)]]
    return [mean, np.median(y, axis=0)]


def repeated(kind: str, constant, queries: int):
    """A constant as the answer to several queries."""
    if kind == "mean_std":
        return tuple(np.tile(part, (queries, 1)) for part in constant)
    if kind == "samples":
        return np.repeat(constant[:, np.newaxis], queries, axis=1)
    return np.tile(constant, (queries, 1))


def bounds(kind: str, outputs: list, noise: np.ndarray, rng) -> information.Bounds:
    """Information of answers to the same queries about the condition of each, in nats.

    Probabilities count as they are. Of "mean_std" and "samples" the density is normal with the mean
    and deviation of the answer, of "mean" with the deviation of the residuals.

    Args:
        kind: of the answers.
        outputs: under each of N >= 2 conditions.
        noise: deviation of residuals [dim].
        rng: of draws.

    Returns:
        Bounds [queries].
    """
    if kind == "probs":
        return information.categorical(np.stack(outputs))
    if kind == "mean":
        return information.gaussian(np.stack(outputs), noise, rng)
    if kind == "samples":
        outputs = [(output.mean(0), output.std(0)) for output in outputs]
    mean, std = (np.stack(parts) for parts in zip(*outputs, strict=True))
    return information.gaussian(mean, np.maximum(std, noise), rng)
