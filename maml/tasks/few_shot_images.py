"""Few-shot classification of images: Omniglot, mini-ImageNet, and folders of one's own."""

import functools

import numpy as np
import tensorflow as tf

from maml.core.checks import check_whole
from maml.core.episodes import Episode, TaskFamily
from maml.core.label_transforms import LabelPermutation
from maml.core.registry import TASKS
from maml.core.stored_images import as_drawn, gather_nd
from maml.distributions.categorical import CategoricalHead
from maml.distributions.metrics import ACCURACY
from maml.nn.convolutions import convolutional_networks
from maml.tasks.class_sampling import draw_members
from maml.tasks.image_file import ImageFile, check_images
from maml.tasks.image_plots import ImageProblem
from maml.tasks.problem import TEST, TRAIN, VALIDATION, Problem, split_seed
from mine.reporting.shards.stored import Images, changed, joined
from mine.reporting.tables import counted

TRAINING_TASKS, OTHER_TASKS = 100_000, 10_000
"""Tasks of meta-training, and of validation and test each. Every one is a choice of classes, of
which an episode draws images anew."""


class ImageClasses(TaskFamily):
    """Tasks that tell classes of images apart.

    The images stay in memory as bytes, or in files; an episode is drawn by index.

    Args:
        images: class after class, uint8 [images, height, width, channels]; an array, or
            :class:`mine.reporting.shards.stored.StoredImages`, of which only those that are drawn
            are read.
        counts: number of images of each class, [classes].
        members: for each task and label the number of its class, all different in a task, [tasks,
            ways].
        shots: support images of each class.
        queries: query images of each class.

    Raises:
        ValueError: a class has too few images, or an array has another type, shape or values.
    """

    def __init__(self, images, counts, members, shots: int, queries: int):
        check_images(images, counts)
        _check_members(np.asarray(members), len(counts))
        counts = np.asarray(counts, np.int32)
        if counts.min() < shots + queries:
            raise ValueError(
                f"{shots} support and {counted(queries, 'query image')} of a class do not fit "
                f"into the {counts.min()} that the smallest has: ask for fewer."
            )
        self.images, self.counts = as_drawn(images), tf.constant(counts)
        self.first = tf.constant(np.cumsum(counts, dtype=np.int32) - counts)
        self.members = tf.constant(members)
        self.num_tasks, self.ways = self.members.shape
        self.shots, self.queries = shots, queries
        self._most = int(counts.max())

    def episodes(self, tasks, seed):
        classes = tf.gather(self.members, tasks)
        count = tf.gather(self.counts, classes)[..., tf.newaxis]
        # Images in an order by chance, those that a smaller class does not have at the end.
        shape = [tf.shape(tasks)[0], self.ways, self._most]
        chance = tf.random.stateless_uniform(shape, seed)
        chance = tf.where(tf.range(self._most) < count, chance, 2.0)
        per_class = self.shots + self.queries
        chosen = tf.argsort(chance, axis=-1)[..., :per_class]
        index = tf.gather(self.first, classes)[..., tf.newaxis] + chosen
        # Class after class, so that any few examples in a row are of different classes.
        index = tf.reshape(tf.transpose(index, [0, 2, 1]), [-1, per_class * self.ways])
        x = tf.cast(gather_nd(self.images, index[..., tf.newaxis]), tf.float32) / 255
        label = tf.tile(tf.eye(self.ways), [per_class, 1])
        y = tf.tile(label[tf.newaxis], [tf.shape(tasks)[0], 1, 1])
        k = self.shots * self.ways
        return Episode(x[:, :k], y[:, :k], x[:, k:], y[:, k:])


def _check_members(members: np.ndarray, classes: int) -> None:
    if members.ndim != 2 or members.dtype.kind not in "iu" or not members.size:
        raise ValueError(
            "Invalid value for `members`: expected numbers of classes, [tasks, ways]; received "
            f"{members.dtype} {list(members.shape)}."
        )
    if members.min() < 0 or members.max() >= classes:
        raise ValueError(
            f"Invalid value for `members`: expected numbers of classes, 0 to {classes - 1}; "
            f"received {members.min()} to {members.max()}."
        )
    if (np.diff(np.sort(members, axis=1)) == 0).any():
        raise ValueError("Invalid value for `members`: a task has a class twice.")


def rotated(images: Images, counts: np.ndarray) -> tuple[Images, np.ndarray]:
    """Each class four times: as it is, and turned by a quarter, a half and three quarters.

    As Santoro et al. 2016 did for more classes of Omniglot.
    """
    turns = [functools.partial(np.rot90, k=quarters, axes=(1, 2)) for quarters in range(4)]
    return joined([changed(images, turn) for turn in turns]), np.tile(counts, 4)


def _inverted(images: np.ndarray) -> np.ndarray:
    return 255 - images


@TASKS.register("folder")
@TASKS.register("miniimagenet")
def images(
    data: str = "images.npz",
    ways: int = 5,
    shots: int = 1,
    queries: int = 15,
    labels: str = "shuffled",
    grouped: bool = False,
    split: str = "classes",
    rotations: bool = False,
    inverted: bool = False,
) -> Problem:
    """N-way K-shot classification of images: mini-ImageNet, or a folder of one's own.

    Args:
        data: file of :mod:`maml.tasks.prepare`, or folder of shards, for sets larger than memory.
        ways: classes of a task, N.
        shots: support images of each class, K.
        queries: query images of each class.
        labels: "shuffled" or "fixed" between training tasks, see
            :func:`maml.tasks.class_sampling.draw_members`. With fixed labels one can memorize.
        grouped: whether a class of a training task always stands with the same others, see there.
        split: name of one of the splits in the file.
        rotations: whether training classes turned by quarters are classes of their own.
        inverted: whether black becomes white.

    Raises:
        ValueError: there is no such file or split, it has too few classes, or an option has no
            meaning.
    """
    content = ImageFile.load(data)
    return image_problem(
        content, data, ways, shots, queries, labels, grouped, split, rotations, inverted
    )


@TASKS.register("omniglot")
def omniglot(
    data: str = "omniglot.npz",
    ways: int = 5,
    shots: int = 1,
    queries: int = 15,
    labels: str = "shuffled",
    grouped: bool = False,
    split: str = "characters",
    rotations: bool = True,
) -> Problem:
    """Which of N characters a drawing is of (Lake et al. 2015), 28 x 28, ink is white.

    Arguments as of :func:`images`; ``split`` is "characters" or "alphabets", see
    :func:`maml.tasks.prepare.omniglot`. Blocks of the network have strides (Finn et al. 2017).
    """
    content, networks = ImageFile.load(data), {"filters": 64, "pooling": False}
    return image_problem(
        content, data, ways, shots, queries, labels, grouped, split, rotations, True, **networks
    )


def check_ways(ways: int, validation: int, test: int, data: str) -> None:
    """Refuses tasks of more classes than there are to validate or to test on.

    Args:
        ways: classes of a task.
        validation: number of classes for validation.
        test: number of classes for test.
        data: where they are from.

    Raises:
        ValueError: there are too few; the message says how many are needed.
    """
    if ways > min(validation, test):
        from maml.tasks import prepare  # Here, so that its command is not imported before it runs.

        raise ValueError(
            f"{ways} ways are too many for {data}: expected {ways} classes or more for validation "
            f"and for test each; received {validation} and {test}. Ask for fewer ways, or give a "
            f"folder of {prepare.classes_for(ways)} classes or more, which are split by chance."
        )


def image_problem(
    content: ImageFile,
    data: str,
    ways: int,
    shots: int,
    queries: int,
    labels: str = "shuffled",
    grouped: bool = False,
    split: str = "classes",
    rotations: bool = False,
    inverted: bool = False,
    **network_defaults,
) -> Problem:
    """The problem of classes of images, arguments as of :func:`images`.

    Args:
        content: the images.
        data: where they are from, for messages.
        ways: classes of a task.
        shots: support images of each class.
        queries: query images of each class.
        labels: "shuffled" or "fixed".
        grouped: whether classes always stand with the same others.
        split: name of a split.
        rotations: whether turned classes are classes of their own.
        inverted: whether black becomes white.
        **network_defaults: other defaults of :func:`maml.nn.convolutions.convolutional_networks`.

    Raises:
        ValueError: as :func:`images`.
    """
    check_whole(2, ways=ways)
    check_whole(1, shots=shots, queries=queries)
    if split not in content.splits:
        there = ", ".join(content.splits)
        raise ValueError(f"{data} has no split {split!r}; it has {there}.")
    # Before 100,000 tasks are drawn, which takes long if the ways are many.
    counts = np.bincount(content.splits[split], minlength=3)
    check_ways(ways, counts[VALIDATION], counts[TEST], data)
    first = np.cumsum(content.counts) - content.counts
    pictures = changed(content.images, _inverted) if inverted else content.images

    def family(part, num_tasks):
        classes = np.flatnonzero(content.splits[split] == part)
        own = [np.arange(first[c], first[c] + content.counts[c]) for c in classes]
        found, counts = pictures[np.concatenate(own)], content.counts[classes]
        if part != TRAIN:
            members = draw_members(num_tasks, len(counts), ways, "shuffled", split_seed(part))
            return ImageClasses(found, counts, members, shots, queries)
        if rotations:
            found, counts = rotated(found, counts)
        members = draw_members(num_tasks, len(counts), ways, labels, split_seed(part), grouped)
        return ImageClasses(found, counts, members, shots, queries)

    shape = content.images.shape[1:]
    return ImageProblem(
        description=f"{ways}-way {shots}-shot classification of images; {labels} labels",
        train=family(TRAIN, TRAINING_TASKS),
        validation=family(VALIDATION, OTHER_TASKS),
        test=family(TEST, OTHER_TASKS),
        head=CategoricalHead(ways),
        build_networks=functools.partial(convolutional_networks, shape, **network_defaults),
        label_transform=LabelPermutation(ways),
        metrics=(ACCURACY,),
        mutually_exclusive=labels == "shuffled",
        data={"images": content.checksum()},
    )
