"""The PyTorch models that the examples diagnose, with their training: a MAML and a transformer."""

import numpy as np
import torch
from torch.func import functional_call, grad


def tensors(*arrays):
    """Each array as a tensor of 32-bit numbers."""
    return [torch.tensor(array, dtype=torch.float32) for array in arrays]


def adapt(model, loss, lr):
    """One step of gradient descent, in place, as ``adapt`` of learn2learn's clones."""
    slopes = torch.autograd.grad(loss, list(model.parameters()))
    with torch.no_grad():
        for weight, slope in zip(model.parameters(), slopes, strict=True):
            weight -= lr * slope


def affine_tasks(count, seed):
    """Lines y = a x + b, 30 points each: x and y, [count, 30, 1]."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, [count, 30, 1])
    return x, rng.uniform(-2, 2, [count, 1, 1]) * x + rng.uniform(-1, 1, [count, 1, 1])


class MAML(torch.nn.Module):
    """A perceptron and its inner loop of gradient descent, by ``torch.func``."""

    def __init__(self, inner_lr=0.05, inner_steps=5):
        super().__init__()
        layers = torch.nn.Linear(1, 40), torch.nn.Tanh(), torch.nn.Linear(40, 1)
        self.net, self.inner_lr, self.inner_steps = (
            torch.nn.Sequential(*layers), inner_lr, inner_steps,
        )  # fmt: skip

    def adapt(self, x, y):
        """Weights after the inner loop on a support set."""
        weights = dict(self.net.named_parameters())
        for _ in range(self.inner_steps):
            slope = grad(lambda w: ((functional_call(self.net, w, x) - y) ** 2).mean())(weights)
            weights = {name: w - self.inner_lr * slope[name] for name, w in weights.items()}
        return weights

    def forward(self, support_x, support_y, query_x):
        return functional_call(self.net, self.adapt(support_x, support_y), query_x)


def trained_maml(x, y, shots=10, steps=300):
    """A MAML that was meta-trained on tasks [tasks, n, 1]."""
    torch.manual_seed(0)
    rng, model = np.random.default_rng(0), MAML()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(steps):
        tasks = rng.integers(0, len(x), 8)
        losses = [
            ((model(sx[:shots], sy[:shots], sx[shots:]) - sy[shots:]) ** 2).mean()
            for sx, sy in zip(*tensors(x[tasks], y[tasks]), strict=True)
        ]
        optimizer.zero_grad(), torch.stack(losses).mean().backward(), optimizer.step()
    return model


class Transformer(torch.nn.Module):
    """Points (x, y) and queries (x, 0) are tokens; all of them attend to points only."""

    def __init__(self, dim, width=32):
        super().__init__()
        self.read, self.answer = torch.nn.Linear(dim + 1, width), torch.nn.Linear(width, 1)
        layer = torch.nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True)
        self.body = torch.nn.TransformerEncoder(layer, 2)

    def forward(self, support_x, support_y, query_x):
        shots, queries = support_x.shape[1], query_x.shape[1]
        mask = torch.zeros(shots + queries, shots + queries, dtype=torch.bool)
        mask[:, shots:] = True
        mask.fill_diagonal_(False)
        points = torch.cat([support_x, support_y[..., None]], -1)
        asked = torch.cat([query_x, torch.zeros_like(query_x[..., :1])], -1)
        tokens = self.body(self.read(torch.cat([points, asked], 1)), mask=mask)
        return self.answer(tokens[:, shots:])[..., 0]


def linear_tasks(vectors, rng, points=16):
    """Linear regression without noise: x [tasks, points, dim], y [tasks, points]."""
    x = rng.standard_normal([len(vectors), points, vectors.shape[1]])
    return x, np.einsum("tnd,td->tn", x, vectors)


def trained_transformer(vectors, shots=8, steps=1000):
    """A transformer that was trained in context on the tasks of these vectors [tasks, dim]."""
    torch.manual_seed(0)
    rng, net = np.random.default_rng(0), Transformer(vectors.shape[1])
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(steps):
        x, y = tensors(*linear_tasks(vectors[rng.integers(0, len(vectors), 64)], rng))
        loss = ((net(x[:, :shots], y[:, :shots], x[:, shots:]) - y[:, shots:]) ** 2).mean()
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    return net.eval()
