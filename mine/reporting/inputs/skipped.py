"""What a command leaves out and why, so that one bad file does not end the others."""

import sys

from mine.reporting.tables import counted
from mine.reporting.words import printable


class Skipped:
    """Files that were left out, by reason.

    Attributes:
        others: reason -> names of what was not asked for: hidden files, other kinds.
        damaged: reason -> names of what was asked for and cannot be used. A command that has any
            goes on with the rest and exits with 1.
    """

    MOST = 20
    """Names that are listed for one reason; further ones are counted."""

    def __init__(self) -> None:
        self.others: dict[str, list[str]] = {}
        self.damaged: dict[str, list[str]] = {}

    def leave(self, name: object, reason: str) -> None:
        """Counts a file that was not asked for."""
        self.others.setdefault(reason, []).append(printable(str(name)))

    def damage(self, name: object, reason: str) -> None:
        """Counts a file that cannot be used; ``reason`` goes on after its name."""
        self.damaged.setdefault(reason, []).append(printable(str(name)))

    def num_damaged(self) -> int:
        """Number of files that cannot be used."""
        return sum(map(len, self.damaged.values()))

    def lines(self) -> list[str]:
        """All of it for the user: a line for each damaged file, and one for each other reason."""
        lines = []
        for reason, names in self.damaged.items():
            lines += [f"{name} {reason}" for name in names[: self.MOST]]
            if len(names) > self.MOST:
                lines.append(f"and {len(names) - self.MOST} more: each {reason}")
        for reason, names in self.others.items():
            more = f" and {len(names) - self.MOST} more" if len(names) > self.MOST else ""
            lines.append(f"Left out {len(names)}, {reason}: {', '.join(names[: self.MOST])}{more}")
        return lines

    def report(self, what: str, where: str) -> None:
        """Ends a command: prints the lines, and exits with 1 if a file was damaged.

        Args:
            what: what a damaged file is, in the singular.
            where: that it is not, as "left out of images.npz".
        """
        for line in self.lines():
            print(line, file=sys.stderr)
        if damaged := self.num_damaged():
            sys.exit(
                f"Error: {counted(damaged, what)} {where}: see above why; mend or remove what "
                "is named there, and run again."
            )
