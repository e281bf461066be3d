"""Training steps by a static graph and a session, as the original code had them; see :mod:`worker`.

The graph is that of Finn et al. 2017 and Yin et al. 2020 in TensorFlow 1, written anew for the
``tf.compat.v1`` of today: ``map_fn`` over tasks, all at once, ``tf.gradients`` for inner steps and
the meta-gradient, Adam, and a ``feed_dict``.
"""

import itertools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow.compat.v1 as tf  # noqa: E402 (after its variable)
import worker  # noqa: E402


def apply(layers, weights, x):
    """The outputs of a network; its weights are lists by layer."""
    for layer, own in zip(layers, weights, strict=True):
        kind = layer["kind"]
        if kind == "dense":
            x = tf.matmul(x, own[0]) + own[1]
        elif kind == "conv":
            x = tf.nn.conv2d(x, own[0], layer["stride"], "SAME")
            x = x + own[1] if own[1:] else x
        elif kind == "norm":
            axes = list(range(len(x.shape) - 1))
            mean = tf.reduce_mean(x, axes)
            variance = tf.reduce_mean(tf.square(x - mean), axes)
            gamma = own[1] if own[1:] else None
            x = tf.nn.batch_normalization(x, mean, variance, own[0], gamma, layer["epsilon"])
        elif kind == "relu":
            x = tf.nn.relu(x)
        elif kind == "maxpool":
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        elif kind == "flatten":
            x = tf.reshape(x, [-1, x.shape[1:].num_elements()])
        elif kind == "reshape":
            x = tf.reshape(x, [-1, *layer["shape"]])
        elif kind == "average":
            x = tf.reduce_mean(x, [1, 2])
    return x


def objective(spec, outputs, y):
    """The mean loss of examples."""
    if spec["loss"] == "squared":
        losses = tf.reduce_sum(tf.square(y - outputs), -1)
    else:
        losses = tf.nn.softmax_cross_entropy_with_logits(y, outputs)
    return tf.reduce_mean(losses)


def maml_loss(spec, weights, batch):
    """The mean over tasks of the query loss after the inner steps."""
    layers = spec["layers"]["network"]

    def query_loss(task):
        support_x, support_y, query_x, query_y = task
        own = weights["network"]
        for _ in range(spec["inner_steps"]):
            loss = objective(spec, apply(layers, own, support_x), support_y)
            flat = list(itertools.chain(*own))
            moved = iter(
                w - spec["inner_lr"] * g
                for w, g in zip(flat, tf.gradients(loss, flat), strict=True)
            )
            own = [[next(moved) for _ in of] for of in own]
        return objective(spec, apply(layers, own, query_x), query_y)

    tasks = int(batch[0].shape[0])
    return tf.reduce_mean(
        tf.map_fn(query_loss, batch, dtype=batch[0].dtype, parallel_iterations=tasks)
    )


def cnp_loss(spec, weights, batch):
    """The mean over tasks of the query loss of a conditional neural process."""

    def net(name, x):
        flat = tf.reshape(x, [-1, *x.shape[2:]])
        outputs = apply(spec["layers"][name], weights[name], flat)
        return tf.reshape(outputs, [*x.shape[:2], outputs.shape[-1]])

    support_x, support_y, query_x, query_y = batch
    pairs = tf.concat([net("embedding", support_x), net("lift", support_y)], -1)
    mean = tf.reduce_mean(net("encoder", pairs), 1, keepdims=True)
    state = tf.repeat(net("project", mean), query_x.shape[1], axis=1)
    outputs = net("decoder", tf.concat([state, net("embedding", query_x)], -1))
    return objective(spec, outputs, query_y)


def session(problem):
    """Steps of a session."""
    graph = tf.Graph()
    with graph.as_default():
        weights = {name: problem.by_layer(name, tf.Variable) for name in problem.weights}
        spec = problem.spec
        feeds = tuple(tf.placeholder(part.dtype, part.shape) for part in problem.batches[0])
        loss = (maml_loss if spec["learner"] == "maml" else cnp_loss)(spec, weights, feeds)
        adam = tf.train.AdamOptimizer(spec["meta_lr"], *spec["betas"], spec["epsilon"])
        train = adam.minimize(loss)
        start = tf.global_variables_initializer()
    own = tf.Session(graph=graph)
    own.run(start)

    def steps(count):
        total = 0.0
        for batch in itertools.islice(itertools.cycle(problem.batches), count):
            fed = dict(zip(feeds, batch, strict=True))
            total += own.run([loss, train], fed)[0]
        return total / count

    return steps


ENTRIES = {"session": session}
"""Ways to train, by name."""

if __name__ == "__main__":
    tf.disable_v2_behavior()
    tf.disable_control_flow_v2()
    tf.logging.set_verbosity(tf.logging.ERROR)
    worker.serve(ENTRIES, ["tensorflow"])
