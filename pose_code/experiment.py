"""One pose experiment as a function: build, train or resume, score, draw."""

import dataclasses
import pathlib

import numpy as np

import maml
from maml.core.registry import term_names
from maml.experiments import runs
from maml.experiments.options import method_name
from mine import reporting
from pose_code import networks, plots, scores
from pose_code.augmentation import KINDS, ImageAugmentation
from pose_code.config import Config
from pose_data import records
from pose_data.tasks import PERIOD, PoseTasks
from pose_data.variants import sources


def load_tasks(data_dir, config: Config) -> dict[str, PoseTasks]:
    """The families of ``train_data.pkl`` and ``val_data.pkl``.

    Args:
        data_dir: the folder that holds both.
        config: shots, queries, image size, and what says which objects are used.

    Returns:
        ``train``, without the validation objects, and with those of another folder if one is named
        (but for held-out objects and their variants, see :mod:`pose_data.vary_cad`);
        ``validation``, if there are such objects, the same in all runs; and ``test``, those of
        ``val_data.pkl``.

    Raises:
        ValueError: a file is missing or unfit, or there are too few objects; the message names
            what, and the remedy.
    """

    def load(folder, split):
        return PoseTasks.load(
            pathlib.Path(folder) / f"{split}_data.pkl",
            split,
            config.image_size or None,
            config.cropped,
            shots=config.shots,
            queries=config.queries,
        )

    own, kept_back = load(data_dir, "train"), config.num_validation
    if not own.num_tasks - kept_back > 1:
        raise ValueError(
            f"{kept_back} validation objects leave {own.num_tasks} objects too few to train on: "
            "render more, or lower --num_validation."
        )
    if kept_back == 1:
        raise ValueError("--num_validation=1 is too few: two or more lend each other supports.")
    order = np.random.default_rng(0).permutation(own.num_tasks)
    train, test = own.subset(np.sort(order[kept_back:])), load(data_dir, "val")
    if test.num_tasks < 2:
        raise ValueError(
            f"{data_dir} has one test object, too few: two or more lend each other supports. Make "
            "it anew with data_gen.py --num_val=2 or more."
        )
    held_out = {"test": test}
    if kept_back:
        held_out = {"validation": own.subset(np.sort(order[:kept_back]))} | held_out
    if config.extra_data_dir:
        extra = load(config.extra_data_dir, "train")
        shown = {of for family in held_out.values() for of in family.checksums}
        fit = [number for number, of in enumerate(extra.checksums) if of not in shown]
        told, told_there = (_names(folder) for folder in (data_dir, config.extra_data_dir))
        names = {name for family in held_out.values() for name in family.names}
        kept_back = {of: told.get(of) for name in names for of in sources(name)}
        fit = [i for i in fit if not is_among(extra.names[i], told_there, kept_back)]
        if not fit:
            raise ValueError(f"{config.extra_data_dir} holds none but held-out objects.")
        train = train.joined(extra.subset(fit))
    return {"train": train} | held_out


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


def build(config: Config, image_size: int) -> maml.MetaLearner:
    """The untrained learner that a configuration describes, for images of this side in pixels."""
    if config.head == "circle":
        head = maml.CircularHead(PERIOD, config.knots)
    elif config.head == "vonmises":
        head = maml.VonMisesHead(PERIOD, config.harmonics, config.knots)
    else:
        head = maml.NormalHead(bounds=(-1.0, PERIOD + 1.0) if config.bound_outputs else None)
    free_critic = "mine" in term_names(config.regularizer) and config.mi_target == "prediction"
    unbounded = config.head == "linear" and not config.bound_outputs
    if free_critic and unbounded and not config.mi_power_penalty:
        raise ValueError(
            "A free critic pays unbounded outputs to grow without end: pass --bound_outputs, "
            "--mi_power_penalty=1 or --mi_target=label."
        )
    common = {"dim_w": config.dim_w, "seed": config.seed, "dtype": config.precision}
    others = {}
    if config.shared_tower:
        if maml.LEARNERS[config.learner].network_kind != "network":
            raise ValueError(
                f"The image tower of {config.learner} is shared anyway: leave out --shared_tower."
            )
        mode = config.embedding_normalization
        others["embedding"] = networks.tower(image_size, mode=mode, **common)

    def network(outputs):
        body = networks.convolutions(
            outputs,
            filters=config.filters,
            mode=config.normalization,
            steps=config.inner_steps,
            **common,
        )
        if config.shared_tower:
            return body
        return networks.chained(networks.tower(image_size, **common), body)

    kinds = {"none": (), "all": KINDS}.get(config.image_augmentation)
    if kinds is None:
        kinds = config.image_augmentation.split(",")
    first = [ImageAugmentation(kinds)] if kinds else []
    problem = maml.Networks(
        network,
        lambda: networks.embedding(image_size, mode=config.embedding_normalization, **common),
    )
    return config.make_learner(problem, head, maml.LabelOffset(PERIOD), first, **others)


def train(
    config: Config,
    data_dir,
    logdir,
    resume: bool = False,
    verbose="auto",
    extra_callbacks=(),
    command: str | None = None,
    pictures: bool = True,
) -> dict:
    """Trains, scores on all held-out objects, writes ``results.json`` and pictures.

    Args:
        config: the hyper-parameters.
        data_dir: folder of the pickles.
        logdir: folder of this run, made if absent.
        resume: go on from the folder's checkpoint; a finished run is left as it is, but for a
            learner that is gone: it is written again.
        verbose: of ``keras.Model.fit``.
        extra_callbacks: more Keras callbacks.
        command: that does this; None for the one that was typed.
        pictures: whether to draw curves, predictions and diagnoses.

    Returns:
        The content of ``results.json``.

    Raises:
        ValueError: data or configuration are unfit.
        FileExistsError: the folder holds another run, or one that was not asked to be resumed.
        FloatingPointError: the loss became NaN or infinite.
    """
    logdir = pathlib.Path(logdir)
    config.epoch_steps()  # Refuses before any data is read.
    families = load_tasks(data_dir, config)
    record = {
        "method": method_name(dataclasses.asdict(config)),
        "seed": config.seed,
        "config": runs.as_config(config),
        "data": scores.describe(families),
    }
    # What is refused leaves no folder behind.
    learner = build(config, families["train"].image_size)
    learner.create_weights(families["train"].sample(2, [config.seed, 5]))
    for shots in config.shots_to_score():
        families["test"].with_shots(shots)
    runs.claim_run_dir(logdir, config, resume, data=record["data"])
    path, results = logdir / "learner.keras", logdir / scores.RESULTS
    if results.exists() and not runs.learner_is_missing(path, logdir):
        return reporting.read_json(results, "test")

    evaluator = evaluator_of(learner, config)
    history = runs.fit(learner, families, config, logdir, evaluator, verbose, extra_callbacks)
    maml.save(learner, path)
    if results.exists():
        return reporting.read_json(results, "test")
    record |= score(evaluator, families, config, verbose)
    record |= runs.cost(history, config) | scores.surroundings("pose_code.train")
    if command:
        record["command"] = command
    if pictures:
        plots.curves({record["method"]: history}, logdir / "curves.png")
        plots.predictions(learner, families["test"], logdir / "predictions.png")
        plots.diagnoses(record["diagnosis"], logdir / "diagnosis.png")
    reporting.write_json(record, results)
    return record


def evaluator_of(learner, config: Config) -> maml.Evaluator:
    """What scores a learner of this experiment, during training and after it."""
    return maml.Evaluator(
        learner,
        label_transform=maml.LabelOffset(PERIOD),
        num_relabelings=config.information_draws,
        metrics=scores.METRICS,
    )


def score(evaluator: maml.Evaluator, families: dict, config: Config, verbose="auto") -> dict:
    """Scores on fixed episodes of every object.

    Args:
        evaluator: of a trained learner, see :func:`evaluator_of`.
        families: of :func:`load_tasks`; ``train`` is scored on a tenth of the episodes.
        config: the number of episodes, and of support images, is used.
        verbose: whether to show progress, and the diagnoses.

    Returns:
        For each family its scores, and in ``diagnosis`` what they tell; in ``shots`` the scores of
        ``test`` at other numbers of support images; ``episodes`` of each held-out object.
    """
    normalization = evaluator.learner.normalization
    record = {"normalization": normalization, "episodes": config.eval_episodes, "diagnosis": {}}

    def scored(name, family):
        episodes = max(1, config.eval_episodes // 10) if name == "train" else config.eval_episodes
        title = f"scoring {name} objects" if verbose else ""
        return evaluator(family, episodes, 16, seed=0, title=title)

    for name, family in families.items():
        values = scored(name, family)
        record[name] = scores.summarise(values, family.names)
        diagnosis = maml.Diagnosis.from_scores(values, normalization)
        record["diagnosis"][name] = diagnosis.to_json()
        if verbose:
            print(f"{name} objects: {diagnosis}")
    test, record["shots"] = families["test"], {}
    for shots in config.shots_to_score():
        values = scored("test", test.with_shots(shots))
        record["shots"][str(shots)] = scores.summarise(values, test.names)
    return record
