"""Does a PyTorch MLP with inner steps of gradient descent (MAML, by torch.func) memorize?"""

import numpy as np
import torch
from torch.func import functional_call, grad

from maml.diagnostics import memorization_report

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(1, 40), torch.nn.Tanh(), torch.nn.Linear(40, 1))


def adapt(weights, x, y, steps=5, rate=0.05):
    for _ in range(steps):
        slope = grad(lambda w: ((functional_call(net, w, x) - y) ** 2).mean())(weights)
        weights = {name: value - rate * slope[name] for name, value in weights.items()}
    return weights


def predict(support_x, support_y, query_x):
    x, y, q = (torch.tensor(part, dtype=torch.float32) for part in (support_x, support_y, query_x))
    return functional_call(net, adapt(dict(net.named_parameters()), x, y), q).detach().numpy()


rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, [100, 30, 1])
y = rng.uniform(-2, 2, [100, 1, 1]) * x + rng.uniform(-1, 1, [100, 1, 1])
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(300):
    i = rng.integers(0, 50, 8)
    sx, sy, qx, qy = (torch.tensor(part, dtype=torch.float32) for part in
                      (x[i, :10], y[i, :10], x[i, 10:], y[i, 10:]))  # fmt: skip
    weights = [adapt(dict(net.named_parameters()), *task) for task in zip(sx, sy, strict=True)]
    losses = [((functional_call(net, w, q) - t) ** 2).mean()
              for w, q, t in zip(weights, qx, qy, strict=True)]  # fmt: skip
    optimizer.zero_grad(), torch.stack(losses).mean().backward(), optimizer.step()
print(memorization_report(predict, (x[:50], y[:50]), held_out=(x[50:], y[50:]), shots=10,
                          relabel="scale", verbose=False))  # fmt: skip
