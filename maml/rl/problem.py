"""Problems of reinforcement learning, for the one training routine of the library."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence

import keras
import numpy as np

from maml.core import options
from maml.core.checks import check_finite, check_whole
from maml.core.metrics import Metric
from maml.core.registry import TASKS
from maml.rl.environment import Environment
from maml.rl.evaluator import RETURN, PolicyEvaluator
from maml.rl.family import REDRAWS, PolicyTasks
from maml.rl.plots import draw_paths
from maml.rl.policies import PolicyHead, policy_networks
from maml.tasks.problem import TEST, TRAIN, VALIDATION, Problem
from mine.reporting import mean_interval
from mine.reporting.processes import resources

MANY = 10_000
"""Training tasks where their number is not limited."""


STEP = 64
"""Bytes of a step of a trajectory, at least: eight numbers."""

FEW = 4
"""Different tasks, at most, that are also reported one by one."""


class SamplingTime(keras.callbacks.Callback):
    """Adds to the logs how many seconds of a training step were taken by acting.

    Args:
        family: the training tasks.
        steps_per_epoch: training steps of an epoch.
    """

    def __init__(self, family: PolicyTasks, steps_per_epoch: int):
        super().__init__()
        self._family, self._steps = family, steps_per_epoch

    def on_epoch_begin(self, epoch, logs=None):
        self._before, self._seconds = self._family.sampling_seconds, None

    def on_test_begin(self, logs=None):
        self._seconds = self._family.sampling_seconds - self._before

    def on_epoch_end(self, epoch, logs=None):
        taken = self._seconds
        if taken is None:  # There was no validation by Keras, which acts, too.
            taken = self._family.sampling_seconds - self._before
        logs["sampling_seconds_per_step"] = taken / self._steps


@dataclasses.dataclass(frozen=True)
class PolicyProblem(Problem):
    """Tasks to act in.

    Attributes:
        adaptations: how often the final scores let a policy adapt, each time to new trajectories.
        later_rates: factors of the inner rate after the first adaptation; of several, the final
            scores take the one with the largest last return on validation tasks.
    """

    adaptations: int = 3
    later_rates: Sequence[float] = (0.5,)
    monitored: tuple[str, ...] = ("train",)

    def evaluator(self, learner, information_every: int = 1, num_relabelings: int = 8):
        """Scores a learner, which from now on acts in all tasks of this problem."""
        self._let_act(learner)
        return PolicyEvaluator(learner, self.metrics, num_relabelings)

    def callbacks(self, steps_per_epoch):
        return [SamplingTime(self.train, steps_per_epoch)]

    def summarize(self, scores, family):
        """As of any problem; where there are few different tasks, the returns of each, too."""
        record = super().summarize(scores, family)
        tasks = family.tasks[family.spaced(len(scores[RETURN]))]
        different = np.unique(tasks, axis=0)
        if len(different) <= FEW:
            for task in different:
                own = np.all(tasks == task, axis=1)
                name = "_".join(f"{number:g}" for number in task)
                for score in (RETURN, f"no_support_{RETURN}"):
                    values = scores[score][own].mean(axis=(1, 2))
                    record[f"{score}_of_{name}"] = mean_interval(values)
        return record

    def _let_act(self, learner):
        self.train.policy = learner
        for family in self.families.values():
            family.share_policy(self.train)

    def draw(self, learner, history, record, folder):
        """Draws paths, of environments whose states are points of the plane."""
        if getattr(self.test.environment, "in_the_plane", False):
            self._let_act(learner)
            draw_paths(self.test, folder / "paths.png")

    def further_scores(self, score: Callable) -> dict:
        """Returns on test tasks after each of several adaptations, and the rate of the later."""
        if self.adaptations < 2:
            return {}
        evaluator = PolicyEvaluator(self.test.policy, self.metrics, 2, self.adaptations)

        def scored(family, rate):
            evaluator.later_rate = rate
            return evaluator(family, 1, 20, 1, min(40, family.num_tasks))

        last = f"after_{self.adaptations}_{RETURN}"
        rate, *others = rates = tuple(np.atleast_1d(self.later_rates))
        if others:
            rate = max(rates, key=lambda each: scored(self.validation, each)[last].mean())
        values = scored(self.test, rate)
        names = {f"no_support_{RETURN}": 0, RETURN: 1} | {
            f"after_{k}_{RETURN}": k for k in range(2, self.adaptations + 1)
        }
        return {
            "later_rate": float(rate),
            "returns_after": {
                str(k): mean_interval(values[name].mean(axis=(1, 2))) for name, k in names.items()
            },
        }


def policy_problem(
    environment: Environment,
    trajectories: int = 20,
    train_tasks: int | None = None,
    test_tasks: int = 100,
    code: int = 0,
    redraw: str = REDRAWS[0],
    told: bool = False,
    told_noise: float = 0.0,
    discount: float = 0.99,
    trace: float = 1.0,
    adaptations: int = 3,
    later_rates: Sequence[float] = (0.5,),
) -> PolicyProblem:
    """The problem of acting in an environment; the options of every task of this kind.

    Args:
        environment: what is acted in.
        trajectories: of a task, before adaptation and after it.
        train_tasks: number of training tasks; None, or 0 as of other tasks, for 10,000.
        test_tasks: number of validation tasks, and of test tasks.
        code: size of a code in observations that names the task, so that it can be memorized.
        redraw: when training codes are drawn anew, see :class:`maml.rl.family.PolicyTasks`.
        told: whether observations hold the task itself, in all splits: an oracle.
        told_noise: deviation of noise in what is told, drawn once for each task.
        discount: gamma.
        trace: lambda of generalized advantages.
        adaptations: as of :class:`PolicyProblem`.
        later_rates: as of :class:`PolicyProblem`; half in Finn et al. 2017, appendix A.2.

    Raises:
        ValueError: a number has no meaning, or an option has no effect.
    """
    sizes = {"trajectories": trajectories, "horizon": environment.horizon}
    largest = max(sizes, key=lambda name: sizes[name])
    resources.require(largest, sizes[largest], STEP * float(trajectories) * environment.horizon)
    if redraw != REDRAWS[0] and not code:
        raise options.no_effect("redraw", redraw, "code 0")
    if told_noise and not told:
        raise options.no_effect("told_noise", told_noise, "told false")
    check_whole(0, adaptations=adaptations)
    if not np.size(later_rates):
        raise ValueError("Invalid value for `later_rates`: expected a factor or more; received ().")
    for rate in np.atleast_1d(later_rates):
        check_finite(least=0, later_rates=rate)

    def tasks(count, split, **options):
        return PolicyTasks(
            environment, count, split, trajectories, discount, trace, code, told=told,
            noise=told_noise, **options,
        )  # fmt: skip

    train = tasks(train_tasks or MANY, TRAIN, redraw=redraw)
    test = tasks(test_tasks, TEST)
    optimum = environment.optimum(test.tasks)

    def build_networks(
        hidden: Sequence[int] | None = (64, 64),
        activation: str = "tanh",
        deviation: float = 1.0,
        bias: bool = True,
        seed: int = 0,
    ):
        return policy_networks(
            train.observation_dim, environment.discrete, hidden, activation, deviation, bias, seed
        )

    return PolicyProblem(
        description=(inspect.getdoc(environment) or "").partition("\n")[0],
        train=train,
        validation=tasks(test_tasks, VALIDATION),
        test=test,
        head=PolicyHead(environment.action_dim, environment.discrete, environment.horizon),
        build_networks=build_networks,
        label_transform=None,
        metrics=(Metric(RETURN, _no_label, True, best=float(np.mean(optimum))),),
        mutually_exclusive=not (code or told),
        adaptations=adaptations,
        later_rates=later_rates,
    )


def _no_label(prediction, y):
    raise ValueError("A return is no score of single answers: it is read by PolicyEvaluator.")


def register(name: str, **defaults):
    """A decorator that registers an environment as a task.

    The task has the options of the environment's constructor, and those of
    :func:`policy_problem`.

    Args:
        name: of the task.
        **defaults: in place of those of :func:`policy_problem`.
    """
    common = list(inspect.signature(policy_problem).parameters.values())[1:]
    common = [p.replace(default=defaults.get(p.name, p.default)) for p in common]

    def enter(environment: type[Environment]):
        own = [
            parameter.replace(kind=parameter.KEYWORD_ONLY)
            for parameter in options.parameters(environment).values()
        ]
        names = {parameter.name for parameter in own}
        every = [*own, *(p.replace(kind=p.KEYWORD_ONLY) for p in common)]

        def make(**given) -> PolicyProblem:
            chosen = {key: value for key, value in given.items() if key in names}
            others = {key: value for key, value in given.items() if key not in names}
            return policy_problem(environment(**chosen), **defaults | others)

        make.__doc__, make.__module__ = environment.__doc__, environment.__module__
        make.__name__ = make.__qualname__ = name
        make.__signature__ = inspect.Signature(every)
        TASKS.register(name)(make)
        return environment

    return enter
