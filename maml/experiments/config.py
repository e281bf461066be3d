"""The configuration of one training run: what is trained on what, and the run's own numbers.

Options of components belong to the components (:mod:`maml.core.options`); a run holds those that
were given, by role. In Python, tables of studies and presets, an option has a dotted name::

    Config.of({"task": "sinusoid", "learner": "maml", "learner.inner_lr": 0.4, "task.shots": 5})

``task``, ``learner``, ``network`` and ``head`` are roles; an option of a regularizer is written
with the regularizer's name, such as ``label_mi.weight``.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from maml.core import options
from maml.core.fields import check_fields, component_options, option
from maml.core.registry import (
    HEADS,
    LEARNERS,
    OUTER,
    REGULARIZERS,
    TASKS,
    full_names,
    idle_network_options,
    make_learner,
    with_critics,
)
from maml.core.roles import ROLES, as_mapping, by_role, with_effect, with_names
from maml.tasks.problem import Problem
from mine.reporting.flag_words import MOST_SEED
from mine.reporting.words import guess

LOCATIONS = ("data", "data_dir", "extra_data_dir")
"""Options of tasks that say where data is: a run is told from others by the data itself."""


@dataclasses.dataclass(frozen=True)
class Config:
    """One training run. Each field is a flag of ``maml.train``.

    Options may be text, as of a flag, or a mapping of values; they are checked here.

    Raises:
        ValueError: there is no such component, an option has no effect, or a value is invalid.
    """

    task: str = option("sinusoid", "The tasks; python -m maml.components lists all, with options.")
    task_options: Mapping = component_options("task")
    learner: str = option(
        "maml", "The meta-learner; python -m maml.components lists all, with options."
    )
    learner_options: Mapping = component_options("learner")
    regularizer: str = option(
        "none", "Meta-regularizers, with commas between them; python -m maml.components lists all."
    )
    regularizer_options: Mapping = component_options("regularizer")
    network_options: Mapping = component_options("network")
    head: str = option(
        "", "The predictive distribution, in place of the task's own: circular, normal, ..."
    )
    head_options: Mapping = component_options("head")
    outer: str = option("adam", "The meta-optimizer: adam; of policies also trpo or promp.")
    outer_options: Mapping = component_options("outer", "meta-optimizer")
    seed: int = option(
        0, "Seed of weights, episodes and everything else that is random.", at_most=MOST_SEED
    )
    meta_batch_size: int = option(25, "Tasks of a training step.", at_least=2)
    steps: int = option(10_000, "Training steps.", at_least=1)
    steps_per_epoch: int = option(
        500, "Training steps between checkpoints and validations.", at_least=1
    )
    meta_lr: float = option(1e-3, "Learning rate of the learner (Adam).")
    meta_lr_decay: bool = option(False, "Whether meta_lr falls to 0 along a cosine.")
    weight_decay: float = option(0.0, "Decoupled weight decay (AdamW), times meta_lr in each step.")
    critic_lr: float = option(1e-3, "Learning rate of critics (Adam).")
    patience: int = option(
        0, "Early-stopping patience in epochs; restores the best weights. 0 disables it."
    )
    num_validation_batches: int = option(
        10, "Batches of tasks that are scored of each split after each epoch.", at_least=1
    )
    num_validation_tasks: int = option(
        600, "Validation tasks in the final scores, and as many training tasks.", at_least=2
    )
    num_test_tasks: int = option(600, "Test tasks in the final scores.", at_least=2)
    episodes_per_task: int = option(
        1, "Episodes of each task in the final scores; a tenth for training tasks.", at_least=1
    )
    eval_batch_size: int = option(0, "Tasks that are scored at once; 0: meta_batch_size.")
    num_relabelings: int = option(
        8, "Relabeled support sets from which label information is estimated.", at_least=2
    )
    information_every: int = option(
        1, "Estimate label information on every k-th evaluation batch only.", at_least=1
    )

    _preset: ClassVar[frozenset[str]] = frozenset()
    _idle: ClassVar[frozenset[str]] = frozenset()
    """Options that :meth:`of` took from defaults: they may have no effect."""

    def __post_init__(self):
        names = full_names(self.regularizer)
        object.__setattr__(self, "regularizer", ",".join(names) or "none")
        check_fields(self)
        for role in ROLES:
            given = as_mapping(getattr(self, f"{role}_options"))
            given = with_names(given, names) if role == "regularizer" else given
            object.__setattr__(self, f"{role}_options", given)
        self._choose("task", [self.task], TASKS)
        self._choose("learner", [self.learner], LEARNERS)
        self._leave_untrained(names)
        self._choose("outer", [self.outer], OUTER)
        self._choose("regularizer", names, REGULARIZERS)
        if self.head:
            self._choose("head", [self.head], HEADS)

    def _leave_untrained(self, regularizers):
        """One step for exact learners, which have no weights: it changes nothing."""
        if LEARNERS[self.learner].network_kind != "prior":
            return
        beside = f"learner {self.learner}, which has no weights to train"
        if regularizers:
            raise options.no_effect("regularizer", self.regularizer, beside)
        if self.steps not in (1, type(self).steps):
            raise options.no_effect("steps", self.steps, beside)
        object.__setattr__(self, "steps", 1)

    def _choose(self, role, names, registry):
        for name in names:
            registry[name]  # Refuses a name that is none.
        entries = {name: registry[name] for name in registry}
        given = getattr(self, f"{role}_options")
        chosen = options.choose(role, names, entries, given)
        if role == "regularizer":
            found = {f"{of}.{key}": v for of, own in chosen.items() for key, v in own.items()}
        else:
            found = chosen[names[0]]
        object.__setattr__(self, f"{role}_options", found)

    # -- what was chosen -----------------------------------------------------------------------

    @property
    def regularizers(self) -> dict[str, dict]:
        """Name of each regularizer -> the options that were given to it."""
        chosen: dict[str, dict] = {name: {} for name in full_names(self.regularizer)}
        for key, value in self.regularizer_options.items():
            name, _, key = key.rpartition(".")
            chosen[name][key] = value
        return chosen

    def epoch_steps(self) -> int:
        """Training steps of an epoch.

        Raises:
            ValueError: the steps are not a whole number of epochs.
        """
        per_epoch = min(self.steps_per_epoch, self.steps)
        if self.steps % per_epoch:
            raise ValueError(
                f"Invalid value for `steps`: expected a multiple of {per_epoch}, the steps of an "
                f"epoch (--steps_per_epoch); received {self.steps}."
            )
        return per_epoch

    def make_problem(self):
        """The tasks and what fits them, a :class:`maml.Problem`.

        Raises:
            ValueError: an option of the tasks, the networks or the head has no meaning.
        """
        problem = TASKS.make(self.task, **self.task_options)
        if not isinstance(problem, Problem):
            raise ValueError(
                f"Invalid task {self.task!r}: expected a function that returns a maml.Problem; "
                f"received one that returns a value of type {type(problem).__name__}."
            )
        self._network_and_head_options(problem)  # Refuses what these tasks do not have.
        return problem

    def _network_and_head_options(self, problem) -> tuple[dict, dict]:
        """Options of the networks and of the head, read and checked."""
        task, head = self.task, problem.head_class(self.head)
        name = self.head or head.__name__
        networks = {task: problem.build_networks}
        of_networks = options.choose("networks of task", [task], networks, self.network_options)
        of_head = options.choose("head", [name], {name: head}, self.head_options)
        return of_networks[task], of_head[name]

    def _check_outer(self, problem):
        """Refuses meta-optimizers of policies elsewhere, and options of Adam beside them."""
        if self.outer == type(self).outer:
            return
        if not problem.train.on_policy:
            raise options.no_effect("outer", self.outer, f"task {self.task}, which has no policies")
        for name in ("meta_lr", "meta_lr_decay", "weight_decay"):
            value = getattr(self, name)
            if value != getattr(type(self), name) and name not in self._preset:
                raise options.no_effect(name, value, f"outer {self.outer}, which is not Adam")

    def make_learner(self, problem):
        """The untrained learner of this run, for a problem of :meth:`make_problem`.

        Raises:
            ValueError: a component refuses an option.
        """
        of_networks, of_head = self._network_and_head_options(problem)
        build, extra = problem.build_networks, {"seed": self.seed}
        extra["norm_steps"] = self.learner_defaults().get("inner_steps", 1)
        taken = options.parameters(build)
        extra = {name: value for name, value in extra.items() if name in taken}
        terms = []
        for name, own in self.regularizers.items():
            given = {"label_transform": problem.label_transform, "seed": self.seed}
            known = options.parameters(REGULARIZERS[name])
            if problem.label_transform is None and "label_transform" in known:
                raise ValueError(
                    "Invalid value for `regularizer`: expected one that does not relabel tasks, as "
                    f"{self.task} has no relabeling; received {name}. Use action_mi or mr_w."
                )
            given = {key: value for key, value in given.items() if key in known}
            terms.append(REGULARIZERS.make(name, **given, **own))
        head = problem.make_head(self.head, **of_head)
        for term in terms:
            term.check_head(head)
        learner = make_learner(
            self.learner,
            build(**extra, **of_networks),
            head,
            regularizers=[*problem.augmentations, *terms],
            seed=self.seed,
            initializer_seed=self.seed,
            **self.learner_options,
        )
        head.check_learner(learner)
        self._check_outer(problem)
        idle = idle_network_options(build, extra, of_networks, self.learner, head.units)
        for name in (name for name in idle if f"network.{name}" not in self._preset):
            beside = f"the networks of learner {self.learner}"
            raise options.no_effect(name, of_networks[name], beside)
        object.__setattr__(self, "_idle", frozenset(idle))
        asked = self.critic_lr != type(self).critic_lr and "critic_lr" not in self._preset
        if asked and not any(term.has_critic for term in terms):
            beside = f"regularizer {self.regularizer}, which has no critic ({with_critics()} have)"
            raise options.no_effect("critic_lr", self.critic_lr, beside)
        return learner

    def learner_defaults(self) -> dict:
        """All options of the learner: those given, and the defaults of the others."""
        return options.defaults_of(LEARNERS[self.learner]) | dict(self.learner_options)

    def describe(self, problem) -> dict:
        """Every option of the run, its default included, as JSON holds it."""
        content = dataclasses.asdict(self)
        of_networks, of_head = self._network_and_head_options(problem)
        head = problem.make_head(self.head, **of_head)
        content["task_options"] = options.defaults_of(TASKS[self.task]) | dict(self.task_options)
        content["learner_options"] = self.learner_defaults()
        content["outer_options"] = options.defaults_of(OUTER[self.outer]) | dict(self.outer_options)
        content["network_options"] = options.defaults_of(problem.build_networks) | of_networks
        given = set(getattr(type(head), "given_by_problem", ())) - of_head.keys()
        content["head_options"] = {
            name: getattr(head, name)
            for name in options.options_of(type(head))
            if name not in given
        }
        content["regularizer_options"] = {
            f"{name}.{key}": value
            for name, own in self.regularizers.items()
            for key, value in (options.defaults_of(REGULARIZERS[name]) | own).items()
        }
        return json.loads(json.dumps(content))

    # -- dotted options ------------------------------------------------------------------------

    @classmethod
    def of(cls, given: Mapping[str, Any], defaults: Mapping[str, Any] | None = None):
        """A configuration from options with dotted names.

        Args:
            given: fields, and options of the chosen components.
            defaults: the same, for what is not given. Options of components that are not chosen
                are left out.

        Raises:
            ValueError: as of the class, or a name is not known.
        """
        fields = [field.name for field in dataclasses.fields(cls)]
        chosen = {k: v for k, v in (defaults or {}).items() if k in fields}
        steps = chosen.pop("steps", cls.steps)
        chosen |= {k: v for k, v in given.items() if k in fields}
        if LEARNERS[chosen.get("learner", cls.learner)].network_kind != "prior":
            chosen.setdefault("steps", steps)
        dotted = {k: v for k, v in given.items() if k not in fields}
        if unknown := [k for k in [*dotted, *(defaults or {})] if "." not in k and k not in fields]:
            raise ValueError(
                f"Unknown option {unknown[0]!r} of a run: expected one of {', '.join(fields)}, or "
                f"ROLE.NAME for an option of a component{guess(unknown[0], fields)}"
            )
        asked = by_role(dotted)
        own_head = not (defaults or {}).get("head") and not chosen.get("head")
        further = by_role(
            {
                key: value
                for key, value in (defaults or {}).items()
                if "." in key and (cls._takes(chosen, key) or own_head and key.startswith("head."))
            }
        )
        for role in ROLES:
            field = f"{role}_options"
            typed = as_mapping(chosen.get(field, {}))
            if role == "regularizer":
                typed = with_names(typed, full_names(chosen.get(role, cls.regularizer)))
            for name in asked[role].keys() & typed.keys() if field in given else ():
                raise ValueError(f"The option {name!r} of the {role} is given twice: give it once.")
            own = asked[role] | typed
            names = {
                "learner": [chosen.get("learner", cls.learner)],
                "regularizer": full_names(chosen.get("regularizer", cls.regularizer)),
            }
            chosen[field] = with_effect(role, names.get(role, ()), further[role], own) | own
        config = cls(**chosen)
        preset = frozenset(defaults or ()) - given.keys()
        preset -= {f"network.{name}" for name in as_mapping(given.get("network_options", {}))}
        object.__setattr__(config, "_preset", preset)
        return config

    @classmethod
    def _takes(cls, chosen: Mapping, key: str) -> bool:
        """Whether one of the chosen components takes a dotted option."""
        role, _, name = key.partition(".")

        def takes(component: Callable) -> bool:
            return name in options.options_of(component)

        registries = {"task": TASKS, "learner": LEARNERS, "outer": OUTER}
        if role in registries:
            return takes(registries[role][chosen.get(role, getattr(cls, role))])
        if role == "head":
            return bool(chosen.get("head")) and takes(HEADS[chosen["head"]])
        if role == "network":
            return True
        full = REGULARIZERS.full_name(role)
        names = full_names(chosen.get("regularizer", cls.regularizer))
        return full in names and takes(REGULARIZERS[full])

    def dotted(self) -> dict[str, object]:
        """The options that were given, and fields that are not at their defaults."""
        found: dict[str, object] = {}
        for field in dataclasses.fields(self):
            value, role = getattr(self, field.name), field.name.removesuffix("_options")
            if role != field.name:
                prefix = "" if role == "regularizer" else f"{role}."
                found |= {f"{prefix}{key}": of for key, of in value.items()}
            elif value != field.default:
                found[field.name] = value
        return found

    def identity(self, *left_out: str) -> str:
        """What identifies a run, wherever its data is: options that are not at their defaults."""
        without = {*left_out, *(f"task.{name}" for name in LOCATIONS)}
        own = {k: v for k, v in self.dotted().items() if k not in without}
        return json.dumps(own, sort_keys=True)

    def as_flags(self, defaults: Mapping[str, object] | None = None) -> list[str]:
        """The flags that make this configuration, where ``defaults`` are those of a preset."""
        roles = ("task", "learner", "outer", "regularizer")
        components = {name: getattr(self, name) for name in roles}
        standard = type(self).of(components, defaults)
        own_head = type(self).of(components | {"head": self.head}, defaults)
        # A preset may have another learner than a run without flags.
        always = ("task", "learner") if defaults else ("task",)
        words = [
            f"--{name}={value}"
            for name, value in components.items()
            if value != getattr(type(self), name) or name in always
        ]
        for field in dataclasses.fields(self):
            value, plain = getattr(self, field.name), getattr(standard, field.name)
            if field.name == "head_options":
                plain = own_head.head_options
            if field.name.endswith("_options"):
                left_out = self._idle if field.name == "network_options" else ()
                changed = {k: v for k, v in value.items() if plain.get(k, self) != v}
                other = {k: v for k, v in changed.items() if k not in left_out}
                typed = ";".join(f"{k}={options.typed(v)}" for k, v in other.items())
                words += [f"--{field.name}={typed}"] if other else []
            elif value != plain:
                words.append(f"--{field.name}={value}")
        return words

    def method_name(self) -> str:
        """What the run is called in tables: the learner, and each regularizer with its strength."""
        names = [LEARNERS[self.learner].table_name()]
        for name, own in self.regularizers.items():
            entry = REGULARIZERS[name]
            names.append(entry.table_name(**(options.defaults_of(entry) | own)))
        return " + ".join(names)
