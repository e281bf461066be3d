"""Mutual information by neural estimation, on its own: bounds, critics, conditional information.

Scores come from :mod:`mine.critics`, bounds on them from :mod:`mine.bounds`, and information in a
model whose likelihood is known from :mod:`mine.conditional`. All values are in nats.
"""

from mine.bounds import (
    Bound,
    Normalizer,
    donsker_varadhan,
    effective_sample_size,
    jensen_shannon,
    log_mean_exp,
    mine,
)
from mine.conditional import Sandwich, categorical, plug_in
from mine.critics import SCORE_CAP, Concatenated, Likelihood, SetEncoder, Standardize, cap

__all__ = [
    "SCORE_CAP",
    "Bound",
    "Concatenated",
    "Likelihood",
    "Normalizer",
    "Sandwich",
    "SetEncoder",
    "Standardize",
    "cap",
    "categorical",
    "donsker_varadhan",
    "effective_sample_size",
    "jensen_shannon",
    "log_mean_exp",
    "mine",
    "plug_in",
]
