"""How commands start, and how they end where a file, a folder, a disk or a signal is at fault.

Errors that a user can mend end in one sentence: those of arguments in each command's ``main``,
which name the flag (:mod:`mine.reporting.flag_words`), those of the file system and of signals
here.
"""

import contextlib
import errno
import os
import pathlib
import sys
import warnings
from collections.abc import Callable, Sequence

from absl import app, flags

from mine.reporting import flag_words
from mine.reporting.files import FULL
from mine.reporting.processes import stopping
from mine.reporting.processes.claims import claim
from mine.reporting.words import reason

AGAIN = "run the same command again"


def run(
    main: Callable[[], None],
    folders: Sequence[str] = (),
    changed: Sequence[str] = (),
    claims: bool = True,
    again: str = AGAIN,
    words: str = "",
) -> None:
    """Runs a command whose flags are defined.

    Args:
        main: the command.
        folders: names of flags, each of a folder that the command makes if it is absent. A path
            that cannot become a folder is refused before any work.
        changed: names of flags, each of a folder that is there and is changed.
        claims: whether the folders are kept from other processes while the command works; a
            command may do that itself.
        again: what to do to go on after a signal or a full disk.
        words: name of a flag, a list, to which positional arguments are added; if empty, they are
            refused.
    """

    def checked(typed):
        if typed[1:] and not words:
            sys.exit(
                "Error: Unexpected positional argument: expected flags, --name=value; received "
                f"{typed[1]!r}."
            )
        if typed[1:]:
            flags.FLAGS[words].value = [*flags.FLAGS[words].value, *typed[1:]]
        for name in (*folders, *changed):
            if flags.FLAGS[name].value == "":  # As of a variable of the shell that is not set.
                sys.exit(f"Error: Invalid value for --{name}: expected a folder; received none.")
        try:
            places = [pathlib.Path(flags.FLAGS[name].value or ".") for name in folders]
            for name, path in zip(folders, places, strict=True):
                _check_folder(name, path)
            there = [pathlib.Path(flags.FLAGS[name].value or ".") for name in changed]
            places += [path for path in there if path.is_dir()]
            with stopping.raising(), contextlib.ExitStack() as held:
                for path in {of.resolve(): of for of in places}.values() if claims else ():
                    held.enter_context(claim(path))
                main()
        except stopping.Stopped as stopped:
            print(stopping.sentence(stopped.args[0], again), file=sys.stderr)
            sys.exit(stopped.code)
        except OSError as error:
            sys.exit(f"Error: {flag_words.with_flags(sentence(error, again))}")
        except _want_of_memory() as error:
            sys.exit(f"Error: {too_large(error)}")
        except SystemExit as ended:
            if isinstance(ended.code, str):
                ended.code = flag_words.with_flags(ended.code)
            raise

    if hasattr(sys.stdout, "reconfigure"):  # Paths may hold bytes that are no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    _show_in_help()
    warnings.formatwarning = _sentence_of_warning
    try:
        app.run(checked, flags_parser=flag_words.parse)
    except BrokenPipeError as error:  # While flags are described: `--help | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Flushed once more at exit.
        sys.exit(f"Error: {sentence(error, again)}")


def _check_folder(name: str, path: pathlib.Path) -> None:
    """Ends the command if the path of a flag cannot become a folder."""
    file = next((of for of in (path, *path.parents) if of.exists() and not of.is_dir()), "")
    if file:
        sys.exit(
            f"Error: Invalid value for --{name}: expected a folder; received {path}, where {file} "
            "is a file."
        )
    if path.parts[:1] == ("~",) and not pathlib.Path("~").exists():
        sys.exit(
            f"Error: Invalid value for --{name}: expected a folder; received {path}, in which the "
            "shell has not replaced ~; write $HOME."
        )


def sentence(error: OSError, again: str = AGAIN) -> str:
    """An error of the file system, for people.

    Args:
        error: that was raised.
        again: what to do to go on.
    """
    if error.errno is None:  # Our own, which says all.
        return str(error)
    # Of two, as where a file is copied, the second is written.
    place = error.filename2 or error.filename or "standard output or a file"
    reason = os.strerror(error.errno)
    if error.errno in FULL:
        return (
            f"Cannot write {place}: {reason[0].lower()}{reason[1:]}; files that were complete are "
            f"unchanged; free some space and {again} to go on."
        )
    if error.errno == errno.EPIPE and error.filename is None:
        return "Cannot write standard output: its reader has ended."
    return f"{place}: {reason}."


def too_large(error: Exception) -> str:
    """What is said where memory is not given, such as of arrays of absurd sizes.

    Args:
        error: that was raised, of NumPy or TensorFlow.
    """
    # NumPy's sentence begins with the size; TensorFlow's has the names of its operations before.
    text = str(error)
    told = reason(text[max(0, text.find("OOM when")) :]) if text else "no size is known"
    return f"There is too little memory ({told}): use smaller sizes."


def _want_of_memory() -> tuple[type[Exception], ...]:
    """The errors that say so; that of TensorFlow only where it is in use."""
    errors = getattr(sys.modules.get("tensorflow"), "errors", None)
    return (MemoryError, errors.ResourceExhaustedError) if errors else (MemoryError,)


def _sentence_of_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
    standard: Callable[..., str] = warnings.formatwarning,
) -> str:
    """A warning for users without the line of code that it comes from; others as ever."""
    if category is UserWarning:
        return f"Warning: {message}\n"
    return standard(message, category, filename, lineno, line)


def _show_in_help() -> None:
    """Has ``--help`` list the flags that a command takes from other modules of this project."""
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if module.partition(".")[0] in ("mine", "maml", "pose_data", "pose_code"):
            for flag in defined:
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
