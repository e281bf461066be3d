"""Mutual information by neural estimation, on its own: bounds, critics, conditional information.

Scores come from :mod:`mine.critics`, bounds on them from :mod:`mine.bounds`, and information in a
model whose likelihood is known from :mod:`mine.conditional`. All values are in nats.
"""

from mine.bounds import (
    Bound,
    Normalizer,
    donsker_varadhan,
    effective_sample_size,
    info_nce,
    info_nce_ceiling,
    jensen_shannon,
    log_mean_exp,
    mine,
    nwj,
    smile,
    split_pairs,
)
from mine.conditional import Sandwich, categorical, plug_in
from mine.critics import (
    SCORE_CAP,
    Bilinear,
    Concatenated,
    DeepSets,
    Likelihood,
    Separable,
    SetEncoder,
    Standardize,
    cap,
)
from mine.estimator import MINE, Estimate
from mine.information import estimate
from mine.objective import Objective
from mine.options import Options

__all__ = [
    "MINE",
    "SCORE_CAP",
    "Bilinear",
    "Bound",
    "Concatenated",
    "DeepSets",
    "Estimate",
    "Likelihood",
    "Normalizer",
    "Objective",
    "Options",
    "Sandwich",
    "Separable",
    "SetEncoder",
    "Standardize",
    "cap",
    "categorical",
    "donsker_varadhan",
    "effective_sample_size",
    "estimate",
    "info_nce",
    "info_nce_ceiling",
    "jensen_shannon",
    "log_mean_exp",
    "mine",
    "nwj",
    "plug_in",
    "smile",
    "split_pairs",
]
