"""One estimate by this library, at its defaults: see :mod:`worker`."""

import inspect
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # Before TensorFlow: its start-up chatter.

import worker  # noqa: E402

import mine  # noqa: E402


def estimate(x, y, seed):
    """Nats by ``mine.estimate``, and the defaults of its signature."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(mine.estimate).parameters.items()
        if parameter.default is not inspect.Parameter.empty and name != "seed"
    }
    return float(mine.estimate(x, y, seed=seed).nats), defaults


if __name__ == "__main__":
    worker.run({"ours": estimate}, ["exact-meta-information", "tensorflow", "keras"])
