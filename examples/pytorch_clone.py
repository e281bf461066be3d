"""Does a clone-and-adapt loop memorize, as written with learn2learn's ``clone`` and ``adapt``?"""

import copy

import numpy as np
import torch

from maml.diagnostics import memorization_report

torch.manual_seed(0)
model = torch.nn.Linear(3, 1)  # learn2learn: l2l.algorithms.MAML(model, lr=0.1)


def predict(support_x, support_y, query_x):
    x, y, q = (torch.tensor(part, dtype=torch.float32) for part in (support_x, support_y, query_x))
    learner = copy.deepcopy(model)  # learn2learn: learner = maml.clone()
    for _ in range(30):
        loss = ((learner(x)[:, 0] - y) ** 2).mean()
        slopes = torch.autograd.grad(loss, list(learner.parameters()))
        with torch.no_grad():  # learn2learn: learner.adapt(loss)
            for weight, slope in zip(learner.parameters(), slopes, strict=True):
                weight -= 0.1 * slope
    return learner(q)[:, 0].detach().numpy()


rng = np.random.default_rng(0)
x = rng.standard_normal([40, 40, 3])
y = np.einsum("tnd,td->tn", x, rng.standard_normal([40, 3]))
print(memorization_report(predict, (x[:20], y[:20]), held_out=(x[20:], y[20:]), shots=20,
                          relabel="scale", verbose=False))  # fmt: skip
