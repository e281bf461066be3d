"""Training steps by JAX, compiled by ``jit``; see :mod:`worker`.

Tasks of MAML are taken all at once (``vmap``) or one after the other (``map``), convolutions as JAX
has them or as products of matrices (``im2col``), which its compiler makes faster on processors.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import worker
from jax import lax
from problem import same_padding


def conv(x, kernel, stride):
    """JAX's own convolution."""
    layout = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (stride, stride), "SAME", dimension_numbers=layout)


def im2col(x, kernel, stride):
    """The same as a product of matrices: a row holds the 3 x 3 places that an output sees."""
    padding = [same_padding(size, stride) for size in x.shape[1:3]]
    height, width = (-(-size // stride) for size in x.shape[1:3])
    x = jnp.pad(x, [(0, 0), *padding, (0, 0)])
    places = [
        x[:, i : i + stride * (height - 1) + 1 : stride, j : j + stride * (width - 1) + 1 : stride]
        for i, j in itertools.product(range(3), repeat=2)
    ]
    return jnp.concatenate(places, -1) @ kernel.reshape(-1, kernel.shape[-1])


def apply(layers, weights, x, conv=conv):
    """The outputs of a network; its weights are lists by layer."""
    for layer, own in zip(layers, weights, strict=True):
        kind = layer["kind"]
        if kind == "dense":
            x = x @ own[0] + own[1]
        elif kind == "conv":
            x = conv(x, own[0], layer["stride"])
            x = x + own[1] if own[1:] else x
        elif kind == "norm":
            axes = tuple(range(x.ndim - 1))
            mean = x.mean(axes)
            x = (x - mean) * lax.rsqrt(jnp.square(x - mean).mean(axes) + layer["epsilon"])
            x = (x * own[1] if own[1:] else x) + own[0]
        elif kind == "relu":
            x = jax.nn.relu(x)
        elif kind == "maxpool":
            window = (1, 2, 2, 1)
            x = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
        elif kind == "flatten":
            x = x.reshape(len(x), -1)
        elif kind == "reshape":
            x = x.reshape(-1, *layer["shape"])
        elif kind == "average":
            x = x.mean((1, 2))
    return x


def objective(spec, outputs, y):
    """The mean loss of examples."""
    if spec["loss"] == "squared":
        return jnp.square(y - outputs).sum(-1).mean()
    return -(y * jax.nn.log_softmax(outputs)).sum(-1).mean()


def maml(spec, apply, at_once: bool):
    """The function from weights and a batch to the loss and its gradient.

    Args:
        spec: of the problem.
        apply: of networks.
        at_once: whether tasks are taken all at once.
    """
    layers = spec["layers"]["network"]

    def loss_at(weights, x, y):
        return objective(spec, apply(layers, weights, x), y)

    def query_loss(weights, support_x, support_y, query_x, query_y):
        own = weights["network"]
        for _ in range(spec["inner_steps"]):
            slopes = jax.grad(loss_at)(own, support_x, support_y)
            own = jax.tree.map(lambda w, g: w - spec["inner_lr"] * g, own, slopes)
        return loss_at(own, query_x, query_y)

    if at_once:
        each = jax.vmap(query_loss, (None, 0, 0, 0, 0))
        return jax.value_and_grad(lambda weights, batch: each(weights, *batch).mean())

    def slope(weights, batch):
        def add(total, task):
            return jax.tree.map(
                jnp.add, total, jax.value_and_grad(query_loss)(weights, *task)
            ), None

        start = (jnp.zeros((), batch[0].dtype), jax.tree.map(jnp.zeros_like, weights))
        total, _ = lax.scan(add, start, batch)
        return jax.tree.map(lambda value: value / len(batch[0]), total)

    return slope


def cnp(spec, apply, at_once: bool = True):
    """As :func:`maml`, of a conditional neural process, whose tasks are always taken at once."""

    def net(weights, name, x):
        outputs = apply(spec["layers"][name], weights[name], x.reshape(-1, *x.shape[2:]))
        return outputs.reshape(*x.shape[:2], -1)

    def mean_loss(weights, batch):
        support_x, support_y, query_x, query_y = batch
        parts = net(weights, "embedding", support_x), net(weights, "lift", support_y)
        mean = net(weights, "encoder", jnp.concatenate(parts, -1)).mean(1, keepdims=True)
        state = jnp.repeat(net(weights, "project", mean), query_x.shape[1], 1)
        parts = state, net(weights, "embedding", query_x)
        return objective(spec, net(weights, "decoder", jnp.concatenate(parts, -1)), query_y)

    return jax.value_and_grad(mean_loss)


def adam(spec, state, slopes):
    """One update of Keras' Adam: ``state`` is (weights, first moments, second moments, number)."""
    weights, first, second, number = state
    number, (one, two) = number + 1, spec["betas"]
    first = jax.tree.map(lambda m, g: m + (1 - one) * (g - m), first, slopes)
    second = jax.tree.map(lambda v, g: v + (1 - two) * (g * g - v), second, slopes)
    rate = spec["meta_lr"] * jnp.sqrt(1 - two**number) / (1 - one**number)
    weights = jax.tree.map(
        lambda w, m, v: (w - rate * m / (jnp.sqrt(v) + spec["epsilon"])).astype(w.dtype),
        weights, first, second,
    )  # fmt: skip
    return weights, first, second, number


def train(problem, at_once=True, conv=conv, together: int = 1):
    """Steps of Adam.

    Args:
        problem: to train on.
        at_once: whether tasks of MAML are taken all at once.
        conv: the convolution.
        together: steps of a call.
    """
    precision = problem.batches[0][0].dtype
    jax.config.update("jax_enable_x64", precision == "float64")
    spec, networks = problem.spec, functools.partial(apply, conv=conv)
    slope = (maml if spec["learner"] == "maml" else cnp)(spec, networks, at_once)

    def step(state, batch):
        loss, slopes = slope(state[0], batch)
        return adam(spec, state, slopes), loss

    weights = {name: problem.by_layer(name, jnp.asarray) for name in problem.weights}
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = (weights, zeros, zeros, jnp.zeros((), precision))
    batches = [tuple(map(jnp.asarray, batch)) for batch in problem.batches]
    if together > 1:
        batches = [jax.tree.map(lambda *parts: jnp.stack(parts), *batches[:together])]
        run = jax.jit(lambda state, batch: lax.scan(step, state, batch))
    else:
        run = jax.jit(step)

    def steps(count):
        nonlocal state
        losses = []
        for batch in itertools.islice(itertools.cycle(batches), count // together):
            state, loss = run(state, batch)
            losses.append(loss)
        jax.block_until_ready(state)
        return sum(float(loss.mean()) for loss in losses) / len(losses)

    return steps


ENTRIES = {
    "vmap": train,
    "vmap, 20 steps together": functools.partial(train, together=20),
    "map": functools.partial(train, at_once=False),
    "map, im2col": functools.partial(train, at_once=False, conv=im2col),
}
"""Ways to train, by name."""

if __name__ == "__main__":
    worker.serve(ENTRIES, ["jax"])
