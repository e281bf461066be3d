"""How commands start, and how they end where a file or folder is at fault.

Errors that a user can mend end in one sentence: those of arguments in each command's ``main``,
those of the file system here.
"""

import pathlib
import sys
from collections.abc import Callable, Sequence

from absl import app, flags


def run(main: Callable[[], None], folders: Sequence[str] = ()) -> None:
    """Runs a command whose flags are defined.

    Args:
        main: the command.
        folders: names of flags, each of a folder that the command makes if it is absent. A path
            that cannot become a folder is refused before any work.
    """

    def checked(words):
        if words[1:]:
            sys.exit(
                "Error: Unexpected positional argument: expected flags, --name=value; received "
                f"{words[1]!r}."
            )
        for name in folders:
            path = pathlib.Path(flags.FLAGS[name].value or ".")
            file = next((of for of in (path, *path.parents) if of.exists() and not of.is_dir()), "")
            if file:
                sys.exit(
                    f"Error: Invalid value for --{name}: expected a folder; received {path}, where "
                    f"{file} is a file."
                )
        try:
            main()
        except OSError as error:
            if error.filename is None:
                raise
            sys.exit(f"Error: {error.filename}: {error.strerror}.")

    if hasattr(sys.stdout, "reconfigure"):  # Paths may hold bytes that are no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    _show_in_help()
    app.run(checked)


def _show_in_help() -> None:
    """Has ``--help`` list the flags that a command takes from other modules of this project."""
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        if module.partition(".")[0] in ("mine", "maml", "pose_data", "pose_code"):
            for flag in defined:
                flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
