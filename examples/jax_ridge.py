"""Does a JAX model memorize? Ridge regression, compiled, many tasks a call."""

import jax
import jax.numpy as jnp
import numpy as np

from maml.diagnostics import memorization_report


@jax.jit
@jax.vmap
def predict(support_x, support_y, query_x):
    gram = support_x.T @ support_x + 0.1 * jnp.eye(support_x.shape[1])
    return query_x @ jnp.linalg.solve(gram, support_x.T @ support_y)


rng = np.random.default_rng(0)
x = rng.standard_normal([60, 40, 3])
y = np.einsum("tnd,td->tn", x, rng.standard_normal([60, 3]))
print(memorization_report(predict, (x[:30], y[:30]), held_out=(x[30:], y[30:]), shots=20,
                          relabel="scale", batch_size=32, verbose=False))  # fmt: skip
