"""What every package writes: files, tables, pictures, intervals and where numbers come from.

:mod:`mine.reporting.inputs` reads what users bring.

The ground floor: nothing here imports TensorFlow, or any other package of this project.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checksums": ["check_seal", "file_sha256", "json_sha256", "sealed"],
        "processes.claims": ["claim"],
        "files": ["named", "read_json", "replacing", "write", "write_json"],
        "pictures": ["COLOURS", "picture"],
        "progress": ["ProgressBar", "keras_verbosity"],
        "environment": ["hardware", "provenance"],
        "statistics": ["format_interval", "mean_interval", "rank"],
        "tables": [
            "counted", "html_table", "join_numbers", "markdown_table", "origins", "write_tables",
        ],
    },
)  # fmt: skip
