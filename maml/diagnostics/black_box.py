"""A memorization report of any model, from its answers alone: NumPy and SciPy, no TensorFlow."""

import inspect
import numbers
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np

from maml.core.checks import check_whole
from maml.diagnostics import answers, class_labels, relabelings, sampling
from maml.diagnostics.conditions import RELABELED, Request, make_requests, score
from maml.diagnostics.report import MemorizationReport
from mine.reporting.processes.resources import require
from mine.reporting.progress import ProgressBar
from mine.reporting.tables import counted

RELABELINGS = ("offset", "scale", "permute")
"""Relabelings by name; "offset" has the spread of the labels."""


def memorization_report(
    predict: Callable,
    episodes,
    *,
    held_out=None,
    output: str = "mean",
    relabel: str | Callable | None = None,
    no_support: Callable | str | None = None,
    metric: answers.Metric | None = None,
    shots: int | tuple[int, int] | None = None,
    queries: int | None = None,
    batch_size: int | None = None,
    max_tasks: int = 100,
    num_relabelings: int = 4,
    num_supports: int = 4,
    seed: int = 0,
    verbose: bool = True,
) -> MemorizationReport:
    """Reports whether a model memorizes its training tasks, from its answers alone.

    It is asked at most ``2 * max_tasks * (num_supports + num_relabelings + 3)`` times: each task
    under each condition, see ``report.calls``.

    Args:
        predict: ``predict(support_x, support_y, query_x)`` -> the answer to the queries of a task.
            Arrays have no task axis unless ``batch_size`` is given.
        episodes: of meta-training tasks: a :class:`maml.TaskFamily`; a pair of arrays or nested
            lists (x, y), [tasks, n, ...] each, with ``shots``; or an iterable of (support_x,
            support_y, query_x, query_y), one task each, whose sizes may differ. Labels are numbers
            [n] or [n, dim], or classes, with ``output="probs"``: their numbers [n], or one-hot [n,
            classes].
        held_out: the same, of tasks that were not trained on; those that are training tasks are
            left out. None: the verdict rests on relabeled training tasks, or cannot tell whether
            the model adapts.
        output: what ``predict`` returns for n queries: "mean", the expected labels [n] or [n,
            dim]; "mean_std", a pair of these and their standard deviations; "probs", probabilities
            [n, classes]; "samples", labels [samples, n] or [samples, n, dim].
        relabel: how tasks are relabeled: "offset", "scale", "permute" (classes), or a function
            ``(support_y, query_y, rng) -> (support_y, query_y)``, such as
            ``relabelings.offset(period=360)``. Relabeled tasks should be of the kind that the model
            was trained for. None: no relabeling; "probs" are permuted.
        no_support: how the model answers without a support set: a function of ``query_x``, or
            "empty", for ``predict`` with a support set of no points. None: it cannot.
        metric: judges the answers; None: the squared error, or the accuracy of "probs".
        shots: of a pair of arrays, the size of support sets, or their least and largest size.
        queries: of a pair of arrays, the number of queries; None: all that remain.
        batch_size: tasks a call, if ``predict`` takes batches: arrays [tasks, ...] -> answers
            [tasks, ...] ("samples": [samples, tasks, ...]). Tasks of one call have the same sizes.
        max_tasks: the most tasks of each split, evenly spaced. Messages count the tasks that are
            taken.
        num_relabelings: relabelings of each task; the label information is at most their
            logarithm.
        num_supports: support sets for each task, its own included; the support information is at
            most their logarithm.
        seed: of all draws. The same seed asks the same questions.
        verbose: whether to print the number of calls and their time, and to show progress.

    Raises:
        ValueError: an argument has no meaning, sizes do not fit, or ``predict`` raises or returns
            something else than ``output`` says.
    """
    session = Session(output, relabel, metric, no_support, num_relabelings, num_supports, seed)
    sampling.check_sizes((episodes, held_out), shots, queries)
    splits = {
        "training": sampling.read_tasks(episodes, "episodes", shots, queries, max_tasks, seed)
    }
    if held_out is not None:
        splits["held_out"] = sampling.read_tasks(
            held_out, "held_out", shots, queries, max_tasks, seed + 1
        )
    model = _Model(predict, no_support, batch_size, output)
    first = splits["training"][0]
    started = time.perf_counter()
    ((_, (trial,)),) = model.answers([Request("right", 0, *first)])
    seconds = time.perf_counter() - started
    # Only an answer tells how many classes there are, where labels are their numbers.
    session.prepare(splits, np.shape(trial)[-1] if np.ndim(trial) else 0)
    session.read(Request("right", 0, *first), trial)
    requests = session.requests()
    calls = len(model.groups(requests))
    if verbose:
        print(
            f"Asking `predict` {counted(calls, 'time')}: {calls * seconds:.3g} s if each call "
            "takes as long as the first.",
            flush=True,
        )
    outputs = [None] * len(requests)
    with ProgressBar(total=calls, desc="memorization report", disable=not verbose) as bar:
        for group, answered in model.answers(requests):
            for index, answer in zip(group, answered, strict=True):
                outputs[index] = session.read(requests[index], answer)
            bar.update(1)
    return session.report(outputs)


class Session:
    """The questions of a report, and the report from their answers.

    :func:`memorization_report` asks a function; :mod:`maml.diagnostics.offline` writes the
    questions to a file, and reads the answers of another program.

    The arguments are those of :func:`memorization_report`.
    """

    def __init__(self, output, relabel, metric, no_support, num_relabelings, num_supports, seed):
        if output not in answers.OUTPUTS:
            raise ValueError(
                f"Invalid value for `output`: expected one of {', '.join(answers.OUTPUTS)}; "
                f"received {output!r}."
            )
        if isinstance(relabel, str) and relabel not in RELABELINGS:
            raise ValueError(
                f"Invalid value for `relabel`: expected one of {', '.join(RELABELINGS)}, a "
                f"function or None; received {relabel!r}."
            )
        if isinstance(relabel, str) and (relabel == "permute") != (output == "probs"):
            fitting = "'permute' or a function" if output == "probs" else "'offset' or 'scale'"
            raise ValueError(
                f"Invalid value for `relabel`: expected {fitting}, since by output={output!r} "
                f"labels are {'classes' if output == 'probs' else 'numbers'}; received {relabel!r}."
            )
        if not (relabel is None or isinstance(relabel, str) or callable(relabel)):
            raise ValueError(
                "Invalid value for `relabel`: expected a name, a function or None; received a "
                f"{type(relabel).__name__}."
            )
        if callable(relabel) and not _takes(relabel, 3):
            raise ValueError(
                "Invalid value for `relabel`: expected a function (support_y, query_y, rng) -> "
                "(support_y, query_y); received one that does not take three arguments."
            )
        if not (isinstance(seed, numbers.Integral) and seed >= 0):
            raise ValueError(
                f"Invalid value for `seed`: expected a whole number, 0 or more; received {seed!r}."
            )
        check_whole(2, num_relabelings=num_relabelings, num_supports=num_supports)
        self.output, self.relabel, self.no_support = output, relabel, no_support
        self.metric = metric or answers.DEFAULTS[output]
        self.num_relabelings, self.num_supports, self.seed = num_relabelings, num_supports, seed

    def prepare(self, splits: dict[str, list[sampling.Task]], classes: int) -> None:
        """Takes the tasks of each split, and the number of classes if labels are their numbers."""
        first = splits["training"][0]
        labels = first.query_y
        for split, (other, *_) in splits.items():
            shapes = [[list(part.shape[1:]) for part in task[2:]] for task in (first, other)]
            if shapes[0] != shapes[1]:
                raise ValueError(
                    f"Invalid shapes of {split} tasks: expected points like those of training "
                    f"tasks, {shapes[0][0]} and labels {shapes[0][1]}; received {shapes[1][0]} and "
                    f"{shapes[1][1]}."
                )
        splits = _without_shared(splits)
        self.vector = labels.ndim == 2
        self.class_numbers = self.output == "probs" and not self.vector
        self._check_memory(splits, classes)
        dim = labels.shape[1] if self.vector else 1
        if self.class_numbers:
            dim = classes
            class_labels.check_numbers(splits, dim)
        elif self.output == "probs":
            class_labels.check_one_hot(splits)
        elif (found := class_labels.resembling(splits["training"])) is not None:
            warnings.warn(
                f"Labels of training tasks are {found}, and are judged as numbers, by output="
                f"{self.output!r}: if they are classes, give output='probs', and let `predict` "
                "return probabilities [n, classes].",
                stacklevel=3,
            )
        self.splits = splits
        self.reader = answers.Reader(self.output, dim, self.vector)
        relabel = self.relabel
        if self.output == "probs" and relabel in (None, "permute"):
            relabel = relabelings.permute(dim)
        elif relabel == "offset":
            every = np.concatenate([task.query_y for task in splits["training"]])
            relabel = relabelings.offset(every.std(0))
        elif relabel == "scale":
            relabel = relabelings.scale()
        elif relabel is not None:
            relabel = relabelings.checked(relabel, dim if self.output == "probs" else None)
        self._asked = {
            split: make_requests(
                tasks,
                relabel,
                self.num_relabelings,
                self.num_supports,
                self.no_support,
                self.output == "probs",
                self.seed + index,
                split,
            )
            for index, (split, tasks) in enumerate(splits.items())
        }
        if callable(self.relabel):
            self._check_relabeled()

    def _check_relabeled(self) -> None:
        """Refuses a relabeling of the user's own that changes the labels of no support set."""
        for split, requests in self._asked.items():
            relabeled = [of for of in requests if of.condition == RELABELED]
            own = [self.splits[split][of.task].support_y for of in relabeled]
            if all(map(np.array_equal, (of.support_y for of in relabeled), own)):
                raise ValueError(
                    "Invalid value for `relabel`: expected a function that changes labels; "
                    f"received one that left those of all {split} tasks as they were."
                )

    def _check_memory(self, splits, classes: int) -> None:
        """Refuses more questions or classes than this machine can hold."""
        tasks = [task for of in splits.values() for task in of]
        # Of each question labels, the answer, and what Python needs for them.
        each = sum(8.0 * (task.support_y.size + 2 * task.query_y.size) + 1000 for task in tasks)
        if self.relabel or self.output == "probs":
            require("num_relabelings", self.num_relabelings, each * self.num_relabelings)
        if self.class_numbers:
            require("classes", classes, 8.0 * classes**2)

    def requests(self) -> list[Request]:
        """All questions, of one split after the other."""
        return [request for requests in self._asked.values() for request in requests]

    def read(self, request: Request, output):
        """An answer, checked, with a label axis.

        Raises:
            ValueError: its shape or its values are not of the kind.
        """
        try:
            return self.reader(output, len(request.query_x))
        except ValueError as error:
            task = request.not_finite()
            if not task:
                raise
            raise ValueError(f"Inputs of {task} are NaN or infinite. {error}") from None

    def report(self, outputs: list) -> MemorizationReport:
        """The report from the answers to all questions, each of :meth:`read`."""
        scores, rest = {}, iter(outputs)
        for index, (split, requests) in enumerate(self._asked.items()):
            scores[split] = score(
                [self._with_axis(task) for task in self.splits[split]],
                [self._with_axis(request) for request in requests],
                [next(rest) for _ in requests],
                self.output,
                self.metric,
                self.seed + index,
            )
        return MemorizationReport.from_scores(
            scores["training"],
            scores.get("held_out"),
            self.metric,
            calls=len(outputs),
            seed=self.seed,
        )

    def _with_axis(self, part):
        """A task or a request whose query labels have a label axis."""
        y = part.query_y
        if self.class_numbers:
            y = np.eye(self.reader.dim)[y.astype(int)]
        elif not self.vector:
            y = y[:, np.newaxis]
        return part._replace(query_y=y.astype(float))


def _without_shared(splits: dict[str, list[sampling.Task]]) -> dict[str, list[sampling.Task]]:
    """The splits without held-out tasks that are training tasks, or without held-out ones."""
    given = splits.get("held_out", [])
    kept = sampling.without_shared(given, splits["training"])
    if len(kept) == len(given):
        return splits
    enough = len(kept) >= 2
    warnings.warn(
        f"{len(given) - len(kept)} of {len(given)} held-out tasks have the points of a training "
        "task, which cannot tell a model that memorizes from one that adapts: "
        f"{'they are' if enough else '`held_out` is'} left out. Give tasks that were not trained "
        "on.",
        stacklevel=4,
    )
    return splits | {"held_out": kept} if enough else {"training": splits["training"]}


class _Model:
    """Asks a function, task by task or in batches, and says what it did wrong."""

    def __init__(self, predict, no_support, batch_size, output):
        if not callable(predict):
            raise ValueError(
                "Invalid value for `predict`: expected a function of support_x, support_y and "
                f"query_x; received a {type(predict).__name__}."
            )
        if not (no_support is None or no_support == "empty" or callable(no_support)):
            raise ValueError(
                "Invalid value for `no_support`: expected a function of query_x, 'empty' or None; "
                f"received {no_support!r}."
            )
        if batch_size is not None and batch_size < 1:
            raise ValueError(
                f"Invalid value for `batch_size`: expected at least 1, or None; received "
                f"{batch_size}."
            )
        self.predict, self.no_support, self.batch_size = predict, no_support, batch_size
        self.output = output

    def answers(self, requests: list[Request]) -> Iterator[tuple[list[int], list]]:
        """Indices of the requests of each call, and their answers."""
        for group in self.groups(requests):
            asked = [requests[index] for index in group]
            yield group, [self._ask(*asked)] if self.batch_size is None else self._ask_batch(asked)

    def groups(self, requests: list[Request]) -> list[list[int]]:
        """Indices of the requests of each call: of the same shapes, at most a batch."""
        groups: dict[tuple, list[list[int]]] = {}
        for index, request in enumerate(requests):
            arrays = (request.support_x, request.support_y, request.query_x)
            shapes = tuple(None if part is None else part.shape for part in arrays)
            own = groups.setdefault(shapes, [])
            if not own or len(own[-1]) >= (self.batch_size or 1):
                own.append([])
            own[-1].append(index)
        return [group for own in groups.values() for group in own]

    def _ask(self, request: Request):
        # Copies: a model may standardize its inputs in place.
        arrays = (request.support_x, request.support_y, request.query_x)
        arrays = [None if part is None else np.array(part) for part in arrays]
        return self._call([request], *arrays)

    def _ask_batch(self, requests: list[Request]) -> list:
        support_x, support_y, query_x = (
            None if getattr(requests[0], name) is None
            else np.stack([getattr(request, name) for request in requests])
            for name in ("support_x", "support_y", "query_x")
        )  # fmt: skip
        output = self._call(requests, support_x, support_y, query_x)
        if self.output == "mean_std" and isinstance(output, tuple | list):
            return list(zip(*(self._split(part, len(requests), 0) for part in output), strict=True))
        return self._split(output, len(requests), 1 if self.output == "samples" else 0)

    def _split(self, output, tasks: int, axis: int) -> list:
        output = np.asarray(output)
        if output.ndim <= axis or output.shape[axis] != tasks:
            raise ValueError(
                f"Invalid shape returned by `predict` for a batch of {tasks} tasks: expected a "
                f"task axis of {tasks}, received {list(output.shape)}."
            )
        return list(np.moveaxis(output, axis, 0))

    def _call(self, requests, support_x, support_y, query_x):
        name, function, arguments = "predict", self.predict, (support_x, support_y, query_x)
        if support_x is None:
            name, function, arguments = "no_support", self.no_support, (query_x,)
        try:
            return function(*arguments)
        except Exception as error:  # Whatever a user's model raises, the argument is named.
            shapes = ", ".join(str(list(np.shape(part))) for part in arguments)
            task = next(filter(None, (request.not_finite() for request in requests)), "")
            missing = f"Inputs of {task} are NaN or infinite. " if task else ""
            raise ValueError(
                f"{missing}`{name}` raised {type(error).__name__} for arrays of the shapes "
                f"{shapes}: {error}"
            ) from error


def _takes(function, count: int) -> bool:
    """Whether a function can be called with ``count`` arguments; yes where that is not known."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # Of some that are written in C.
        return True
    return True
