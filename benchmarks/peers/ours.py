"""One estimate by this library, at its defaults: see :mod:`worker`."""

import dataclasses
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # Before TensorFlow: its start-up chatter.

import worker  # noqa: E402

import mine  # noqa: E402


def estimate(x, y, seed):
    """Nats by ``mine.estimate``, and the options it has by default."""
    settings = dataclasses.asdict(mine.Options())
    del settings["seed"], settings["progress"]
    return mine.estimate(x, y, seed=seed).nats, settings


if __name__ == "__main__":
    worker.run({"ours": estimate}, ["exact-meta-information", "tensorflow", "keras"])
