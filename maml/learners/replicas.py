"""A training step on several devices, ``tf.distribute``'s replicas, each with a part of the tasks.

Replicas differ from one device in four ways, which are taken care of here:

* Keras adds gradients up over replicas, so each replica's loss is divided by their number.
* Random numbers come from seeds that all replicas share, so the replica's number is folded in.
* A variable that is not trained (a running mean, a counter) may not be assigned in one replica:
  assignments are held back while the replica computes, and the replicas then agree on one value.
* An optimizer may not step inside of ``tf.cond``: it always steps, and what a step whose gradient
  is not finite has changed is restored.
"""

import contextlib

import keras
import tensorflow as tf

from maml.core.episodes import fold_in
from mine.replicas import apply_gradients


def active() -> bool:
    """Whether this runs in a replica of a strategy, rather than without one."""
    return tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context()


def count() -> int:
    """The number of replicas; one without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def own_seed(seed) -> tf.Tensor:
    """This replica's seed [2]; ``seed`` itself where there is one replica."""
    if not active() or count() == 1:
        return seed
    context = tf.distribute.get_replica_context()
    return fold_in(seed, tf.cast(context.replica_id_in_sync_group, tf.int32))


def all_finite(finite) -> tf.Tensor:
    """Whether ``finite`` [] is true in every replica."""
    if not active():
        return finite
    failures = tf.cast(tf.logical_not(finite), tf.float32)
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, failures) == 0


@contextlib.contextmanager
def agreed_assignments(variables):
    """Within it, a replica assigns variables for itself; afterwards all take one value.

    That is the mean over replicas, of integers the value of the first replica that has changed its
    own. Without a strategy variables are assigned as ever.

    Args:
        variables: Keras variables that may be assigned, of any kind.
    """
    if not active():
        yield
        return
    with keras.StatelessScope() as scope:
        yield
    held = [(v, scope.get_current_value(v)) for v in variables]
    held = [(v, value) for v, value in held if value is not None]
    _assign([v for v, _ in held], [_agreed(v, value) for v, value in held])


def _agreed(variable, value) -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    every = context.all_gather(value[tf.newaxis], axis=0)
    if value.dtype.is_floating:
        return tf.reduce_mean(every, axis=0)
    before = tf.convert_to_tensor(variable)
    changed = tf.reshape(every != before, [tf.shape(every)[0], -1])
    first = tf.argmax(tf.cast(tf.reduce_any(changed, axis=1), tf.int32))
    return every[first]


def _assign(variables, values) -> None:
    """Gives variables values that are equal in all replicas."""
    if not variables:
        return

    def everywhere(strategy, values):
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(variable.value, lambda v, new: v.assign(new), args=(value,))

    tf.distribute.get_replica_context().merge_call(everywhere, args=(list(values),))


def apply_if(condition, optimizer, gradients, variables) -> None:
    """Steps the optimizer if ``condition``, which all replicas agree on; counts the step anyway."""
    if not active():

        def skip():
            optimizer.iterations.assign_add(1)

        def step():
            apply_gradients(optimizer, gradients, variables)

        tf.cond(condition, step, skip)
        return
    state = [v for v in optimizer.variables if v is not optimizer.iterations]
    changing = [*variables, *state]
    before = [tf.identity(v) for v in changing]
    optimizer.apply(gradients, variables)
    after = [tf.where(condition, v, old) for v, old in zip(changing, before, strict=True)]
    _assign(changing, after)


def check_scope(learner, optimizers) -> None:
    """Refuses variables that a strategy cannot keep equal on its replicas.

    Raises:
        ValueError: the learner or an optimizer was made outside of the strategy's scope.
    """
    strategy = learner.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return
    owners = {"The learner": learner.variables} | {
        f"The optimizer {optimizer.name!r}": optimizer.variables for optimizer in optimizers
    }
    for owner, variables in owners.items():
        for variable in variables:
            if not strategy.extended.variable_created_in_scope(variable.value):
                raise ValueError(
                    f"{owner} has a variable {variable.path!r} made outside of the scope of "
                    f"{type(strategy).__name__}: make networks, learner and optimizers inside of "
                    "`with strategy.scope():`."
                )
