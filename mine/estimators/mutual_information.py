"""One call for every estimator: critics, nearest neighbours, a normal fit."""

import dataclasses
import math

import numpy as np

from mine.bound_names import check_bound
from mine.estimators import classical, preprocessing
from mine.estimators.result import Estimate, of_bound
from mine.estimators.uncertainty import information
from mine.estimators.uncertainty.simulation import measure

CLASSICAL = {"ksg": classical.ksg, "gaussian": classical.gaussian}
"""Estimators without training, by name."""

WARNING_MARGIN = 0.1
"""Nats by which a second opinion must exceed the bound's interval to cause a warning."""


def estimate(
    x, y, z=None, bound: str = "mine", seed: int = 0, second_opinions: bool = True, **options
) -> Estimate:
    """Estimates the mutual information I(x; y), or I(x; y | z), from samples.

    Args:
        x: samples [n] or [n, dim_x], at least 100; for critic="deepsets" sets
            [n, elements, dim_x].
        y: samples drawn with them, [n] or [n, dim_y].
        z: what to condition on, [n] or [n, dim_z]. Critics then use the chain rule, a difference
            of two bounds: see :func:`mine.estimators.conditional.chain_rule`.
        bound: "mine", "dv", "nwj", "js", "smile" or "infonce", trained on most and read on
            held-out samples, or "ksg" (nearest neighbours) or "gaussian" (a normal fit).
        seed: of all that is random.
        second_opinions: whether nearest neighbours ("ksg") and a normal fit ("gaussian") stand
            beside a critic, and correct its bound; without them the interval says "at least".
        **options: further fields of :class:`mine.Options`, such as ``critic`` or ``steps``.

    Returns:
        :class:`mine.Estimate`; print it. Its ``interval`` is of the information, its
        ``bound_interval`` of what the estimator itself found. ``nats`` of "ksg" and "gaussian" is
        their own value, uncorrected.

    Raises:
        ValueError: the samples are unusable, an option is invalid, or two of them do not go
            together.
        ArithmeticError: the scores of a critic are not finite.
    """
    check_bound(bound, CLASSICAL)
    if bound in CLASSICAL:
        unknown = sorted(set(options) - {"preprocess", "progress"})
        if unknown:
            raise ValueError(
                f"Invalid argument `{unknown[0]}`: expected none of the options of critics with "
                f"bound={bound!r}, which trains no critic; received "
                f"{unknown[0]}={options[unknown[0]]!r}; leave it out."
            )
        found = _classical(bound, options.get("preprocess", "rank"), x, y, z, seed)
        return _with_column_warnings(found, x, y)
    # Imported here: the classical estimators need no TensorFlow.
    from mine.estimators.conditional import chain_rule
    from mine.estimators.neural import MINE

    if z is None:
        found = MINE(bound=bound, seed=seed, **options).fit(x, y).estimate()
    else:
        preprocessing.check(x=x, y=y, z=z)  # By the names that they have here.
        found = chain_rule(x, y, z, bound=bound, seed=seed, **options)
    found = _with_second_opinions(found, x, y, z, seed) if second_opinions else found
    return _with_column_warnings(found, x, y)


def _with_column_warnings(found: Estimate, x, y) -> Estimate:
    warnings = preprocessing.column_warnings(x, y)
    return dataclasses.replace(found, warnings=(*found.warnings, *warnings))


def _prepared(preprocess, x, y, z) -> list:
    checked = preprocessing.check(x=x, y=y, z=z)
    for name, value in checked.items():
        if value.ndim == 3:
            raise ValueError(
                f"Invalid shape of `{name}`: expected [n] or [n, features] for 'ksg' and "
                f"'gaussian'; received sets, {list(value.shape)}."
            )
    return [preprocessing.Preprocessor(preprocess).fit(value)(value) for value in checked.values()]


def _classical(bound, preprocess, x, y, z, seed) -> Estimate:
    arrays = _prepared(preprocess, x, y, z)
    nats, error = CLASSICAL[bound](*arrays)
    error *= information.NEIGHBOURS_SPREAD if bound == "ksg" else 1
    own = (nats - 1.96 * error, nats + 1.96 * error)
    found = of_bound(bound, nats, own, len(arrays[0]))
    completed = information.complete(found, measure(*arrays, nats=nats, seed=seed), bounded=False)
    # The value stays what it is known to be, and within the interval.
    low, high = completed.interval
    return dataclasses.replace(completed, nats=nats, interval=(min(low, nats), max(high, nats)))


def _with_second_opinions(found: Estimate, x, y, z, seed) -> Estimate:
    """The estimate of the information beside that of a critic."""
    if any(np.ndim(value) == 3 for value in (x, y)):
        return found
    arrays = _prepared("rank", x, y, z)
    neighbours = measure(*arrays, nats=found.bound_nats, seed=seed)
    opinions = {"ksg": neighbours.nats, "gaussian": classical.gaussian(*arrays).nats}
    warnings = list(found.warnings)
    # Of a few different values, or of a copy, a normal fit finds more than they can hold.
    most = min(math.log(len(np.unique(array, axis=0))) for array in arrays[:2])
    for name, nats in opinions.items():
        if min(nats, most) > found.bound_interval[1] + WARNING_MARGIN:
            warnings.append(
                f"The {name} estimate is higher, {nats:.2f} nats: the critic underestimates; try "
                "other options, such as more steps or bound='js'."
            )
    found = dataclasses.replace(found, second_opinions=opinions, warnings=tuple(warnings))
    # SMILE can be too high, and so can the difference of two bounds.
    return information.complete(found, neighbours, bounded=z is None and found.bound != "smile")
