"""Progress on a terminal, in notebooks and in logs."""

import importlib.util
import sys
import threading
import time

import tqdm

SECONDS_PER_LINE = 60.0
"""Time between two lines of a progress bar that is written to a log."""


def _in_notebook() -> bool:
    """Whether a notebook runs this, and can show bars of its own."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel") and importlib.util.find_spec("ipywidgets") is not None


class ProgressBar(tqdm.tqdm):
    """``tqdm.tqdm``, which in a log writes a line a minute and one at the end.

    The arguments are those of ``tqdm.tqdm``. On a terminal it is the bar itself, and in a notebook
    where ipywidgets is installed it is ``tqdm.notebook``'s.
    """

    def __new__(cls, *args, **options):
        if options.get("file") is None and _in_notebook():
            from tqdm import notebook  # It needs ipywidgets.

            notebook.tqdm.set_lock(cls.get_lock())
            return notebook.tqdm(*args, **options)  # Of another class, so it is not made twice.
        return super().__new__(cls, *args, **options)

    def __init__(self, *args, file=None, **options):
        stream = sys.stderr if file is None else file
        self._in_log = not stream.isatty()
        self._written, self._last_line = None, time.monotonic()
        super().__init__(*args, file=file, **options)

    def display(self, msg=None, pos=None):
        """Draws the bar; in a log, writes a line if the last one is a minute old."""
        if not self._in_log:
            return super().display(msg, pos)
        if msg is None and time.monotonic() - self._last_line >= SECONDS_PER_LINE:
            self._write_line()
        return False  # The base class has nothing to clear.

    def clear(self, *args, **options):
        """Removes the bar from a terminal."""
        if not self._in_log:
            super().clear(*args, **options)

    def close(self):
        """Ends the bar; in a log, its last state becomes a line unless ``leave`` is false."""
        if self._in_log and not self.disable:
            # As on a terminal, a bar whose delay has not passed is not shown.
            if self.leave is not False and time.time() >= self.start_t + self.delay:
                self._write_line()
            self.leave = False  # The base class writes no second line.
        super().close()

    def _write_line(self):
        if self.n and self.n != self._written:
            self.fp.write(f"{self}\n")
        self._written, self._last_line = self.n, time.monotonic()


# The default is shared by processes: Python warns of one that is ended and leaves it behind.
ProgressBar.set_lock(threading.RLock())


def keras_verbosity(verbose: str | int = "auto") -> str | int:
    """``verbose`` for Keras: "auto" is a bar on a terminal, and a line an epoch in a log.

    Args:
        verbose: "auto", or any value that Keras takes, which is returned.
    """
    if verbose != "auto":
        return verbose
    return 1 if sys.stdout.isatty() else 2
