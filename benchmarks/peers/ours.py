"""One estimate by this library, at its defaults: see :mod:`worker`."""

import dataclasses

import worker

import mine


def estimate(x, y, seed):
    """Nats by ``mine.estimate``, and the options it has by default."""
    settings = dataclasses.asdict(mine.Options())
    del settings["seed"], settings["progress"]
    return mine.estimate(x, y, seed=seed).nats, settings


if __name__ == "__main__":
    worker.run({"ours": estimate}, ["exact-meta-information", "tensorflow", "keras"])
