"""Mutual information of samples, in nats, with intervals and warnings.

    >>> import mine
    >>> print(mine.estimate(x, y))              # doctest: +SKIP
    0.512 nats (95 % interval 0.470 to 0.562), 2000 samples
    bound mine: 0.501 (0.460 to 0.542)
    second opinions: ksg 0.497, gaussian 0.502

**What the number means.** The information is how much knowing y lowers the entropy of x, in nats
(1 nat is 1.44 bits); it is 0 for independence. Critics are trained to distinguish pairs (x, y) from
deranged pairs, and give a *lower bound* on held-out samples: what they do not distinguish is not
counted. Nearest neighbours show how much it lacks. The estimate and its interval are of the
information itself; where no upper end can be given, it is at least the lower one. The bound and its
own interval, which covers the variation over samples only, stand beside them.

**When it is unreliable.** Read ``warnings``. Above log n - 2 nats no method can guarantee a value.
Samples of a time series and repeated measurements are not independent, so held-out samples are not
new. In twenty dimensions ten thousand samples show only a part of the information. If a second
opinion is clearly higher, the critic underestimates.

**Which bound.** Start with "mine". Above 4 nats, "js" has less variance. "infonce" is a guaranteed
bound with little variance, up to the log of the batch size. "ksg" is accurate and fast in up to
three dimensions, without training, also for labels and counts. "gaussian" measures linear
dependence. "nwj" and "dv" serve comparisons with the literature; "smile" is not a bound.

For one's own training loops: critics score pairs (:mod:`mine.critics`), bounds turn scores into a
surrogate to ascend and a value in nats (:mod:`mine.bounds`, :class:`mine.Objective`), and
:mod:`mine.estimators.conditional` estimates I(y; d | x). ``python -m mine.estimators`` reads files;
``python -m mine.benchmarks`` compares estimators with known values.
"""

import lazy_loader

from mine.reporting import extras, imports, quiet_tensorflow
from mine.reporting.processes import stopping

extras.install()
imports.install()
quiet_tensorflow.install()
stopping.install()

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["benchmarks", "estimators", "reporting"],
    submod_attrs={
        "benchmarks.runner": ["benchmark"],
        "bounds": [
            "Bound",
            "Normalizer",
            "donsker_varadhan",
            "effective_sample_size",
            "info_nce",
            "info_nce_ceiling",
            "jensen_shannon",
            "log_mean_exp",
            "mine",
            "nwj",
            "smile",
            "split_pairs",
        ],
        "critics": [
            "SCORE_CAP",
            "Bilinear",
            "Concatenated",
            "DeepSets",
            "Likelihood",
            "Separable",
            "SetEncoder",
            "Standardize",
            "cap",
        ],
        "estimators.conditional": ["chain_rule", "direct"],
        "estimators.mutual_information": ["estimate"],
        "estimators.neural": ["MINE"],
        "estimators.options": ["Options"],
        "estimators.result": ["Estimate"],
        "objective": ["Objective"],
        "version": ["__version__"],
        "tractable": ["Sandwich", "categorical", "plug_in", "plug_in_categories"],
    },
)
