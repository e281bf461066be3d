"""Options of components: read from signatures, handed to whom takes them, typed and repeated."""

import importlib.metadata
import inspect
import re
import shlex
import sys

import commands
import pytest
import toys

import maml
from maml.core import options
from maml.core.registry import Registry
from maml.experiments import read_results, training
from maml.experiments.config import Config

# -- kinds of values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("noise=abc", "`noise`: expected float, received 'abc'"),
        ("amplitude=5:x", "`amplitude`: expected a sequence of float, received '5:x'"),
        ("told=1", "`told`: expected bool, received '1'"),
        ("shots=2.5", "`shots`: expected int, received '2.5'"),
        ("test_noise=abc", "`test_noise`: expected float or None, received 'abc'"),
        ("seed_=1", "The option 'seed_' has no effect with task functions: functions takes shots"),
        ("seed=1", "The option 'seed' has no effect with task functions"),
        ("signed=true", "'signed' has no effect with task functions: it is an option of nme_sinu"),
        ("noise=1;noise=2", "The option 'noise' is given twice: give it once"),
        ("=1", "Invalid option '=1': expected name=value, with semicolons between options"),
        ({"noise": "abc"}, "`noise`: expected float, received 'abc'"),
        ({"told": 1}, "`told`: expected bool, received 1"),
        ({"shape": 3}, "`shape`: expected str, received 3"),
        ({"amplitude": 5}, "`amplitude`: expected a sequence of float, received 5"),
        ({"test_phase": 1}, "`test_phase`: expected a sequence of float or None, received 1"),
        ({"shots": True}, "`shots`: expected int, received True"),
    ],
)
def test_options_of_tasks_are_of_their_kind(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Config(task="functions", task_options=given)


@pytest.mark.parametrize("given", ["hidden=40.5", "hidden=40:8.5", {"hidden": (40, 8.5)}])
def test_options_of_networks_are_of_their_kind(given):
    config = Config(task="functions", network_options=given)
    with pytest.raises(ValueError, match="`hidden`: expected a sequence of int, received"):
        config.make_problem()


def test_options_may_be_all_that_their_annotations_allow():
    allowed = "noise=1;told=true;amplitude=1:2;x_range=-1,1;test_noise=0.5;test_shape=square"
    config = Config(task="functions", task_options=allowed)
    assert config.task_options == {
        "noise": 1.0, "told": True, "amplitude": (1.0, 2.0), "x_range": (-1.0, 1.0),
        "test_noise": 0.5, "test_shape": "square",
    }  # fmt: skip
    config.make_problem()

    def own(scale=1, ends: tuple[float, float] = (0, 1), either: int | str = 0, odd: "int" = 0): ...

    taken = options.options_of(own)
    for name, text, value in [
        ("scale", "0.5", 0.5), ("scale", "x", "x"), ("scale", "1:2", (1, 2)),
        ("scale", "5e-1", 0.5), ("scale", "true", True), ("ends", "0:2", (0.0, 2.0)),
        ("either", "a", "a"), ("either", "3", 3), ("odd", "0.5", 0.5),
    ]:  # fmt: skip
        found = options.read(name, text, taken[name])
        assert found == value and type(found) is type(value)
        assert options.read(name, value, taken[name]) == value
    for name, value in {"ends": 1, "either": 0.5}.items():
        with pytest.raises(ValueError, match=f"`{name}`: expected .* received {value}"):
            options.read(name, value, taken[name])


def test_options_of_a_class_are_those_of_its_constructors_up_to_keras():
    class Base:
        def __init__(self, network, head: maml.Head, rate: float = 0.5, seed: int = 0): ...

    class Own(Base):
        def __init__(self, network, *rest, names: tuple[str, ...] = (), size: int, **kwargs): ...

    class Closed(Own):
        def __init__(self, size: int = 3): ...

    assert list(options.options_of(Own)) == ["rate", "names", "size"]
    assert options.defaults_of(Own) == {"rate": 0.5, "names": ()}
    assert options.defaults_of(Closed) == {"size": 3}
    assert "trainable" not in options.parameters(maml.MRW)  # Of Keras.


# -- who takes an option --------------------------------------------------------------------------


def slow(rate: float = 0.1, depth: int = 1): ...
def fast(rate: float = 0.2, name: str = ""): ...
def other(zeal: int = 0): ...


ENTRIES = {"slow": slow, "fast": fast, "other": other}


def test_an_option_goes_to_the_only_component_that_takes_it():
    given = {"depth": "3", "fast.rate": "0.5", "name": "x"}
    assert options.choose("thing", ["slow", "fast"], ENTRIES, given) == {
        "slow": {"depth": 3},
        "fast": {"rate": 0.5, "name": "x"},
    }
    # Defaults are left to the components.
    assert options.choose("thing", ["slow"], ENTRIES, {}) == {"slow": {}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": 1.0}, "The option 'rate' is ambiguous: slow and fast take it; write slow.rate="),
        (
            {"zeal": 1},
            "The option 'zeal' has no effect with thing slow,fast: it is an option of other; "
            "slow takes rate, depth; fast takes rate, name.",
        ),
        ({"zest": 1}, "'zest' has no effect with thing slow,fast: slow takes rate, depth; fast"),
        ({"slow.name": "x"}, "The option 'name' has no effect with thing slow,fast: slow takes"),
        ({"depth": 1, "slow.depth": 2}, "The option 'depth' of slow is given twice"),
        ({"slow.rate": "x"}, "`rate`: expected float, received 'x'"),
    ],
)
def test_an_option_that_none_or_several_take_is_refused(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        options.choose("thing", ["slow", "fast"], ENTRIES, given)


def test_options_of_regularizers_go_to_those_that_take_them():
    typed = "label_mi.weight=0.5;mr_a.weight=0.001;num_relabelings=8"
    config = Config(task="sinusoid", regularizer="mr_a, label_mi", regularizer_options=typed)
    assert config.regularizer == "mr_a,label_mi"
    assert config.regularizers == {
        "mr_a": {"weight": 0.001},
        "label_mi": {"weight": 0.5, "num_relabelings": 8},
    }
    bottleneck, information = config.make_learner(config.make_problem()).regularizers
    assert (bottleneck.weight, information.weight) == (0.001, 0.5)
    assert (information.num_relabelings, information.bound) == (8, "ba")
    with pytest.raises(ValueError, match="'weight' is ambiguous: mr_a and label_mi take it"):
        Config(regularizer="mr_a,label_mi", regularizer_options="weight=1")
    with pytest.raises(ValueError, match="'noise' has no effect with regularizer label_mi: it is"):
        Config(regularizer="label_mi", regularizer_options="noise=1")
    with pytest.raises(ValueError, match="'weight' has no effect with regularizer none: it is an"):
        Config(regularizer_options="weight=1")
    with pytest.raises(ValueError, match="'mr_a' is named twice"):
        Config(regularizer="mr_a,mr_a")


IDLE = [
    ({"regularizer": "label_mi", "label_mi.negatives": 9}, "negatives", "label_mi and bound=ba"),
    ({"regularizer": "label_mi", "label_mi.hidden": (9,)}, "hidden", "label_mi and bound=ba"),
    ({"regularizer": "label_mi", "label_mi.momentum": 0.5}, "momentum", "label_mi and bound=ba"),
    (
        {"regularizer": "label_mi", "label_mi.bound": "js", "label_mi.momentum": 0.5},
        "momentum",
        "label_mi and bound=js",
    ),
    (
        {"regularizer": "label_mi", "label_mi.bound": "plugin", "label_mi.num_relabelings": 9},
        "num_relabelings",
        "label_mi and bound=plugin",
    ),
    (
        {"regularizer": "mine", "mine.bound": "exact", "mine.hidden": (9,)},
        "hidden",
        "prediction_mi and bound=exact",
    ),
    (
        {"regularizer": "mine", "mine.bound": "exact", "mine.noise": 9.0},
        "noise",
        "prediction_mi and bound=exact",
    ),
    (
        {"learner.recompute": True, "learner.task_map": "vectorized"},
        "recompute",
        "maml and task_map=vectorized",
    ),
    (
        {"learner": "bmaml", "learner.chaser": False, "learner.leader_steps": 3},
        "leader_steps",
        "bmaml and chaser=false",
    ),
    (
        {"learner": "latent_np", "learner.dim_latent": 0, "learner.num_samples": 3},
        "num_samples",
        "latent_np and dim_latent=0",
    ),
    ({"learner": "cnp", "network.hidden": (9,)}, "hidden", "the networks of learner cnp"),
    ({"network.embedding": (9,)}, "embedding", "the networks of learner maml"),
    ({"critic_lr": 0.5}, "critic_lr", "regularizer none, which has no critic"),
    (
        {"critic_lr": 0.5, "regularizer": "label_mi"},
        "critic_lr",
        "regularizer label_mi, which has no critic",
    ),
]
"""Options that others take the effect from, which option, and beside what."""

TAKERS = ("", "bound", "task_map", "chaser", "dim_latent")
"""The options that take it; "" is a component itself."""


@pytest.mark.parametrize(("given", "name", "beside"), IDLE)
def test_an_option_that_others_take_the_effect_from_is_refused(given, name, beside):
    with pytest.raises(ValueError, match=re.escape(f"{name!r} has no effect with ")) as refused:
        made(Config.of(given))
    assert beside in str(refused.value) and str(refused.value).endswith("leave it out.")
    # A preset may hold options for other choices, and so may the options of an earlier run.
    chosen = {k: v for k, v in given.items() if k.partition(".")[2] in TAKERS}
    chosen.pop("critic_lr", None)
    made(Config.of(chosen, given))


@pytest.mark.parametrize(
    "given",
    [
        {"regularizer": "label_mi", "label_mi.negatives": 4},
        {"regularizer": "label_mi", "label_mi.bound": "mine", "label_mi.negatives": 9},
        {"regularizer": "mine", "critic_lr": 0.5},
        {"learner": "cnp", "network.embedding": (9,)},
        {"network.hidden": (9,)},
    ],
)
def test_options_with_an_effect_and_defaults_are_taken(given):
    made(Config.of(given))


def test_an_option_of_images_that_the_kind_of_network_does_not_have_is_refused():
    given = {"task": "omniglot", "task.data": toys.characters(), "network.filters": 8}
    made(Config.of(given))
    with pytest.raises(ValueError, match="'filters' has no effect with the networks of learner"):
        made(Config.of(given | {"network.kind": "perceptron"}))


def made(config):
    """The untrained learner of a run."""
    return config.make_learner(config.make_problem())


@pytest.mark.parametrize("key", ["noise", "mine.noise", "prediction_mi.noise"])
def test_short_names_stand_for_the_full_ones(key):
    config = Config(regularizer="mine", regularizer_options=f"{key}=0.2")
    assert config == Config.of({"regularizer": "prediction_mi", "prediction_mi.noise": 0.2})
    assert config == Config.of({"regularizer": "mine", "mine.noise": 0.2})
    assert config.dotted() == {"regularizer": "prediction_mi", "prediction_mi.noise": 0.2}
    assert config.method_name() == "MAML + Prediction-MI (MINE, λ = 0.5)"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "MAML"),
        ({"learner": "relative"}, "Relative CNP"),
        ({"regularizer": "mr_w", "mr_w.weight": 1e-4}, "MAML + MR-W (β = 0.0001)"),
        (
            {"learner": "cnp", "regularizer": "mr_a,label_mi"},
            "CNP + MR-A (β = 0.001) + Label-MI (λ = 1)",
        ),
        (
            {"regularizer": "label_augmentation,weight_decay"},
            "MAML + label augmentation (p = 1) + weight decay (λ = 0.0001)",
        ),
        (
            {"regularizer": "label_mi", "label_mi.bound": "plugin"},
            "MAML + Label-MI (plugin, λ = 1)",
        ),
        (
            {"regularizer": "mine", "mine.bound": "exact", "mine.weight": 0.3},
            "MAML + Prediction-MI (exact, λ = 0.3)",
        ),
    ],
)
def test_tables_call_a_run_by_its_learner_and_regularizers(given, name):
    assert Config.of(given).method_name() == name


def test_a_regularizer_without_a_strength_is_called_by_its_title():
    class FeatureNoise(maml.Regularizer):
        def __init__(self, scale: float = 0.1, **kwargs):
            super().__init__(**kwargs)

    assert FeatureNoise.table_name(scale=0.1) == "FeatureNoise"
    FeatureNoise.strength = "scale"
    assert FeatureNoise.table_name(scale=0.1) == "FeatureNoise (λ = 0.1)"


# -- defaults, dotted names, and back -------------------------------------------------------------

DEFAULTS = {
    "learner": "cnp", "learner.dim_r": 8, "learner.inner_lr": 0.5, "label_mi.weight": 0.25,
    "mr_w.weight": 0.125, "task.shots": 3, "head": "normal", "head.scale": 0.5, "head.knots": 60,
    "steps": 7,
}  # fmt: skip


def test_defaults_of_components_that_are_not_chosen_are_left_out():
    config = Config.of({"regularizer": "label_mi", "seed": 2}, DEFAULTS)
    assert (config.learner, config.learner_options) == ("cnp", {"dim_r": 8})
    assert config.regularizer_options == {"label_mi.weight": 0.25}
    assert config.head_options == {"scale": 0.5} and config.task_options == {"shots": 3}
    assert (config.steps, config.seed) == (7, 2)
    other = Config.of({"learner": "maml", "head": "von_mises", "head.harmonics": 1}, DEFAULTS)
    assert other.learner_options == {"inner_lr": 0.5} and other.regularizer_options == {}
    assert other.head_options == {"knots": 60, "harmonics": 1}
    assert Config.of({"head": "circular"}, DEFAULTS).head_options == {"knots": 60}


@pytest.mark.parametrize(
    "given",
    [
        {"label_mi.weight": 1.0},
        {"regularizer_options": "weight=1"},
        {"regularizer_options": "label_mi.weight=1.0"},
        {"regularizer_options": {"weight": 1.0}},
    ],
)
def test_what_is_given_takes_the_place_of_a_default(given):
    config = Config.of({"regularizer": "label_mi", **given}, DEFAULTS)
    assert config.regularizer_options == {"label_mi.weight": 1.0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"zeal": 1}, "Unknown option 'zeal' of a run: expected one of task,"),
        ({"zeal.weight": 1}, "Unknown regularizer 'zeal'"),
        (
            {"learner.inner_lr": 0.5},
            "'inner_lr' has no effect with learner cnp: it is an option of",
        ),
        ({"mr_w.weight": 0.5}, "'weight' has no effect with regularizer none: it is an option of"),
        (
            {"task.shots": 2, "task_options": "shots=3"},
            "The option 'shots' of the task is given twice",
        ),
        (
            {"regularizer": "mr_w", "mr_w.weight": 0.5, "regularizer_options": "weight=1"},
            "The option 'mr_w.weight' of the regularizer is given twice",
        ),
        ({"task": "tea"}, "Unknown task 'tea': expected one of"),
        ({"task": "sinusiod"}, "; did you mean sinusoid or nme_sinusoid? One of your"),
        ({"learner": "mamll"}, "; did you mean maml or imaml?"),
        ({"head": "guassian"}, "; did you mean gaussian? One"),
        ({"lerner": "maml"}, "of a component; did you mean learner?"),
        ({"head": "tea"}, "Unknown head 'tea': expected one of"),
    ],
)
def test_what_is_given_and_has_no_effect_is_refused(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Config.of(given, DEFAULTS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 0}, "`steps`: expected int of at least 1, received 0"),
        ({"steps": "10"}, "`steps`: expected int of at least 1, received '10'"),
        ({"steps": True}, "`steps`: expected int of at least 1, received True"),
        ({"meta_batch_size": 1}, "`meta_batch_size`: expected int of at least 2, received 1"),
        ({"meta_lr": float("nan")}, "`meta_lr`: expected float of at least 0, received nan"),
        ({"meta_lr": float("inf")}, "`meta_lr`: expected float of at least 0, received inf"),
        ({"meta_lr": -1}, "`meta_lr`: expected float of at least 0, received -1"),
        ({"seed": -1}, "`seed`: expected int of at least 0 and at most 2147483647, received -1"),
        ({"meta_lr_decay": 1}, "`meta_lr_decay`: expected bool, received 1"),
        ({"task": None}, "`task`: expected str, received None"),
        ({"regularizer": ""}, "`regularizer`: expected names .* or none alone, received ''"),
        ({"regularizer": "none,mr_w"}, "or none alone, received 'none,mr_w'; leave out"),
        ({"regularizer": "mr_w,,mr_a"}, "or none alone, received 'mr_w,,mr_a'; leave out"),
        ({"learner_options": "inner_lr=nan"}, "`inner_lr`: expected float, received 'nan'"),
        (
            {"learner_options": "fomaml.inner_lr=3"},
            "no effect with learner maml: it is an option of fomaml, which is not chosen; leave it",
        ),
    ],
)
def test_a_value_that_no_run_has_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Config(**given)


@pytest.mark.parametrize("text", ["none", "None", ""])
def test_none_is_none_where_names_may_stand_too(text):
    config = Config(learner_options=f"adapt_only={text}")
    assert config.learner_options == {"adapt_only": None}
    assert Config(learner_options="adapt_only=a:b").learner_options == {"adapt_only": ("a", "b")}


RUNS = [
    {},
    {"learner": "cnp", "learner.hidden": (8, 4), "network.embedding": (8,), "task.told": True},
    {"task": "functions", "task.test_shape": "square", "task.test_phase": (0.0, 1.5)},
    {"task": "functions", "task.shape": "step", "learner.adapt_only": ("a", "b")},
    {"task": "clusters", "task.ways": 3, "learner": "matching", "learner.temperature": 0.3},
    {
        "task": "nme_sinusoid", "regularizer": "mr_w,mine,label_mi,weight_decay",
        "mine.bound": "js",
        "label_mi.weight": 0.1, "label_mi.cap": 3.0, "mr_w.layers": ("all",), "patience": 2,
        "weight_decay": 0.5, "weight_decay.weight": 0.25, "meta_lr_decay": True, "seed": 3,
    },
    {"head": "normal"},
    {"head": "normal", "head.scale": 0.25, "head.bounds": (-1.0, 1.0), "learner": "acnp"},
    {"head_options": "scale=0.25", "learner_options": "inner_lr=0.5; inner_steps=2"},
]  # fmt: skip


@pytest.mark.parametrize("given", RUNS)
def test_the_flags_of_a_run_make_the_same_run(given):
    """Typed on a command line, and from what its folder keeps."""
    config = Config.of(given)
    problem = config.make_problem()
    described = config.describe(problem)
    assert described == parsed(config.as_flags()).describe(problem)
    assert Config.of(config.dotted()) == config
    kept = Config(**described)
    assert kept.describe(problem) == described and kept.method_name() == config.method_name()
    assert Config.of(kept.dotted()).describe(problem) == described
    # All options are there, whether they were given or not.
    for registry, role in ((maml.TASKS, "task"), (maml.LEARNERS, "learner")):
        assert set(registry.options(getattr(config, role))) == set(described[f"{role}_options"])


def parsed(words, defaults=None):
    """The configuration of flags, as a command reads them."""
    given = dict(word.removeprefix("--").split("=", 1) for word in words)
    fields = inspect.signature(Config).parameters
    for name, text in given.items():
        kind = fields[name].annotation
        given[name] = {"True": True, "False": False}[text] if kind is bool else text
        if kind in (int, float):
            given[name] = kind(text)
    return Config.of(given, defaults)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"learner": "maml", "learner.inner_lr": 0.25},
        {"regularizer": "label_mi,mr_w", "mr_w.weight": 1.0, "steps": 20},
        {"head": "von_mises", "head.harmonics": 1},
        {"head": "normal", "head.scale": 0.25, "task.shots": 5},
    ],
)
def test_flags_leave_out_what_defaults_say(given):
    config = Config.of(given, DEFAULTS)
    words = config.as_flags(DEFAULTS)
    assert parsed(words, DEFAULTS) == config
    text = " ".join(words)
    assert "dim_r" not in text and "label_mi.weight" not in text and "knots" not in text
    assert ("--steps" in text) == ("steps" in given)
    # A preset may name another learner than a run without flags has.
    assert f"--learner={config.learner}" in words


@pytest.mark.slow
def test_the_command_in_results_repeats_the_run(tmp_path):
    """Word by word, as a user types it: the same options, scores and name."""
    config = toys.small(
        {"task": "nme_sinusoid", "learner": "cnp", "regularizer": "mr_a,label_mi"}
        | {"label_mi.weight": 0.25, "mr_a.weight": 0.01, "seed": 4, "meta_lr_decay": True}
    )
    record = training.run(config, tmp_path / "first", verbose=0, pictures=False)
    words = shlex.split(record["provenance"]["command"].replace("first", "second"))
    assert words[:3] == ["python", "-m", "maml.train"]
    process = commands.run("maml.train", *words[3:], cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    again = read_results(tmp_path / "second")
    assert again["config"] == record["config"] and again["method"] == record["method"]
    assert again["provenance"]["command"] == shlex.join(words)
    for split, scores in record["scores"].items():
        for name, score in scores.items():
            # Commands rewrite graphs, which these tests do not: the last digits differ.
            assert again["scores"][split][name]["mean"] == pytest.approx(
                score["mean"], rel=1e-3, abs=1e-4
            )


@pytest.mark.parametrize(
    ("head", "name", "value"), [("circular", "period", 10.0), ("categorical", "classes", 3)]
)
def test_a_head_has_what_the_labels_do_not_say_from_its_options(head, name, value):
    with pytest.raises(ValueError, match=f"received '{head}' without {name}; .*_options={name}="):
        made(Config(head=head))
    given = Config(head=head, head_options=f"{name}={value}")
    assert getattr(made(given).head, name) == value
    assert given.describe(given.make_problem())["head_options"][name] == value


def test_a_head_has_what_the_labels_say(tmp_path):
    given = {"task": "clusters", "learner": "cnp", "task.ways": 3}
    made(Config.of(given | {"head.classes": 3}))
    with pytest.raises(ValueError, match="`classes` of the head .*: expected 3, .* received 4"):
        made(Config.of(given | {"head.classes": 4}))


# -- components of one's own ----------------------------------------------------------------------

OWN = '''
import dataclasses
import keras
import tensorflow as tf
import maml
from maml.core.registry import HEADS


@maml.LEARNERS.register("nearest")
class NearestLabel(maml.MetaLearner):
    """Answers with a kernel mean of the support labels."""

    network_kind, title = "embedding", "nearest label"

    def __init__(self, embedding, head, width: float = 1.0, **kwargs):
        super().__init__(head, **kwargs)
        self.embedding, self.width = embedding, width

    def embed(self, x):
        return maml.per_input(self.embedding, x)

    def encode(self, x, y, training=False):
        return x, y

    def decode(self, state, x):
        far = tf.reduce_sum((x[:, :, None] - state[0][:, None]) ** 2, -1) / self.width
        return self.head(tf.matmul(tf.nn.softmax(-far), state[1]))

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, 1, 8]), tf.zeros([batch_size, 1, 1])


@maml.REGULARIZERS.register("small_answers", short="small")
class SmallAnswers(maml.Regularizer):
    title, metric_names = "small answers", ("answer_size",)

    def __init__(self, weight: float = 0.5, **kwargs):
        super().__init__(**kwargs)
        self.weight = weight

    def term(self, learner, episode, features, prediction, seed, training):
        size = tf.reduce_mean(prediction.mean() ** 2)
        return self.weight * size, {"answer_size": size}


@HEADS.register("wide")
@keras.saving.register_keras_serializable("own")
class Wide(maml.NormalHead):
    def __init__(self, dim: int = 1, scale: float = 0.5, factor: float = 2.0):
        super().__init__(dim, scale)
        self.factor = factor

    def __call__(self, outputs):
        return super().__call__(self.factor * outputs)


@maml.TASKS.register("steep")
def steep(shots: int = 3, queries: int = 4, steepness: float = 2.0):
    """Sinusoids of a greater amplitude."""
    problem = maml.TASKS.make("functions", shots, queries, amplitude=(steepness, 2 * steepness))
    return dataclasses.replace(problem, description="steep sinusoids")
'''


@pytest.mark.slow
def test_one_file_brings_a_learner_a_regularizer_a_task_and_a_head(tmp_path):
    (tmp_path / "own_parts.py").write_text(OWN)
    flags = [
        "--import=own_parts.py", "--task=steep", "--learner=nearest", "--regularizer=small",
        "--head=wide", "--task_options=steepness=3", "--learner_options=width=0.5",
        "--regularizer_options=weight=0.25", "--head_options=factor=1.5;scale=0.25",
        "--network_options=embedding=8", "--steps=2", "--meta_batch_size=4", "--num_test_tasks=4",
        "--num_validation_tasks=4", "--num_validation_batches=1", "--logdir=run", "--shots=2",
    ]  # fmt: skip
    process = commands.run("maml.train", *flags, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    record = read_results(tmp_path / "run")
    assert record["method"] == "nearest label + small answers (λ = 0.25)"
    config = record["config"]
    assert config["regularizer"] == "small_answers"
    assert config["task_options"] == {"shots": 2, "queries": 4, "steepness": 3.0}
    assert config["learner_options"] == {"width": 0.5}
    assert config["regularizer_options"] == {"small_answers.weight": 0.25}
    assert config["head_options"] == {"scale": 0.25, "factor": 1.5}
    assert record["terms"]["answer_size"] > 0
    again = commands.run(
        "maml.train", "--import=own_parts.py", "--mode=test", "--logdir=run", cwd=tmp_path
    )
    assert again.returncode == 0, again.stderr
    assert str(maml.MemorizationReport(**record["diagnosis"])) in again.stdout
    # Without the file, and with an option of another.
    for words, told in (
        (flags[1:], "Unknown learner 'nearest': expected one of"),
        ([flags[0], "--learner_options=width=1"], "it is an option of tnp, nearest;"),
    ):
        process = commands.run("maml.train", *words, cwd=tmp_path)
        assert process.returncode == 1 and told in process.stderr
        assert "Traceback" not in process.stderr


def install(folder, monkeypatch, entry, module):
    """Installs a package for one test: a module, and a distribution with an entry point for it."""
    for name in ("parts", "added_parts-1.0.dist-info"):
        (folder / name).mkdir()
    (folder / "parts/__init__.py").write_text("")
    (folder / "added_parts.py").write_text(module)
    info = folder / "added_parts-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: added-parts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[parts]\n{entry}\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "added_parts", raising=False)
    monkeypatch.delitem(sys.modules, "parts", raising=False)
    importlib.invalidate_caches()


def test_other_packages_add_components_by_entry_points(tmp_path, monkeypatch):
    """As an installed package does: a distribution with an entry point, and nothing imported."""
    module = (
        "from test_options import ADDED\n\n"
        "@ADDED.register('added')\n"
        "def added(size: int = 2): ...\n"
    )
    install(tmp_path, monkeypatch, "added = added_parts", module)
    monkeypatch.setitem(sys.modules, "test_options", sys.modules[__name__])
    assert "added_parts" not in sys.modules and ADDED.package == "parts"
    assert list(ADDED) == ["added"] and ADDED.options("added") == ["size"]
    with pytest.raises(ValueError, match="Unknown part 'lost': expected one of added"):
        ADDED["lost"]
    groups = {registry.package or f"maml.{folder}" for registry, folder in (
        (maml.LEARNERS, "learners"), (maml.REGULARIZERS, "regularizers"), (maml.TASKS, "tasks"),
    )}  # fmt: skip
    assert groups == {"maml.learners", "maml.regularizers", "maml.tasks"}


ADDED = Registry("part", "parts")


def test_a_name_is_taken_once():
    registry = Registry("part")
    registry.register("one")(slow)
    registry.register("one")(slow)  # As a notebook's cell that runs again.
    with pytest.raises(ValueError, match="The part name 'one' is taken by another class"):
        registry.register("one")(fast)


def test_an_entry_point_may_name_a_class_that_has_no_name(tmp_path, monkeypatch):
    module = "class Zoo:\n    def __init__(self, size: int = 2): ...\n"
    install(tmp_path, monkeypatch, "zoo = added_parts:Zoo", module)
    registry = Registry("part", "parts")
    assert list(registry) == ["zoo"] and registry.options("zoo") == ["size"]


@pytest.mark.parametrize("module", ["import nowhere", "1 / 0", "class Other: ..."])
def test_an_entry_point_that_cannot_be_loaded_is_told_each_time(module, tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "zoo = added_parts:Zoo", module)
    registry = Registry("part", "parts")
    for _ in range(2):
        with pytest.raises(ValueError, match="Invalid entry point 'zoo' of added-parts: expected"):
            list(registry)


def test_no_class_takes_the_place_of_one_of_the_library():
    """Of the same name or not, before the library was looked through or after."""
    for module in ("elsewhere", "__main__"):
        same = type("MRW", (), {"__module__": module})
        with pytest.raises(ValueError, match="'mr_w' is taken by another class, maml.regularizers"):
            Registry.register(maml.REGULARIZERS, "mr_w")(same)
    fresh = Registry("regularizer", "maml.regularizers")
    fresh._found = dict(maml.REGULARIZERS._entries)
    with pytest.raises(ValueError, match="'mr_w' is taken by another class"):
        fresh.register("mr_w")(slow)
    for names in (("mine",), ("other", "mine"), ("other", "mr_w")):
        with pytest.raises(ValueError, match="is taken by another class"):
            maml.REGULARIZERS.register(*names)(type("Own", (), {}))
    assert maml.REGULARIZERS["mr_w"] is maml.MRW and "other" not in maml.REGULARIZERS


def test_a_class_of_a_notebook_may_come_from_a_file_later():
    registry = Registry("part")
    registry.register("one")(type("One", (), {"__module__": "__main__"}))
    moved = registry.register("one")(type("One", (), {"__module__": "parts_of_mine"}))
    assert registry["one"] is moved


@pytest.mark.parametrize("learner", ["maml", "cnp"])
@pytest.mark.parametrize("option", ["hidden", "embedding"])
def test_layers_without_units_are_refused_by_the_name_of_the_option(learner, option):
    if (learner, option) in (("maml", "embedding"), ("cnp", "hidden")):
        pytest.skip("an option of the other network")
    for units in ((-4,), (9, 0)):
        with pytest.raises(ValueError, match=f"`{option}`: expected a whole number, 1 or more"):
            made(Config.of({"learner": learner, f"network.{option}": units}))
