"""How the commands start: words that are no flags are refused, and so are folders that cannot be.

Errors that a user can mend end in one sentence, see each command's ``main``; those of the file
system end in one here.
"""

import pathlib
import sys
from collections.abc import Callable, Sequence

from absl import app, flags


def run(main: Callable[[], None], folders: Sequence[str] = ()) -> None:
    """Runs a command whose flags are defined.

    Args:
        main: the command.
        folders: names of flags, each of a folder that the command makes if it is absent. One that
            cannot be made is refused before any work is done.
    """

    def checked(words):
        if words[1:]:
            sys.exit(f"Error: {words[1]!r} is no flag; flags are written --name=value.")
        for name in folders:
            path = pathlib.Path(flags.FLAGS[name].value)
            file = next((of for of in (path, *path.parents) if of.exists() and not of.is_dir()), "")
            if file:
                sys.exit(f"Error: --{name}={path}: {file} is a file, name a folder.")
        try:
            main()
        except OSError as error:
            if error.filename is None:
                raise
            sys.exit(f"Error: {error.filename}: {error.strerror}.")

    app.run(checked)
