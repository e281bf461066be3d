"""Named random streams: what one seed draws for different purposes is independent."""

import pathlib
import re

import maml
from maml.core.seeds import Stream, stream

PACKAGE = pathlib.Path(maml.__file__).parent


def test_no_two_streams_share_a_seed():
    seeds = {tuple(stream(seed, name).numpy()) for seed in range(5) for name in Stream}
    assert len(seeds) == 5 * len(Stream)


def test_streams_keep_their_numbers():
    """Committed results were drawn with these."""
    assert [name.value for name in Stream] == list(range(9))
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
