"""Does a clone-and-adapt loop memorize, as written with learn2learn's ``clone`` and ``adapt``?"""

import copy

import torch
from torch_models import adapt, affine_tasks, tensors

from maml.diagnostics import memorization_report

model = torch.nn.Linear(1, 1)  # learn2learn: maml = l2l.algorithms.MAML(model, lr=0.1)


def predict(support_x, support_y, query_x):
    x, y, query = tensors(support_x, support_y, query_x)
    learner = copy.deepcopy(model)  # learn2learn: learner = maml.clone()
    for _ in range(30):
        adapt(learner, ((learner(x) - y) ** 2).mean(), lr=0.1)  # learn2learn: learner.adapt(loss)
    return learner(query).detach().numpy()


seen, new = affine_tasks(20, seed=0), affine_tasks(20, seed=1)
print(memorization_report(predict, seen, held_out=new, shots=20, relabel="scale", verbose=False))
