"""One training run, and many of them: configuration, folders, results, sweeps, studies, tables."""

import importlib.util

import lazy_loader

for _needed in ("filelock", "pandas"):
    if importlib.util.find_spec(_needed) is None:
        raise ModuleNotFoundError(
            f"maml.experiments needs {_needed}: pip install exact-meta-information[experiments]",
            name=_needed,
        )

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
