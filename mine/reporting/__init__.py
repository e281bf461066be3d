"""What every package writes: files, tables, pictures, intervals and where numbers come from.

The ground floor: nothing here imports TensorFlow, or any other package of this project.
"""

from mine.reporting.files import read_json, write, write_json
from mine.reporting.pictures import COLOURS, picture
from mine.reporting.provenance import hardware, provenance
from mine.reporting.statistics import format_interval, mean_interval, rank
from mine.reporting.tables import join_numbers, markdown_table, write_tables

__all__ = [
    "COLOURS",
    "format_interval",
    "hardware",
    "join_numbers",
    "markdown_table",
    "mean_interval",
    "picture",
    "provenance",
    "rank",
    "read_json",
    "write",
    "write_json",
    "write_tables",
]
