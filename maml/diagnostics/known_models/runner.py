"""Reports on all known models: how often the verdict is right, and what the intervals cover."""

import time

import numpy as np

from maml.diagnostics import memorization_report
from maml.diagnostics.known_models.suite import KnownModel, known_models


def report_on(model: KnownModel, count: int, seed: int, held_out: bool = True):
    """The report on ``count`` tasks of each split."""
    return memorization_report(
        model.predict,
        model.tasks.training(count, seed),
        held_out=model.tasks.new(count, seed) if held_out else None,
        max_tasks=count,
        seed=seed,
        verbose=False,
        **model.options,
    )


def main():
    rows = []
    start = time.time()
    for model in known_models():
        for count in (100, 20):
            report = report_on(model, count, 0)
            rows.append((model, count, report))
    for count in (100, 20):
        of = [(m, r) for m, c, r in rows if c == count]
        print(count, len(of), "accuracy", np.mean([m.nature == r.verdict for m, r in of]))
        for family in sorted({m.family for m, _ in of}):
            own = [(m, r) for m, r in of if m.family == family]
            print("  ", family, len(own), np.mean([m.nature == r.verdict for m, r in own]))
        for m, r in of:
            if m.nature != r.verdict:
                print(
                    "     ",
                    m.name,
                    "|",
                    m.options.get("relabel"),
                    "|",
                    m.nature,
                    "->",
                    r.verdict,
                    "|",
                    r.share and round(r.share["mean"], 2),
                    r.reason,
                )
    print(time.time() - start)


if __name__ == "__main__":
    main()
