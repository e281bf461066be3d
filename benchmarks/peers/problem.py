"""A training problem in a file, for every package: networks, initial weights and batches.

It imports nothing but NumPy, as it is read in the environment of each package.

The networks are lists of layers, each a dictionary with a ``kind`` and the number of its
``weights``, in this order:

=========== ====================================================== ==========================
kind        what it does to x [n, ...]                              weights
=========== ====================================================== ==========================
``dense``   x W + b                                                 W [in, out], b
``conv``    3 x 3 convolution, padding "SAME" of TensorFlow, with   W [3, 3, in, out], b or none
            ``stride``
``norm``    by mean and variance of the batch and of all places,    beta, gamma or none
            ``epsilon`` beside the variance
``relu``    the larger of x and 0
``maxpool`` of 2 x 2 places
``flatten`` to [n, features], in the order height, width, channels
``reshape`` to [n, ...``shape``]
``average`` over all places
=========== ====================================================== ==========================

Images are [n, height, width, channels].
"""

import json
from typing import NamedTuple

import numpy as np


class Problem(NamedTuple):
    """What is trained, and on what.

    Attributes:
        spec: ``learner`` ("maml" or "cnp"), ``loss`` ("squared" or "cross-entropy", each summed
            over label coordinates; the mean over examples and tasks is descended), ``inner_steps``
            and ``inner_lr`` of MAML, ``meta_lr``, ``betas`` and ``epsilon`` of Adam (Kingma & Ba
            2015; epsilon stands beside the root of the second moment as it is, biased), and
            ``layers``: lists of layers by the name of the network.
        weights: of each network, in the order of its layers.
        batches: each of support inputs and labels [tasks, shots, ...], and query inputs and labels
            [tasks, queries, ...].
    """

    spec: dict
    weights: dict[str, list[np.ndarray]]
    batches: list[tuple[np.ndarray, ...]]

    def by_layer(self, network: str, convert=np.asarray) -> list[list]:
        """The weights of each layer of a network, converted."""
        rest = iter(self.weights[network])
        return [
            [convert(next(rest)) for _ in range(layer["weights"])]
            for layer in self.spec["layers"][network]
        ]


def write(problem: Problem, path) -> None:
    """Writes a problem as ``.npz``."""
    arrays = {
        f"weights {name} {number:03d}": array
        for name, own in problem.weights.items()
        for number, array in enumerate(own)
    }
    for number, batch in enumerate(problem.batches):
        arrays |= {f"batch {number:03d} {part}": array for part, array in enumerate(batch)}
    np.savez(path, spec=json.dumps(problem.spec), **arrays)


def read(path) -> Problem:
    """Reads what :func:`write` wrote."""
    weights, batches = {}, {}
    with np.load(path) as file:
        spec = json.loads(str(file["spec"]))
        weights = {name: [] for name in spec["layers"]}
        for name in sorted(file.files):
            of, _, rest = name.partition(" ")
            if of == "weights":
                weights[rest.rpartition(" ")[0]].append(file[name])
            elif of == "batch":
                batches.setdefault(rest.partition(" ")[0], []).append(file[name])
    return Problem(spec, weights, [tuple(batch) for batch in batches.values()])


def same_padding(size: int, stride: int) -> tuple[int, int]:
    """Zeros before and after an axis that a convolution of width 3 and padding "SAME" adds."""
    total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
    return total // 2, total - total // 2
