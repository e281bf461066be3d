"""The version, for ``mine.__version__``."""

from mine.reporting.version import __version__

__all__ = ["__version__"]
