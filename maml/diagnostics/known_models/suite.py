"""The known models: what each is, and what a report should say of it."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator

from maml.diagnostics import verdict as verdicts
from maml.diagnostics.known_models import regression
from maml.diagnostics.known_models.classification import Classification
from maml.diagnostics.known_models.regression import Regression, mixture, noisy

SHARES = (0.3, 0.5, 0.7)
"""Of mixtures of a learner and a memory."""


@dataclasses.dataclass(frozen=True)
class KnownModel:
    """A model, its tasks, and its nature.

    Attributes:
        name: unique.
        family: of the tasks; thresholds are set on some families and checked on the others.
        tasks: with ``training(count, seed)`` and ``new(count, seed)``.
        predict: the model.
        nature: the verdict that is right.
        share: of the learner in a mixture.
        options: of :func:`maml.diagnostics.memorization_report`.
    """

    name: str
    family: str
    tasks: Regression | Classification
    predict: Callable
    nature: str
    share: float | None = None
    options: dict = dataclasses.field(default_factory=dict)


def known_models() -> list[KnownModel]:
    """All of them, in a fixed order."""
    models = [*_regression(), *_classification()]
    names = [model.name for model in models]
    if len(set(names)) != len(names):
        raise ValueError("Known models share a name.")
    return models


def _regression() -> Iterator[KnownModel]:
    settings = itertools.product(regression.FEATURES, (0.05, 0.3), (4, 8), (0.01, 100.0))
    for number, (family, noise, memorized, unit) in enumerate(settings):
        tasks = Regression(
            family, noise, shots=24, training_tasks=memorized, unit=unit, seed=number
        )
        named = f"{family}, noise {noise:g}, {memorized} tasks, unit {unit:g}"
        # Of these tasks only polynomials have an intercept.
        shifted = "offset" if family == "polynomials" else "scale"
        options = {"relabel": ("scale", None, shifted)[number % 3]}

        def known(title, predict, nature, share=None, *, tasks=tasks, named=named, family=family,
                  options=options, **more):  # fmt: skip
            return KnownModel(
                f"{title}; {named}", family, tasks, predict, nature, share, options | more
            )

        yield known("ridge", tasks.ridge, verdicts.ADAPTS)
        yield known(
            "ridge with deviation",
            regression.with_deviation(tasks.ridge, 0.2 * unit),
            verdicts.ADAPTS,
            output="mean_std",
        )
        yield known("noisy ridge", noisy(tasks.ridge, 0.4 * unit), verdicts.ADAPTS)
        yield known("biased ridge", noisy(tasks.ridge, 0, 0.4 * unit), verdicts.ADAPTS)
        yield known("posterior over training tasks", tasks.posterior, verdicts.LEARNER)
        yield known("look-up by the query's code", tasks.look_up, verdicts.MEMORIZATION)
        yield known(
            "look-up by the support's code", tasks.look_up_of_support, verdicts.MEMORIZATION
        )
        yield known(
            "sampled look-up",
            regression.sampled(tasks.look_up, 0.2 * unit),
            verdicts.MEMORIZATION,
            output="samples",
        )
        yield known("constant", tasks.constant, verdicts.UNTRAINED)
        yield known("noise", noisy(tasks.constant, 0.5 * unit), verdicts.UNTRAINED)
        share = SHARES[number % 3]
        yield known(
            f"{share:g} ridge, the rest posterior",
            mixture(tasks.ridge, tasks.posterior, share),
            verdicts.IN_PART,
            share,
        )
        share = SHARES[(number + 1) % 3]
        yield known(
            f"{share:g} ridge, the rest look-up",
            mixture(tasks.ridge, tasks.look_up, share),
            verdicts.IN_PART,
            share,
        )
        alike = dataclasses.replace(tasks, alike=True)
        yield known("alike tasks, ridge", alike.ridge, verdicts.CANNOT_TELL, tasks=alike)
        yield known("alike tasks, look-up", alike.look_up, verdicts.CANNOT_TELL, tasks=alike)
        if family != "linear":
            yield known(
                "memory of points", tasks.memory_of_points, verdicts.MEMORIZATION
            )  # fmt: skip
            if family == "polynomials":
                yield known(
                    "neighbours in the support set", tasks.neighbours_in_support, verdicts.ADAPTS
                )


def _classification() -> Iterator[KnownModel]:
    settings = itertools.product((2, 5), (1, 5), (0.3, 0.6))
    for number, (ways, shots, scatter) in enumerate(settings):
        for fixed in (True, False):
            tasks = Classification(
                ways, shots, queries=5, scatter=scatter, fixed=fixed, seed=number
            )
            numbers = "fixed" if fixed else "drawn"
            named = f"{ways} classes, {shots} shots, scatter {scatter:g}, {numbers} numbers"

            def known(title, predict, nature, share=None, tasks=tasks, named=named, **more):
                options = {"output": "probs"} | more
                return KnownModel(
                    f"{title}; {named}", "classes", tasks, predict, nature, share, options
                )

            yield known("prototypes", tasks.prototypes, verdicts.ADAPTS)
            yield known("nearest neighbour", tasks.neighbours, verdicts.ADAPTS, relabel="permute")
            yield known("uniform", tasks.uniform, verdicts.UNTRAINED)
            yield known("first class", tasks.first, verdicts.UNTRAINED)
            yield known("training classes recognized", tasks.recognized, verdicts.LEARNER)
            if fixed:
                yield known("memorized", tasks.memorized, verdicts.MEMORIZATION)
