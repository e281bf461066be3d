"""Training steps by PyTorch, learn2learn, higher and TorchOpt; see :mod:`worker`.

MAML is made in three ways of PyTorch's own: task after task (``loop``), all tasks at once by
``torch.func`` (``func``), and that compiled by ``torch.compile`` (``compiled``).
"""

import functools
import importlib.util
import itertools
import sys
import types

import torch
import worker
from problem import same_padding
from torch.nn import functional as F


class Network(torch.nn.Module):
    """A network of :mod:`problem`; images are given as [n, height, width, channels].

    Attributes:
        written_out: whether normalization is written out rather than PyTorch's own, which is
            faster, but by ``torch.func`` has other second derivatives.
    """

    def __init__(self, layers, weights):
        super().__init__()
        self.layers, self.written_out = layers, False
        self.names = [[f"w{i}_{j}" for j in range(len(of))] for i, of in enumerate(weights)]
        for layer, names, own in zip(layers, self.names, weights, strict=True):
            for name, array in zip(names, own, strict=True):
                value = torch.from_numpy(array)
                if layer["kind"] == "conv" and value.ndim == 4:
                    value = value.permute(3, 2, 0, 1)
                self.register_parameter(name, torch.nn.Parameter(value.contiguous()))

    def forward(self, x):
        x = x.permute(0, 3, 1, 2) if x.ndim == 4 else x
        for layer, names in zip(self.layers, self.names, strict=True):
            own = [getattr(self, name) for name in names]
            if layer["kind"] == "norm" and self.written_out:
                x = _normalized(x, own, layer["epsilon"])
            else:
                x = _apply(layer, own, x)
        return x


def _apply(layer, own, x):
    """One layer; images are [n, channels, height, width] here."""
    kind = layer["kind"]
    if kind == "dense":
        return torch.addmm(own[1], x, own[0])
    if kind == "conv":
        stride = layer["stride"]
        (top, bottom), (left, right) = (same_padding(size, stride) for size in x.shape[2:])
        bias = own[1] if own[1:] else None
        if (top, left) == (bottom, right):
            return F.conv2d(x, own[0], bias, stride, (top, left))
        return F.conv2d(F.pad(x, (left, right, top, bottom)), own[0], bias, stride)
    if kind == "norm":
        # Without a factor it has no second derivative.
        gamma = own[1] if own[1:] else torch.ones_like(own[0])
        return F.batch_norm(x, None, None, gamma, own[0], True, 0.0, layer["epsilon"])
    if kind == "reshape":
        return x.reshape(-1, *layer["shape"]).permute(0, 3, 1, 2)
    if kind == "flatten":
        return x.permute(0, 2, 3, 1).flatten(1)
    return {"relu": F.relu, "maxpool": lambda x: F.max_pool2d(x, 2), "average": _average}[kind](x)


def _normalized(x, own, epsilon):
    beta, gamma = [of[:, None, None] for of in own] if own[1:] else (own[0][:, None, None], 1.0)
    x = x - x.mean((0, 2, 3), keepdim=True)
    return x * torch.rsqrt(x.square().mean((0, 2, 3), keepdim=True) + epsilon) * gamma + beta


def _average(x):
    return x.mean((2, 3))


def objective(spec, outputs, y):
    """The mean loss of examples."""
    if spec["loss"] == "squared":
        return (y - outputs).square().sum(-1).mean()
    return -(y * F.log_softmax(outputs, -1)).sum(-1).mean()


# -- MAML: functions of a batch that leave a gradient in each parameter, and return the loss ---


def task_by_task(query_loss):
    """Of a function of a task: the gradients of one task after the other are added up."""

    def step(net, batch):
        total = 0.0
        for task in zip(*batch, strict=True):
            loss = query_loss(*task) / len(batch[0])
            loss.backward()
            total += loss.detach()
        return total

    return step


def loop(spec, net):
    """``torch.autograd.grad`` with ``create_graph``."""

    def query_loss(support_x, support_y, query_x, query_y):
        weights = dict(net.named_parameters())
        for _ in range(spec["inner_steps"]):
            outputs = torch.func.functional_call(net, weights, (support_x,))
            loss = objective(spec, outputs, support_y)
            slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
            weights = _moved(spec, weights, slopes)
        outputs = torch.func.functional_call(net, weights, (query_x,))
        return objective(spec, outputs, query_y)

    return task_by_task(query_loss)


def func(spec, net, compiled=False):
    """``torch.func``: ``vmap`` over tasks of a function that takes ``grad`` within."""
    net.written_out = True

    def loss_at(weights, x, y):
        return objective(spec, torch.func.functional_call(net, weights, (x,)), y)

    def query_loss(weights, support_x, support_y, query_x, query_y):
        for _ in range(spec["inner_steps"]):
            slopes = torch.func.grad(loss_at)(weights, support_x, support_y)
            weights = _moved(spec, weights, slopes.values())
        return loss_at(weights, query_x, query_y)

    def mean_loss(weights, batch):
        return torch.func.vmap(query_loss, (None, 0, 0, 0, 0))(weights, *batch).mean()

    slope = torch.func.grad_and_value(mean_loss)
    slope = torch.compile(slope) if compiled else slope

    def step(net, batch):
        weights = {name: value.detach() for name, value in net.named_parameters()}
        slopes, loss = slope(weights, batch)
        for name, value in net.named_parameters():
            value.grad = slopes[name]
        return loss

    return step


def _moved(spec, weights, slopes):
    rate = spec["inner_lr"]
    return {name: w - rate * g for (name, w), g in zip(weights.items(), slopes, strict=True)}


def learn2learn(spec, net):
    """``learn2learn.algorithms.MAML``: ``clone`` and ``adapt``."""
    # The package imports data sets of images, and with them torchvision; its MAML needs neither.
    package = types.ModuleType("learn2learn")
    found = importlib.util.find_spec("learn2learn")
    if found is None:
        raise ModuleNotFoundError("learn2learn is not installed")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["learn2learn"] = package
    from learn2learn.algorithms.maml import MAML

    maml = MAML(net, lr=spec["inner_lr"])

    def query_loss(support_x, support_y, query_x, query_y):
        own = maml.clone()
        for _ in range(spec["inner_steps"]):
            own.adapt(objective(spec, own(support_x), support_y))
        return objective(spec, own(query_x), query_y)

    return task_by_task(query_loss)


def higher(spec, net):
    """``higher.innerloop_ctx`` with SGD."""
    import higher as package

    sgd = torch.optim.SGD(net.parameters(), spec["inner_lr"])

    def query_loss(support_x, support_y, query_x, query_y):
        with package.innerloop_ctx(net, sgd, copy_initial_weights=False) as (own, inner):
            for _ in range(spec["inner_steps"]):
                inner.step(objective(spec, own(support_x), support_y))
            return objective(spec, own(query_x), query_y)

    return task_by_task(query_loss)


def torchopt(spec, net):
    """``torchopt.MetaSGD``, whose steps are undone after each task."""
    import torchopt as package

    inner = package.MetaSGD(net, lr=spec["inner_lr"])
    parts = (net, inner)
    start = [package.extract_state_dict(part, by="reference") for part in parts]

    def step(net, batch):
        total = 0.0
        for support_x, support_y, query_x, query_y in zip(*batch, strict=True):
            for _ in range(spec["inner_steps"]):
                inner.step(objective(spec, net(support_x), support_y))
            loss = objective(spec, net(query_x), query_y) / len(batch[0])
            loss.backward()
            total += loss.detach()
            for part, state in zip(parts, start, strict=True):
                package.recover_state_dict(part, state)
        return total

    return step


# -- training -----------------------------------------------------------------------------------


def cnp(spec, nets):
    """A conditional neural process."""

    def net(name, x):
        return nets[name](x.flatten(0, 1)).unflatten(0, x.shape[:2])

    def step(_, batch):
        support_x, support_y, query_x, query_y = batch
        pairs = torch.cat([net("embedding", support_x), net("lift", support_y)], -1)
        state = net("project", net("encoder", pairs).mean(1, keepdim=True))
        state = state.expand(-1, query_x.shape[1], -1)
        outputs = net("decoder", torch.cat([state, net("embedding", query_x)], -1))
        loss = objective(spec, outputs, query_y)
        loss.backward()
        return loss.detach()

    return step


def train(problem, make, threads: int = 1, half: bool = False):
    """Steps of Adam.

    Args:
        problem: to train on.
        make: of MAML, ``make(spec, net)`` gives ``step(net, batch)``.
        threads: of an operation.
        half: whether convolutions and dense layers compute in bfloat16 (``torch.autocast``).
    """
    torch.set_num_threads(threads)
    spec = problem.spec
    nets = torch.nn.ModuleDict(
        {name: Network(layers, problem.by_layer(name)) for name, layers in spec["layers"].items()}
    )
    is_cnp = spec["learner"] == "cnp"
    net = nets if is_cnp else nets["network"]
    parameters = list(net.parameters())
    step = cnp(spec, nets) if is_cnp else make(spec, net)
    adam = torch.optim.Adam(parameters, spec["meta_lr"], tuple(spec["betas"]), fused=True)
    batches = [tuple(map(torch.from_numpy, batch)) for batch in problem.batches]
    number = itertools.count(1)

    def steps(count):
        total = 0.0
        for batch in itertools.islice(itertools.cycle(batches), count):
            adam.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                total = total + step(net, batch)
            # PyTorch adds its epsilon after the bias is corrected, Keras before.
            corrected = (1 - spec["betas"][1] ** next(number)) ** 0.5
            adam.param_groups[0]["eps"] = spec["epsilon"] / corrected
            adam.step()
        return total / count

    return steps


WAYS = {
    "loop": loop,
    "func": func,
    "compiled": functools.partial(func, compiled=True),
    "learn2learn": learn2learn,
    "higher": higher,
    "torchopt": torchopt,
}
ENTRIES = {
    name + ", 2 threads" * (threads == 2): functools.partial(train, make=make, threads=threads)
    for name, make in WAYS.items()
    for threads in (1, 2)
}
ENTRIES |= {
    f"{name}, bfloat16": functools.partial(entry, half=True) for name, entry in ENTRIES.items()
}
"""Ways to train, by name; of CNP all are the same but for the threads."""

if __name__ == "__main__":
    worker.serve(ENTRIES, ["torch", "learn2learn", "higher", "torchopt"])
