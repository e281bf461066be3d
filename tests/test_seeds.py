"""Named random streams: what one seed draws for different purposes is independent."""

import pathlib
import re

import numpy as np
import pytest

import maml
from maml.core.seeds import Part, Stream, initializer_seeds, stream
from maml.experiments.config import Config

PACKAGE = pathlib.Path(maml.__file__).parent


def test_no_two_streams_share_a_seed():
    seeds = {tuple(stream(seed, name).numpy()) for seed in range(5) for name in Stream}
    assert len(seeds) == 5 * len(Stream)


def test_streams_keep_their_numbers():
    """Committed results were drawn with these."""
    assert [name.value for name in Stream] == list(range(10))
    assert stream(3, Stream.VALIDATION_NOISE).numpy().tolist() == [3, 3]
    assert stream(0, Stream.TASKS).numpy().tolist() == [0, 5]


def test_seeds_are_drawn_by_name():
    """A pair written out by hand may be one that another purpose has."""
    by_hand = re.compile(r"constant\(\s*\[[^\[\]]*seed\w*,\s*\d+\]")
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if by_hand.search(path.read_text())
    }
    assert not found


def test_parts_of_a_model_count_their_seeds_far_apart():
    first = {next(initializer_seeds(seed, part)) for seed in range(5) for part in Part}
    assert len(first) == 5 * len(Part)
    networks = initializer_seeds(3, Part.NETWORK)
    # Committed results of gradient-based learners were drawn with these.
    assert [next(networks), next(networks)] == [3000, 3001]


@pytest.mark.parametrize("learner", ["acnp", "relative"])
def test_no_two_kernels_start_from_the_same_random_numbers(learner):
    """Glorot's scale depends on the layer, so the signs tell whether the draws are the same."""
    config = Config(
        task="nme_sinusoid",
        learner=learner,
        learner_options={"interaction": 8},
        regularizer=("prediction_mi", "label_mi"),
        regularizer_options={"label_mi.bound": "dv"},
        seed=3,
    )
    problem = config.make_problem()
    made = config.make_learner(problem)
    made.create_weights(problem.train.sample(2, [0, 0]))
    signs = {}
    for variable in made.trainable_variables:
        if "kernel" in variable.path and variable.numpy().size >= 16 and np.any(variable.numpy()):
            signs.setdefault(tuple(np.sign(variable.numpy().ravel()[:16])), []).append(
                variable.path
            )
    assert len(signs) > 10
    # The projections of queries and keys of the attention start equal on purpose.
    assert not [paths for paths in signs.values() if len(paths) > 1 and "attention" not in paths[0]]
