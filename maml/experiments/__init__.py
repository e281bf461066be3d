"""One training run, and many of them: configuration, folders, results, sweeps, studies, tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "aggregation": ["load_runs"],
        "config": ["Config"],
        "results": ["read_history", "read_results"],
        "run_folder": ["read_config"],
        "training": ["run"],
    },
)
