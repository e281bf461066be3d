"""The splits of a pose data set, and what identifies the data set."""

import hashlib
import pathlib

import numpy as np

from mine.reporting.tables import counted
from pose_data import records
from pose_data.cad.variants import sources
from pose_data.tasks import PoseTasks


def load_splits(
    data_dir,
    shots: int,
    queries: int,
    image_size: int = 0,
    cropped: bool = False,
    num_validation: int = 0,
    extra_data_dir: str = "",
) -> dict[str, PoseTasks]:
    """The families of ``train_data`` and ``val_data``, pickles or folders of shards.

    Args:
        data_dir: the folder that holds both, of :mod:`pose_data.data_gen`.
        shots: support images of an episode.
        queries: query images of an episode.
        image_size: side that images are shrunk to, in pixels; 0: as stored.
        cropped: whether images are cut to the part an object can reach, before they are shrunk.
        num_validation: objects of ``train_data`` that are not trained on.
        extra_data_dir: folder of another ``train_data`` of the same form, trained on as well;
            empty for none.

    Returns:
        ``train``, without the validation objects, and with those of another folder if one is named
        (but for held-out objects and their variants, see :mod:`pose_data.vary_cad`);
        ``validation``, if there are such objects, the same in all runs; and ``test``, those of
        ``val_data``.

    Raises:
        ValueError: a file is missing or unfit, or there are too few objects; the message names
            what, and the remedy.
    """

    def load(folder, split):
        return PoseTasks.load(
            records.data_path(folder, split),
            split,
            image_size or None,
            cropped,
            shots=shots,
            queries=queries,
        )

    own, kept_back = load(data_dir, "train"), num_validation
    if not own.num_tasks - kept_back > 1:
        raise ValueError(
            "Invalid value for `num_validation`: expected to leave two or more of "
            f"{counted(own.num_tasks, 'object')} to train on; received {kept_back}; render "
            "more, or lower num_validation."
        )
    if kept_back == 1:
        raise ValueError(
            "Invalid value for `num_validation`: 1 is too few, since scores with mismatched "
            "support sets need two objects; expected 0, or 2 or more."
        )
    order = np.random.default_rng(0).permutation(own.num_tasks)
    train, test = own.subset(np.sort(order[kept_back:])), load(data_dir, "val")
    if test.num_tasks < 2:
        raise ValueError(
            f"{data_dir} has one test object, too few: scores with mismatched support sets need "
            "two. Make it anew with data_gen.py --num_val=2 or more."
        )
    _check_apart(own, test, data_dir)
    held_out = {"test": test}
    if kept_back:
        held_out = {"validation": own.subset(np.sort(order[:kept_back]))} | held_out
    if extra_data_dir:
        train = train.joined(
            _extra(load(extra_data_dir, "train"), data_dir, extra_data_dir, held_out)
        )
    return {"train": train} | held_out


def _check_apart(train: PoseTasks, test: PoseTasks, data_dir) -> None:
    """Refuses two sets of which some objects are in both, as in files of two splits.

    One set in both places, which no split makes, is taken for what somebody wanted.
    """
    shared = set(train.checksums) & set(test.checksums)
    if shared and set(train.checksums) != set(test.checksums):
        name = next(
            name for name, of in zip(test.names, test.checksums, strict=True) if of in shared
        )
        ours, theirs = (records.data_path(data_dir, split).name for split in records.SPLITS)
        raise ValueError(
            f"Invalid folder {data_dir}: expected other objects in {theirs} than in "
            f"{ours}; received the images of object {name} of {theirs} in both, as "
            "files of two splits have them; make both again by data_gen.py."
        )


def _extra(extra: PoseTasks, data_dir, extra_data_dir, held_out: dict) -> PoseTasks:
    """The objects of another folder that are not held out, nor variants of those."""
    shown = {of for family in held_out.values() for of in family.checksums}
    fit = [number for number, of in enumerate(extra.checksums) if of not in shown]
    told, told_there = (_names(folder) for folder in (data_dir, extra_data_dir))
    names = {name for family in held_out.values() for name in family.names}
    kept_back = {of: told.get(of) for name in names for of in sources(name)}
    fit = [i for i in fit if not is_among(extra.names[i], told_there, kept_back)]
    if not fit:
        raise ValueError(f"{extra_data_dir} holds none but held-out objects.")
    return extra.subset(fit)


def _names(folder) -> dict[str, str | None]:
    """Objects of a folder's ``split.json`` -> checksums of their CAD models, None if not known.

    Raises:
        ValueError: it is missing or damaged.
    """
    path = pathlib.Path(folder) / records.SPLIT
    if not path.exists():
        raise ValueError(
            f"{path} is missing, so that nothing tells which of the extra objects are held out: "
            "put the one that data_gen.py wrote beside the pickles."
        )
    content = records.read_split(path)
    meshes = content.get("mesh_sha256", {})
    return {name: meshes.get(name) for name in [*content["train"], *content["val"]]}


def is_among(name: str, meshes: dict[str, str | None], others: dict[str, str | None]) -> bool:
    """Whether an object, or what it is a variant of, is one of another set's.

    Args:
        name: of the object.
        meshes: objects of its set -> checksums of their CAD models, None if not known.
        others: the same of the other set, and of what its objects are variants of.
    """
    for one in sources(name):
        mesh, there = meshes.get(one), others.get(one)
        # By its shape, whatever it is called; by its name where a shape is not known, since another
        # set may use the same name for another object.
        if mesh is not None and mesh in others.values():
            return True
        if one in others and (mesh is None or there is None):
            return True
    return False


def describe(families: dict[str, PoseTasks]) -> dict:
    """What must be the same for scores to be compared: checksums of angles and images, and K."""

    def checksum(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()[:16]

    held_out = families["test"]
    return {
        **{name: checksum(tasks.angles.numpy().tobytes()) for name, tasks in families.items()},
        **{
            f"{name}_images": checksum("".join(tasks.checksums).encode())
            for name, tasks in families.items()
        },
        **{f"{name}_objects": tasks.num_tasks for name, tasks in families.items()},
        "shots": held_out.shots,
        "queries": held_out.queries,
    }
