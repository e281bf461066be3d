"""Messages about flags: errors in their values, by the flag that was typed."""

import pathlib
import re
import sys
from collections.abc import Sequence

from absl import flags

from mine.reporting.words import did_you_mean

MOST_SEED = 2**31 - 1
"""Seeds are numbers of 32 bits with a sign, the least that any of their users takes."""

PLACES = ("path", "folder")
"""Arguments of functions that stand for flags of many names."""

_HEAD = re.compile(r"(?:^|(?<=Error: ))Invalid (?:values?|argument|type|shape|order)[^:]*")
_NAME = re.compile(r"`(\w+)`")


def define_seed(text: str, default: int = 0) -> None:
    """Defines the flag ``--seed``.

    Args:
        text: what it is the seed of.
        default: its value unless given.
    """
    flags.DEFINE_integer("seed", default, text, 0, MOST_SEED)


def parse(words: Sequence[str]) -> list[str]:
    """Reads the flags of a command, which ends with a sentence where they cannot be read.

    Args:
        words: of the command line, the command first.

    Returns:
        The words that are no flags.
    """
    try:
        rest = flags.FLAGS(words)
    except SystemExit as ended:  # Of --help, which has done what it was asked.
        raise SystemExit(0) from ended
    except flags.UnrecognizedFlagError as error:
        near = re.findall(r"\w+", str(error).partition("Did you mean:")[2])
        guess = did_you_mean([f"--{name}" for name in near])
        said = f"Unknown flag --{error.flagname}: {guess}".rstrip()
        sys.exit(f"Error: {said} --helpfull lists all flags.")
    except flags.IllegalFlagValueError as error:
        sys.exit(f"Error: {_illegal(str(error), words)}")
    except flags.Error as error:
        sys.exit(f"Error: {' '.join(str(error).split())}; --helpfull lists all flags.")
    for name in flags.FLAGS:  # As of a variable of the shell that is not set.
        if _is_required(flags.FLAGS[name]) and flags.FLAGS[name].value == "":
            sys.exit(
                f"Error: Invalid value for --{name}: expected one; received none. It is: "
                f"{flags.FLAGS[name].help}"
            )
    return rest


def _is_required(flag: flags.Flag) -> bool:
    return any("must have a value" in (of.message or "") for of in flag.validators)


def _illegal(message: str, words: Sequence[str]) -> str:
    """The sentence on a flag of which absl says that it is missing, or has no such value."""
    found = re.match(r"flag --(\w+)=", message)
    if found is None:
        return " ".join(message.split())
    name = found[1]
    flag = flags.FLAGS[name]
    given = [word.partition("=") for word in words[1:] if word.lstrip("-").startswith(name)]
    if "must have a value other than None" in message:
        return f"Missing flag --{name}: {flag.help}"
    received = given[-1][2] if given and given[-1][1] else message[found.end() :].split(":")[0]
    return f"Invalid value for --{name}: expected {_expected(flag.parser)}; received {received!r}."


def _expected(parser: flags.ArgumentParser) -> str:
    """What a flag takes."""
    if isinstance(parser, flags.EnumParser):
        return f"one of {', '.join(filter(None, parser.enum_values))}"
    if isinstance(parser, flags.BooleanParser):
        return "true or false"
    low, high = (getattr(parser, f"{end}_bound", None) for end in ("lower", "upper"))
    kind = "a whole number" if isinstance(parser, flags.IntegerParser) else "a number"
    return f"{kind}{'' if low is None else f' from {low:,}'}" + (
        " on" if low is not None and high is None else "" if high is None else f" to {high:,}"
    )


def with_flags(sentence: str) -> str:
    """A refusal of a function's argument as one of the flag that the user typed.

    Args:
        sentence: that begins, perhaps after ``Error:``, as in "Invalid value for `steps`: ...".
    """

    def head(found: re.Match) -> str:
        rest = sentence[found.end() :]
        return _NAME.sub(lambda name: _spoken(name[1], rest), found[0])

    return _HEAD.sub(head, sentence, count=1)


def _spoken(name: str, rest: str) -> str:
    """The flag of an argument, or the flag that holds it as an option, else its name."""
    known = flags.FLAGS
    if name in known and not (known[name].value is None and known[name].flag_type() == "string"):
        return f"--{_typed(name)}"
    for flag in known:
        texts = known[flag].value if flag.endswith("_options") else None
        if any(re.search(rf"(^|[;.\s]){name}\s*=", text) for text in texts or ()):
            return f"{name} of --{flag}"
    if name not in PLACES:
        return f"`{name}`"
    # The flag whose value the sentence quotes, the longest if several do.
    places: dict[str, str] = {}
    for flag in known:
        if known[flag].flag_type() == "string" and (value := str(known[flag].value or "")):
            places |= {value: flag, str(pathlib.PurePath(value).with_suffix("")): flag}
    quoted = [place for place in places if re.search(rf"(^|[\s/]){re.escape(place)}\b", rest)]
    return f"--{_typed(places[max(quoted, key=len)])}" if quoted else f"`{name}`"


def _typed(name: str) -> str:
    """The flag itself, or another name of it that was typed."""
    known = flags.FLAGS
    others = [of for of in known if known[of].help == f"Alias for --{name}." and known[of].present]
    # What is typed by another name counts for both.
    itself = known[name].present > sum(known[of].present for of in others)
    return name if itself or not others else others[0]
