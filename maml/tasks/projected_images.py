"""Random projections of images: as many tasks of one data set as one likes."""

import functools

import numpy as np
import tensorflow as tf

from maml.core.checks import check_whole
from maml.core.episodes import TaskFamily, fold_in
from maml.core.label_transforms import LabelPermutation
from maml.core.registry import TASKS
from maml.distributions.categorical import CategoricalHead
from maml.distributions.metrics import ACCURACY
from maml.learners.exact.priors import MANY
from maml.nn.mlp import mlp_networks
from maml.tasks.class_sampling import draw_members
from maml.tasks.few_shot_images import ImageClasses, check_ways
from maml.tasks.image_file import ImageFile
from maml.tasks.problem import TEST, TRAIN, VALIDATION, Problem, split_seed
from mine.reporting.shards.stored import StoredImages


class ProjectedImages(TaskFamily):
    """Tasks of images, each of which sees them through a linear projection of its own.

    Args:
        images: the tasks, which say the classes and their labels.
        features: numbers that an image is projected to.
        mean: of all pixels, which is taken off.
        deviation: of all pixels, that they are divided by.
        seed: stateless seed [2] of the projections; that of task i depends on it and i only.
    """

    def __init__(self, images: ImageClasses, features: int, mean: float, deviation: float, seed):
        self.images, self.num_tasks = images, images.num_tasks
        self.features, self.mean, self.deviation, self.seed = features, mean, deviation, seed
        self.pixels = int(np.prod(images.images.shape[1:]))

    def projections(self, tasks) -> tf.Tensor:
        """The matrix of each task, of independent N(0, 1 / pixels), [tasks, pixels, features]."""

        def draw(task):
            return tf.random.stateless_normal(
                [self.pixels, self.features], fold_in(self.seed, task), stddev=self.pixels**-0.5
            )

        return tf.map_fn(draw, tasks, fn_output_signature=tf.float32)

    def episodes(self, tasks, seed):
        episode, matrix = self.images.episodes(tasks, seed), self.projections(tasks)

        def seen(x):
            flat = tf.reshape(x, [tf.shape(x)[0], x.shape[1], self.pixels])
            return tf.matmul((flat - self.mean) / self.deviation, matrix)

        return episode._replace(support_x=seen(episode.support_x), query_x=seen(episode.query_x))


@TASKS.register("projected_images")
def projected_images(
    data: str = "omniglot.npz",
    ways: int = 5,
    shots: int = 5,
    queries: int = 10,
    train_tasks: int = 0,
    features: int = 64,
    classes: int = 0,
    split: str = "characters",
) -> Problem:
    """Classification of randomly projected images (Kirsch et al. 2022, arXiv 2212.04458, sec. 4).

    Each task has a linear projection of the pixels and a permutation of the labels of its own, so
    that one data set gives as many tasks as one likes. With few of them, a network recognizes the
    task by a projected image and memorizes its labels; with many it has to learn from the support
    set. Classes, projections and labels of validation and test are others; 2,000 tasks each.

    Args:
        data: file of :mod:`maml.tasks.prepare`.
        ways: classes of a task, N.
        shots: support images of each class.
        queries: query images of each class.
        train_tasks: number of training tasks; 0 for a million.
        features: numbers that an image is projected to.
        classes: classes of each split that tasks are drawn from, ``ways`` or more; with ``ways``,
            as in the paper, all tasks of a split have the same classes. 0 for all.
        split: name of one of the splits in the file.

    Raises:
        ValueError: there is no such file or split, it has too few classes or images, or a number is
            too small.
    """
    check_whole(2, ways=ways)
    check_whole(1, shots=shots, queries=queries, features=features)
    check_whole(0, train_tasks=train_tasks, classes=classes)
    content = ImageFile.load(data)
    if isinstance(content.images, StoredImages):
        raise ValueError(
            "Invalid value for `data`: expected a file, since this task reads all images at the "
            f"start; received the folder of shards {data}; prepare it anew without --shards."
        )
    parts = _classes_of(content, data, split, ways, classes)
    first = np.cumsum(content.counts) - content.counts

    def pictures(part):
        own = [np.arange(first[c], first[c] + content.counts[c]) for c in parts[part]]
        return content.images[np.concatenate(own)]

    trained = pictures(TRAIN) / 255.0
    mean, deviation = float(trained.mean()), float(trained.std()) or 1.0

    def family(part, num_tasks):
        found, seed = content.counts[parts[part]], split_seed(part)
        members = draw_members(num_tasks, len(found), ways, "shuffled", seed)
        tasks = ImageClasses(pictures(part), found, members, shots, queries)
        return ProjectedImages(tasks, features, mean, deviation, fold_in(seed, -1))

    return Problem(
        description=f"which of {ways} classes a randomly projected image is of",
        train=family(TRAIN, train_tasks or MANY),
        validation=family(VALIDATION, 2000),
        test=family(TEST, 2000),
        head=CategoricalHead(ways),
        build_networks=functools.partial(mlp_networks, features),
        label_transform=LabelPermutation(ways),
        metrics=(ACCURACY,),
        # What is seen of an image tells the task, whose labels can be memorized.
        mutually_exclusive=False,
        data={"images": content.checksum()},
    )


def _classes_of(
    content: ImageFile, data: str, split: str, ways: int, classes: int
) -> list[np.ndarray]:
    """Numbers of the classes of training, validation and test.

    Raises:
        ValueError: there is no such split, or it has too few classes.
    """
    if split not in content.splits:
        there = ", ".join(content.splits)
        raise ValueError(f"{data} has no split {split!r}; it has {there}.")
    parts = [np.flatnonzero(content.splits[split] == part) for part in (TRAIN, VALIDATION, TEST)]
    fewest = min(map(len, parts))
    check_ways(ways, len(parts[VALIDATION]), len(parts[TEST]), data)
    if classes and not ways <= classes <= fewest:
        raise ValueError(
            f"Invalid value for `classes`: expected {ways} (the ways) to {fewest}, the classes of "
            f"the smallest split of {data}, or 0 for all; received {classes}."
        )
    return [part[: classes or None] for part in parts]
