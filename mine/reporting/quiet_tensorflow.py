"""Keeps TensorFlow's start-up messages off standard error.

TensorFlow writes a few lines on oneDNN and CUDA while it is imported, before it reads the
environment's ``TF_CPP_MIN_LOG_LEVEL``. The packages of this project call :func:`install` when they
are imported. It sets that variable to 3, unless the user has set it, and has those lines removed.
"""

import contextlib
import os
import re
import sys
import tempfile

from mine.reporting.imports import Around

LEVEL = "TF_CPP_MIN_LOG_LEVEL"

LOG_LINE = re.compile(
    rb"(WARNING: All log messages before absl::InitializeLog\(\)|[IWE]\d{4} [\d:.]+ +\d+ ).*\n?"
)
"""A line that TensorFlow's C++ code logs: severity, date, time, thread, file."""


@contextlib.contextmanager
def without_log_lines():
    """Holds back what is written to file descriptor 2, and then writes it without log lines.

    If the body raises, everything is written: the log may say why.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # A process without standard error.
        yield
        return
    hidden = LOG_LINE
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden = None
            raise
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            lines = [line for line in held if not (hidden and hidden.match(line))]
            if lines:
                os.write(2, b"".join(lines))


def install() -> None:
    """Sets the level, and wraps the first ``import tensorflow`` if the level asks for silence."""
    os.environ.setdefault(LEVEL, "3")
    if os.environ[LEVEL] == "3":
        Around("tensorflow", without_log_lines).install()
