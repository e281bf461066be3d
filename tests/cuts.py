"""Writings that are cut, as those of a process that is killed."""

import contextlib
import itertools
import os


@contextlib.contextmanager
def cut_after(monkeypatch, count):
    """Raises KeyboardInterrupt before one more file than ``count`` is put into its place.

    Yields a patch that ends with it, for what a process that is killed does not do on its way out.
    """
    replace, numbers = os.replace, itertools.count()

    def cut(*paths):
        if next(numbers) >= count:
            raise KeyboardInterrupt
        replace(*paths)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", cut)
        yield patch
