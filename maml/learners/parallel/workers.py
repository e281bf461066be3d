"""The devices that one training works on, by name, and what its processes agree on.

Several processes, the *workers* of ``tf.distribute.MultiWorkerMirroredStrategy``, do the same steps
on parts of the same batches. The first of them, the *chief*, writes all files.
"""

import contextlib
import json
import logging
import os
import re
from collections.abc import Iterator

import tensorflow as tf

from maml.learners.parallel import replicas
from mine.reporting.words import reason

STRATEGIES = ("none", "mirrored", "multiworker")
"""One device; all devices of this process; those of all processes that ``TF_CONFIG`` names."""

LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
"""What TensorFlow raises in a worker where another one has ended."""


class Devices:
    """The devices of one training.

    Args:
        strategy: one of :data:`STRATEGIES`, or a ``tf.distribute.Strategy``. By name it is made, in
            a process in which TensorFlow has not computed anything yet if it is "multiworker".

    Raises:
        ValueError: there is no such name, not more than one device, or no list of workers.
    """

    def __init__(self, strategy: str | tf.distribute.Strategy = "none"):
        self.name = strategy if isinstance(strategy, str) else type(strategy).__name__
        if isinstance(strategy, str) and strategy not in STRATEGIES:
            raise ValueError(
                f"Invalid value for `strategy`: expected one of {', '.join(STRATEGIES)}; received "
                f"{strategy!r}."
            )
        if strategy == "mirrored":
            strategy = _mirrored()
        elif strategy == "multiworker":
            strategy = _of_workers()
        self.strategy = None if strategy == "none" else strategy
        self.workers, self.chief, self._collect = 1, True, None
        if isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = self.strategy.cluster_resolver
            jobs = resolver.cluster_spec().as_dict()
            first = ("chief" if "chief" in jobs else "worker", 0)
            self.workers = sum(map(len, jobs.values())) or 1
            self.chief = self.workers == 1 or (resolver.task_type, resolver.task_id) == first

    @property
    def replicas(self) -> int:
        """The number of parts of a batch."""
        return 1 if self.strategy is None else self.strategy.num_replicas_in_sync

    def scope(self):
        """Within it variables are made, of learners, networks and optimizers."""
        return contextlib.nullcontext() if self.strategy is None else self.strategy.scope()

    def check(self, learner, on_policy: bool, tasks: int) -> None:
        """Refuses a training that several devices cannot share.

        Args:
            learner: with weights.
            on_policy: whether a batch depends on the learner's weights.
            tasks: in a batch.

        Raises:
            ValueError: a batch is drawn by the learner, or has a number of tasks that is no
                multiple of that of the devices, or the learner has no weights or steps for one
                device only.
        """
        refused = None
        if on_policy:
            refused = "for a policy, which collects its trajectories on one device"
        elif not learner.trainable_variables:
            refused = f"for {learner.table_name()}, which has no weights to train"
        elif learner.for_one_device:
            refused = f"for {learner.table_name()} {learner.for_one_device}"
        if refused:
            raise ValueError(
                f"Invalid value for `strategy`: expected 'none' {refused}; received {self.name!r}."
            )
        replicas.check_tasks(tasks, self.strategy, "meta_batch_size")

    def of_chief(self, number: int) -> int:
        """The number that the chief gives; waits for all workers."""
        return self._numbers(number)[0]

    def check_equal(self, number: int, name: str, remedy: str) -> None:
        """Refuses workers that differ in a number, which all of them have to call for.

        Args:
            number: of this worker.
            name: of the number, in the message.
            remedy: what to do.

        Raises:
            ValueError: they differ.
        """
        numbers = self._numbers(number)
        if len(set(numbers)) > 1:
            raise ValueError(
                f"Invalid workers: expected the same {name} in all of them; received "
                f"{', '.join(map(str, numbers))}. {remedy}"
            )

    def _numbers(self, number: int) -> list[int]:
        """The numbers of all workers, of the chief first."""
        if self.workers == 1:
            return [number]

        def collect(number):
            context = tf.distribute.get_replica_context()
            place = tf.one_hot(context.replica_id_in_sync_group, self.replicas, dtype=tf.int64)
            return context.all_reduce(tf.distribute.ReduceOp.SUM, place * number)

        if self._collect is None:
            self._collect = tf.function(lambda number: self.strategy.run(collect, (number,)))
        found = self._collect(tf.constant(int(number), tf.int64))
        found = self.strategy.experimental_local_results(found)[0]
        return found.numpy()[:: self.replicas // self.workers].tolist()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Within it, the end of another worker is an error of a connection.

        Raises:
            ConnectionError: another worker has ended, or cannot be reached.
        """
        try:
            yield
        except LOST as error:
            if self.workers == 1:
                raise
            raise ConnectionError(
                f"Lost another of the {self.workers} workers of this training: it has ended, or "
                f"cannot be reached ({reason(error)}). What it has printed "
                "says why; end all others and start all of them again with --resume, which goes "
                "on from the last checkpoint."
            ) from error


ONE = Devices()
"""One device."""


def _mirrored() -> tf.distribute.MirroredStrategy:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        raise ValueError(
            "Invalid value for `strategy`: expected 'none' on a machine with one device; received "
            f"'mirrored', where TensorFlow finds {devices[0].name} alone."
        )
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _of_workers() -> tf.distribute.MultiWorkerMirroredStrategy:
    _check_cluster(os.environ.get("TF_CONFIG", ""))
    tf.get_logger().setLevel(logging.WARNING)  # It would tell of each sum over workers.
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ValueError(
            "Invalid value for `strategy`: expected 'multiworker' in a process in which TensorFlow "
            f"has computed nothing yet; received it later ({error}). Start a new process."
        ) from error
    except tf.errors.OpError as error:
        raise ConnectionError(
            f"Cannot connect the workers that TF_CONFIG names ({reason(error)}): start all of "
            "them, with addresses that all machines reach and ports that are free."
        ) from error


def _check_cluster(text: str) -> None:
    """Refuses a ``TF_CONFIG`` that is not that of one of several workers."""
    try:
        given = json.loads(text)
        cluster, own = given["cluster"], given["task"]
        addresses = [address for job in cluster.values() for address in job]
        right = (
            set(cluster) <= {"chief", "worker"}
            and all(isinstance(job, list) for job in cluster.values())
            and all(re.fullmatch(r".+:\d+", address) for address in addresses)
            and len(set(addresses)) == len(addresses) > 1
            and int(own["index"]) in range(len(cluster[own["type"]]))
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        right = False
    if not right:
        raise ValueError(
            "Invalid value of the variable TF_CONFIG, which the strategy 'multiworker' needs: "
            'expected such as {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": '
            f'{{"type": "worker", "index": 0}}}} with the index of this process; received {text!r}.'
        )
