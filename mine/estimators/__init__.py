"""Mutual information of samples, in nats: critics that are cross-fitted, and classical
estimators."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "conditional": ["chain_rule", "direct"],
        "mutual_information": ["estimate"],
        "neural": ["MINE"],
        "options": ["Options"],
        "result": ["Estimate"],
    },
)
