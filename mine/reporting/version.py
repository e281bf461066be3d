"""The version of the installed distribution."""

import importlib.metadata

DISTRIBUTION = "exact-meta-information"


def installed_version() -> str:
    """The version, or "unknown" where the packages are not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


__version__ = installed_version()
