"""Few-shot classification from a folder of class folders, in one call."""

import os
import pathlib
import warnings

from maml.core.checks import check_counts
from maml.tasks.few_shot_images import check_ways, image_problem
from maml.tasks.problem import Problem
from mine.reporting.tables import counted

SHOWN = 5
"""Lines on what is left out, in a warning."""


def image_folder(
    path: os.PathLike,
    ways: int = 5,
    shots: int = 1,
    queries: int = 15,
    size: int = 84,
    color: bool = True,
    labels: str = "shuffled",
    workers: int | None = None,
) -> Problem:
    """N-way K-shot classification of the images in a folder of class folders.

    The images are read, shrunk and kept in memory; ``python -m maml.tasks.prepare`` writes them to
    a file, which ``--task=folder`` reads. In the folder there may be ``train``, ``val`` and
    ``test`` with class folders in each; else 64, 16 and 20 % of the classes become the three
    splits, at random but always the same.

    Args:
        path: of the folder.
        ways: classes of a task, N.
        shots: support images of each class, K.
        queries: query images of each class.
        size: side of the images after shrinking, in pixels.
        color: whether images have three channels; one if not.
        labels: "shuffled" or "fixed" between training tasks, see
            :func:`maml.tasks.class_sampling.draw_members`.
        workers: threads that read images; as many as processors if None.

    Returns:
        The :class:`maml.Problem`: ``train``, ``validation`` and ``test`` are its families of tasks.

    Warns:
        UserWarning: images that cannot be read, or are of one colour, are left out; it names them.

    Raises:
        ValueError: the folder does not exist, or there are too few classes or images.
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        raise ValueError(
            f"Invalid value for `path`: expected a folder of class folders; received {path}."
        )
    check_counts(ways=ways, shots=shots, queries=queries, size=size, workers=workers)
    from maml.tasks import prepare  # Here, so that its command is not imported before it is run.

    source = prepare.any_folder(path)._replace(size=size, mode="RGB" if color else "L")
    parts = list(source.splits["classes"].values())
    check_ways(ways, parts.count("validation"), parts.count("test"), str(path))
    content = prepare.prepare(source, workers or os.cpu_count(), verbose=False)
    if damaged := source.skipped.num_damaged():
        some = "; ".join(source.skipped.lines()[:SHOWN])
        warnings.warn(f"Left out {counted(damaged, 'file')} of {path}: {some}", stacklevel=2)
    return image_problem(content, str(path), ways, shots, queries, labels)
