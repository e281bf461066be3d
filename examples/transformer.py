"""Does an in-context transformer memorize? Linear regression with few and with many tasks.

Raventos et al. 2023 (arXiv 2306.15063): trained on few tasks it answers by them, on many by
regression.
"""

import numpy as np
from torch_models import linear_tasks, tensors, trained_transformer

from maml.diagnostics import memorization_report

rng = np.random.default_rng(1)
for count in (2, 4096):
    vectors = rng.standard_normal([count, 2])
    net = trained_transformer(vectors)
    seen = linear_tasks(vectors[np.arange(100) % count], rng)
    new = linear_tasks(rng.standard_normal([100, 2]), rng)
    report = memorization_report(
        lambda *parts, net=net: net(*tensors(*parts)).detach().numpy(), seen, held_out=new, shots=8,
        queries=8, relabel="scale", batch_size=50, verbose=False,
    )  # fmt: skip
    print(count, "tasks:", report)
