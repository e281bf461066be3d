"""Step 1,000 costs what step 2 costs: no part of a training is traced a second time."""

import collections
import functools

import pytest

from maml.diagnostics import scores
from maml.experiments import preparing
from maml.experiments.config import Config

KINDS = {
    "gradients, by XLA": {"learner": "maml"},
    "gradients, task by task": {"learner": "maml", "learner.task_map": "map_fn"},
    "implicit gradient": {"learner": "imaml"},
    "context and critic": {"learner": "cnp", "regularizer": "label_mi", "label_mi.bound": "mine"},
    "attention": {"learner": "acnp"},
    "transformer": {"learner": "tnp"},
    "latent": {"learner": "latent_np"},
    "samples of weights": {"learner": "bmaml"},
    "prototypes": {"task": "clusters", "learner": "protonet"},
}
EXHAUSTIVE = ("implicit gradient", "attention", "transformer", "latent", "samples of weights")
SMALL = {
    "meta_batch_size": 4, "learner.inner_steps": 1, "learner.hidden": (8,), "learner.depth": 1,
    "network.hidden": (8,), "network.embedding": (8,), "num_relabelings": 2,
}  # fmt: skip


def counting(monkeypatch, owner, name, calls, key):
    """Counts the calls of a function, which a compiled one makes when it is traced."""
    function = getattr(owner, name)

    @functools.wraps(function)
    def counted(*arguments, **options):
        calls[key(*arguments, **options)] += 1
        return function(*arguments, **options)

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.slow
@pytest.mark.usefixtures("xla")
@pytest.mark.parametrize(
    "kind",
    [pytest.param(of, marks=[pytest.mark.exhaustive] * (of in EXHAUSTIVE)) for of in KINDS],
)
def test_nothing_is_traced_twice(kind, monkeypatch):
    given = {"task": "sinusoid", **KINDS[kind]}
    config = Config.of(given, SMALL)
    problem, learner = preparing.prepared(config)
    traces = collections.Counter()
    counting(monkeypatch, scores, "score_episodes", traces, lambda *_, **__: "scores")
    counting(
        monkeypatch, learner, "forward", traces,
        lambda _, __, training=False, **___: "training" if training else "validation",
    )  # fmt: skip
    evaluator = problem.evaluator(learner, num_relabelings=2)
    preparing.compile_learner(learner, config)
    family = problem.train
    whole = family.dataset(4, 0)
    shorter = whole.take(2).concatenate(family.dataset(3, 0).take(1))

    def everything():
        options = {"validation_data": family, "validation_steps": 1, "verbose": 0}
        learner.fit(family, batch_size=4, steps=4, epochs=2, **options)
        learner.fit(shorter, epochs=2, verbose=0)
        learner.evaluate(family, batch_size=4, steps=2, verbose=0)
        learner.evaluate(shorter, verbose=0)
        evaluator(problem.test, 1, 4, 0, 7)

    everything()
    # Of batches whose size is known, and of others; of 4 tasks, and of the 3 that are left.
    # Validation once more: in the loop of Keras that the first training has, and without it.
    assert traces["training"] <= 2 and traces["validation"] <= 3 and traces["scores"] <= 2
    before = dict(traces)
    everything()
    assert traces == before
