"""A training step on several devices, ``tf.distribute``'s replicas, each with a part of the tasks.

Replicas differ from one device in these ways, which are taken care of here:

* Each replica's part of a batch has its place: task i of n is with replica ``i // (n / replicas)``.
* Keras adds gradients up over replicas, so each replica's loss is divided by their number.
* Random numbers come from seeds that all replicas share: :func:`mine.replicas.drawn` gives each
  task those of one device, and where it is not used the replica's number is folded in.
* A variable that is not trained (a running mean, a counter) may not be assigned in one replica:
  assignments are held back while the replica computes, and the replicas then agree on one value.
* An optimizer may not step inside of ``tf.cond``: it always steps, and what a step whose gradient
  is not finite has changed is restored.
* Keras' ``fit`` fails on several workers where a step returns scalars, see :func:`as_logs`.
* TensorFlow 2.21 fails where several steps are one ``tf.while_loop``: it asks for placeholders.
"""

import contextlib

import keras
import tensorflow as tf

from maml.core.episodes import as_episode, fold_in
from mine.replicas import apply_gradients, mean, whole


def active() -> bool:
    """Whether this runs in a replica of a strategy, rather than without one."""
    return tf.distribute.has_strategy() and not tf.distribute.in_cross_replica_context()


def count() -> int:
    """The number of replicas; one without a strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def spread(data: tf.data.Dataset, strategy):
    """Batches of tasks as Keras takes them, an equal part of each for each replica.

    In one process Keras gives each replica its part. Of several, every worker makes whole batches,
    which are the same by their seed, and takes the parts of its replicas.

    Args:
        data: batches of episodes; each worker has the same.
        strategy: of the learner.

    Raises:
        ValueError: the number of tasks in a batch is no multiple of the number of replicas.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        return data
    check_tasks(as_episode(data.element_spec).query_y.shape[0], strategy)
    if not _of_workers(strategy):
        return data
    own = len(strategy.extended.worker_devices)

    def parts_of(context):
        first = context.input_pipeline_id * own

        def part(value):
            tasks, known = tf.shape(value)[0], value.shape[0]
            remedy = f"Batches need a number of tasks that is a multiple of the {count} replicas."
            with tf.control_dependencies([tf.debugging.assert_equal(tasks % count, 0, remedy)]):
                blocks = tf.concat([[count, tasks // count], tf.shape(value)[1:]], 0)
            found = tf.reshape(value, blocks)[first : first + own]
            return tf.ensure_shape(found, [own, known and known // count, *value.shape[1:]])

        def parts(*episode):
            # Of a named tuple one argument, of a tuple its parts.
            episode = as_episode(episode[0] if len(episode) == 1 else episode)
            return tf.nest.map_structure(part, episode)

        return data.map(parts).unbatch().prefetch(own)

    return strategy.distribute_datasets_from_function(parts_of)


def check_tasks(tasks: int | None, strategy, name: str = "batch_size") -> None:
    """Refuses a number of tasks in a batch, if it is known, that replicas cannot share equally.

    Raises:
        ValueError: it is no multiple of their number; the message calls it ``name``.
    """
    count = strategy.num_replicas_in_sync
    if tasks is not None and tasks % count:
        raise ValueError(
            f"Invalid value for `{name}`: expected a multiple of the {count} replicas of the "
            f"strategy, since each has as many tasks of a batch; received {tasks}."
        )


def as_logs(logs: dict) -> dict:
    """What a step returns, as Keras can average it over the replicas of several workers.

    Keras 3.15 averages over the first axis there, which scalars do not have.
    """
    if not _of_workers(tf.distribute.get_strategy()):
        return logs
    return {name: tf.reshape(value, [1]) for name, value in logs.items()}


def _of_workers(strategy) -> bool:
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


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
    if value.dtype.is_floating:
        return mean(value)
    every = whole(value[tf.newaxis])
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
    """Refuses variables that a strategy cannot keep equal on its replicas, and loops of steps.

    Raises:
        ValueError: the learner or an optimizer was made outside of the strategy's scope, or the
            learner was compiled with several steps at once.
    """
    strategy = learner.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return
    if learner.steps_per_execution > 1:
        raise ValueError(
            "Invalid value for `steps_per_execution`: expected 1 under a strategy of several "
            f"replicas; received {learner.steps_per_execution}."
        )
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
