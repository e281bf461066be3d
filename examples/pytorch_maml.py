"""Does a PyTorch MLP with inner steps of gradient descent (MAML, by torch.func) memorize?"""

from torch_models import affine_tasks, tensors, trained_maml

from maml.diagnostics import memorization_report

seen, new = affine_tasks(50, seed=0), affine_tasks(50, seed=1)
model = trained_maml(*seen)


def predict(support_x, support_y, query_x):
    return model(*tensors(support_x, support_y, query_x)).detach().numpy()


print(memorization_report(predict, seen, held_out=new, shots=10, relabel="scale", verbose=False))
