"""Does mine.estimate end in a number or a reason, whatever it is given? Tries many odd samples.

    python benchmarks/mine_robustness.py --runs=1000 --seed=0 --output=results/benchmarks

Every case is samples of random size, scale and kind, with options drawn at random. It may end in
a finite estimate, or be refused by the library itself with a ``ValueError`` or ``ArithmeticError``.
Anything else is a failure; its number makes it again. Writes ``mine_robustness.md`` and ``.json``.
"""

import collections
import pathlib
import re
import sys
import traceback

import numpy as np
from absl import flags

import mine
from mine import reporting
from mine.bound_names import BOUNDS
from mine.estimators import preprocessing
from mine.reporting import commands
from mine.reporting.flag_words import define_seed
from mine.reporting.progress import ProgressBar

CRITICS = ("concatenated", "separable", "bilinear")
LIBRARY = pathlib.Path(mine.__file__).parent

COLUMNS = {
    "normal": lambda rng, latent: latent + rng.normal(size=latent.shape),
    "function": lambda rng, latent: latent**3 - latent,
    "cauchy": lambda rng, latent: latent + rng.standard_cauchy(latent.shape),
    "integers": lambda rng, latent: np.round(3 * latent),
    "binary": lambda rng, latent: np.where(latent > 0, 1.0, 0.0),
    "rounded": lambda rng, latent: 1 + 1e-12 * rng.normal(size=latent.shape),
    "one differs": lambda rng, latent: np.where(np.arange(len(latent)) == 7, 1.0, 0.0),
}
"""Kinds of columns, by name: from a generator and a normal variable that x and y share [n]."""


def draw_case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, dict]:
    """Samples x [n, 1 to 8], y [n, 1 to 8] and options, all at random."""
    n = int(rng.integers(100, 401))
    latent = rng.normal(size=n)
    x, y = (_draw_samples(rng, latent) for _ in range(2))
    if rng.random() < 0.2:
        copies = rng.integers(0, n // 4, n)
        x, y = x[copies], y[copies]
    options = {
        "bound": str(rng.choice(BOUNDS)),
        "critic": str(rng.choice(CRITICS)),
        "preprocess": str(rng.choice(preprocessing.PREPROCESSES)),
        "negatives": [None, 1, 4, "all"][rng.integers(4)],
        "batch_size": int(2 ** rng.integers(4, 8)),
        "steps": int(rng.choice([50, 100])),
        "folds": 2,
        "seed": int(rng.integers(1000)),
    }
    return x, y, options


def _draw_samples(rng, latent):
    kinds = rng.choice(list(COLUMNS), rng.integers(1, 9))
    columns = np.stack([COLUMNS[kind](rng, latent) for kind in kinds], axis=1)
    return columns * 10.0 ** rng.uniform(-6, 6, columns.shape[1])


def outcome(x, y, options: dict) -> tuple[str, str]:
    """How an estimate ends.

    Returns:
        ``("finite", "")``, ``("refused", reason)`` or ``("failed", reason)``.
    """
    try:
        with np.errstate(all="ignore"):
            found = mine.estimate(x, y, progress=False, **options)
    except Exception as error:  # Any exception is a result here.
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raised_in = pathlib.Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        ours = isinstance(error, (ValueError, ArithmeticError)) and LIBRARY in raised_in.parents
        return ("refused" if ours else "failed"), reason
    # The upper end may be infinite, on purpose.
    values = {"nats": found.nats, "interval": (found.interval[0], *found.bound_interval)}
    values |= found.second_opinions
    odd = [name for name, value in values.items() if not np.isfinite(value).all()]
    return ("failed", f"not finite: {', '.join(odd)}") if odd else ("finite", "")


def run(runs: int, seed: int) -> dict:
    """Tries ``runs`` cases.

    Returns:
        Counts of ``finite``, of each reason under ``refused``, numbers left out, and a list of the
        cases that ``failed``.
    """
    finite, refused, failed = 0, collections.Counter(), []
    with ProgressBar(range(runs), unit="case") as bar:
        for case in bar:
            x, y, options = draw_case(np.random.default_rng([seed, case]))
            kind, reason = outcome(x, y, options)
            if kind == "finite":
                finite += 1
            elif kind == "refused":
                refused[re.sub(r"\d[\d.e+-]*", "#", reason)] += 1
            else:
                failed.append({"case": case, "reason": reason, "options": options})
            bar.set_postfix(finite=finite, refused=refused.total(), failed=len(failed))
    return {"finite": finite, "refused": dict(refused.most_common()), "failed": failed}


def markdown(report: dict) -> str:
    """The counts, and what made them."""
    outcomes = [
        ("finite", f"{report['finite']}"),
        *((f"refused: {reason}", f"{count}") for reason, count in report["refused"].items()),
        ("**failed**", f"**{len(report['failed'])}**"),
    ]
    lines = [
        "# mine.estimate of odd samples",
        "",
        f"`{report['command']}`, {report['hardware']}, {report['date']}.",
        "",
        "Random sizes, scales, heavy tails, copies, integers, categories and nearly constant "
        "columns; bounds, critics and preprocessing at random.",
        "",
        *reporting.markdown_table(("outcome", "cases"), outcomes),
    ]
    lines += [
        f"\nCase {failure['case']} failed: {failure['reason']}" for failure in report["failed"]
    ]
    return "\n".join(lines) + "\n"


def define_flags() -> None:
    """Defines this script's flags."""
    flags.DEFINE_integer("runs", 1000, "Number of cases.", lower_bound=1)
    define_seed("Of all cases.")
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the counts.")


def main():
    given = flags.FLAGS
    output = pathlib.Path(given.output)
    report = {
        **reporting.provenance("benchmarks/mine_robustness.py"),
        **run(given.runs, given.seed),
    }
    text = markdown(report)
    print(text)
    reporting.write_tables(report, text, output, "mine_robustness")
    sys.exit(1 if report["failed"] else 0)


if __name__ == "__main__":
    define_flags()
    commands.run(main)
