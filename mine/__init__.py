"""Mutual information that can be trusted: I(x; y) of samples in nats, on its own.

    >>> import mine
    >>> print(mine.estimate(x, y))              # doctest: +SKIP
    0.401 nats (95 % interval 0.386 to 0.416), bound mine, 10000 samples
    second opinions: ksg 0.406, gaussian 0.405

**What the number means.** How much knowing y lowers the surprise of x, on average, in nats (1 nat
is 1.44 bits); 0 for independence. It is a *lower bound* read on held-out samples: critics were
trained to tell pairs (x, y) from deranged ones, and what they cannot tell apart is not counted.
The interval says how far the value would vary with other samples, not how far the bound is below
the truth.

**When not to believe it.** Read ``warnings``. Above log n - 2 nats no method can vouch for a
number; samples of a time series or repeated measurements are not independent, and their copies
make held-out samples seen ones; in twenty dimensions ten thousand samples show a part only; and
if a second opinion is clearly higher, the critic has missed something.

**Which bound.** "mine" first. Above 4 nats "js", which is steadier. "infonce" when a guaranteed
bound with little variance matters more than its ceiling, log of the batch size. "ksg" in up to
three dimensions: exact, fast, and without training. "gaussian" for linear dependence. "nwj" and
"dv" to compare with the literature; "smile" is no bound.

For one's own training loops: critics score pairs (:mod:`mine.critics`), bounds turn scores into a
surrogate to ascend and a value in nats (:mod:`mine.bounds`, :class:`mine.Objective`), and
:mod:`mine.estimators.conditional` has I(y; d | x). ``python -m mine.estimators`` reads files,
``python
-m mine.benchmarks`` tests estimators on :mod:`mine.benchmarks`, whose truths are known.
"""

import lazy_loader

from mine.reporting import quiet_tensorflow

quiet_tensorflow.install()

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["benchmarks", "estimators", "reporting"],
    submod_attrs={
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
