"""Pages of studies and of runs: tables in Markdown, and ``report.html``, the page of a browser."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "tables": [
            "CALIBRATION", "COVERAGE", "GAIN", "NAME", "NLL", "RUN_SECONDS", "SECONDS", "SEEDS",
            "STRENGTH", "SWAP_GAP", "TRAIN_MINUTES", "VERDICT", "Column", "header", "information",
            "number", "score", "sections", "sweep_section", "table", "write",
        ],
    },
)  # fmt: skip
