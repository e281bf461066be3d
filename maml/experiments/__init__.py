"""One training run, and many of them: configuration, folders, results, sweeps, studies, tables."""

import lazy_loader

from mine.reporting import extras

_load, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "aggregation": ["load_runs"],
        "config": ["Config"],
        "results": ["read_history", "read_results"],
        "run_folder": ["read_config"],
        "training": ["run"],
    },
)


def __getattr__(name):
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        told = extras.sentence(error)
        if told is None:
            raise
        raise ModuleNotFoundError(told, name=error.name) from None
