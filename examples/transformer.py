"""Does an in-context transformer memorize? Linear regression with few and with many tasks.

Raventos et al. 2023 (arXiv 2306.15063): trained on few tasks it answers by them, on many by
regression. Points (x, y) and queries (x, 0) are tokens; queries attend to points only.
"""

import numpy as np
import torch

from maml.diagnostics import memorization_report

SHOTS, QUERIES, DIM, WIDTH = 8, 8, 2, 32
MASK = torch.zeros(SHOTS + QUERIES, SHOTS + QUERIES, dtype=torch.bool)
MASK[:, SHOTS:] = True
MASK.fill_diagonal_(False)


class Transformer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.answer = torch.nn.Linear(DIM + 1, WIDTH), torch.nn.Linear(WIDTH, 1)
        layer = torch.nn.TransformerEncoderLayer(WIDTH, 4, 64, 0.0, batch_first=True)
        self.body = torch.nn.TransformerEncoder(layer, 2)

    def forward(self, support_x, support_y, query_x):
        points = torch.cat([support_x, support_y[..., None]], -1)
        asked = torch.cat([query_x, torch.zeros_like(query_x[..., :1])], -1)
        tokens = self.body(self.read(torch.cat([points, asked], 1)), mask=MASK)
        return self.answer(tokens[:, SHOTS:])[..., 0]


def tasks(vectors, rng):
    x = torch.tensor(rng.standard_normal([len(vectors), SHOTS + QUERIES, DIM]), dtype=torch.float32)
    return x, torch.einsum("tnd,td->tn", x, torch.tensor(vectors, dtype=torch.float32))


def train(count, steps=1000):
    torch.manual_seed(0)
    rng, net = np.random.default_rng(0), Transformer()
    known = np.random.default_rng(1).standard_normal([count, DIM])
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(steps):
        x, y = tasks(known[rng.integers(0, count, 64)], rng)
        loss = ((net(x[:, :SHOTS], y[:, :SHOTS], x[:, SHOTS:]) - y[:, SHOTS:]) ** 2).mean()
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    return net.eval(), known


for count in (2, 4096):
    net, known = train(count)

    @torch.no_grad()
    def predict(support_x, support_y, query_x, net=net):
        parts = (
            torch.tensor(part, dtype=torch.float32) for part in (support_x, support_y, query_x)
        )
        return net(*parts).numpy()

    rng = np.random.default_rng(2)
    seen, new = (
        tasks(known[np.arange(100) % count], rng),
        tasks(rng.standard_normal([100, DIM]), rng),
    )
    print(count, "tasks:", memorization_report(predict, seen, held_out=new, shots=SHOTS,
          queries=QUERIES, relabel="scale", batch_size=50, verbose=False))  # fmt: skip
