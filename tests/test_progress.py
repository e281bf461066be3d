"""Progress bars: a bar on a terminal, a few lines in a log."""

import io
import sys
import types

import pytest

from mine.reporting import progress
from mine.reporting.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_one_line_at_the_end():
    log = io.StringIO()
    assert list(ProgressBar(range(500), unit="step", file=log, mininterval=0)) == list(range(500))
    (line,) = log.getvalue().splitlines()
    assert "500/500" in line and "\r" not in log.getvalue()


def test_a_log_gets_a_line_a_minute(monkeypatch):
    log, now = io.StringIO(), [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with ProgressBar(total=300, file=log, mininterval=0, miniters=1) as bar:
        for _ in range(300):
            now[0] += 1  # 300 seconds in all.
            bar.update()
    found = [line.partition("/300")[0].split()[-1] for line in log.getvalue().splitlines()]
    assert [int(number) for number in found] == [60, 120, 180, 240, 300]


@pytest.mark.parametrize("options", [{"disable": True}, {"leave": False}, {"delay": 1e6}])
def test_a_bar_that_is_hidden_at_the_end_on_a_terminal_leaves_no_line(options):
    log = io.StringIO()
    list(ProgressBar(range(5), file=log, **options))
    assert log.getvalue() == ""


def test_messages_stand_between_the_lines():
    log = io.StringIO()
    with ProgressBar(range(3), file=log) as bar:
        for number in bar:
            bar.write(f"message {number}", file=log)
    assert log.getvalue().splitlines()[:3] == [f"message {number}" for number in range(3)]
    assert "3/3" in log.getvalue().splitlines()[3]


def test_a_terminal_gets_the_bar():
    terminal = Terminal()
    list(ProgressBar(range(3), file=terminal, mininterval=0))
    assert terminal.getvalue().count("\r") >= 2 and "3/3" in terminal.getvalue()


@pytest.mark.parametrize(("stream", "expected"), [(io.StringIO(), 2), (Terminal(), 1)])
def test_keras_writes_a_line_an_epoch_in_a_log(stream, expected, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream)
    assert progress.keras_verbosity("auto") == expected
    assert progress.keras_verbosity(0) == 0


def test_a_notebook_has_a_bar_of_its_own(monkeypatch):
    """Where ipywidgets is installed; what a notebook is, is known by its kernel."""
    made = []

    class Notebook:
        @staticmethod
        def set_lock(lock):
            made.append(lock)

        def __init__(self, *args, **options):
            made.append((args, options))

    module = types.SimpleNamespace(tqdm=Notebook)
    shell = types.SimpleNamespace(kernel=object())
    kernel = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "tqdm.notebook", module)
    monkeypatch.setattr(progress.tqdm, "notebook", module, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    for found in (None, object()):
        monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name, found=found: found)
        bar = ProgressBar(range(3), desc="steps", disable=True)
        assert isinstance(bar, Notebook) == (found is not None)
    assert made[1] == ((range(3),), {"desc": "steps", "disable": True})
    del shell.kernel  # IPython on a terminal.
    assert isinstance(ProgressBar(range(3), disable=True), ProgressBar)
