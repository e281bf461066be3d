"""What SIGINT (Ctrl-C) and SIGTERM do to a command: no traceback, and nothing half-written.

While a command works they raise :class:`Stopped`, so that files and folders are left in order.
Before and after, nothing is to be put in order: the process ends at once.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal asks the command to end; its only argument is the number of the signal."""

    @property
    def code(self) -> int:
        """The exit code that shells expect."""
        return 128 + self.args[0]


def sentence(number: int, again: str) -> str:
    """What is said of a command that was stopped."""
    name = signal.Signals(number).name
    return f"Stopped by {name}: files that are complete are kept; {again} to go on."


def handle(handler: Callable[[int], None]) -> list:
    """Sets what the signals do, but for those that are ignored, as in the background of a script.

    Returns:
        What they did before.
    """
    before = []
    for number in SIGNALS:
        before.append(signal.getsignal(number))
        if before[-1] != signal.SIG_IGN:
            signal.signal(number, lambda number, frame: handler(number))
    return before


@contextlib.contextmanager
def raising(patient: bool = False) -> Iterator[None]:
    """The signals raise :class:`Stopped` in the block; a second one ends the process at once.

    Args:
        patient: a second one does nothing: for processes that others end if they take too long.
    """

    def stop(number):
        handle(lambda again: None if patient else os._exit(128 + again))
        raise Stopped(number)

    def unraisable(ignored):
        # Python ignores what is raised in __del__: it is raised again a moment later.
        if not isinstance(ignored.exc_value, Stopped):
            return hook(ignored)
        number = ignored.exc_value.args[0]
        signal.signal(signal.SIGALRM, lambda *_: stop(number))
        signal.setitimer(signal.ITIMER_REAL, 0.05)

    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    before = handle(stop)
    try:
        yield
    finally:
        for number, of in zip(SIGNALS, before, strict=True):
            signal.signal(number, signal.SIG_DFL if of is None else of)
        sys.unraisablehook = hook


def install() -> None:
    """Has a module that is run by ``python -m`` end in a sentence while it is still imported.

    The packages of this project call it when they are imported. It does nothing in other programs.
    """
    if sys.argv[:1] != ["-m"] or signal.getsignal(signal.SIGINT) != signal.default_int_handler:
        return
    with contextlib.suppress(OSError):  # A process without standard error.
        stderr = os.dup(2)  # Descriptor 2 leads elsewhere while TensorFlow is imported.

        def end(number):
            os.write(stderr, f"{sentence(number, 'run the same command again')}\n".encode())
            os._exit(128 + number)

        handle(end)
