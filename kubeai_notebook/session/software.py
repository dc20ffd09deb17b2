"""What runs here, for a report to somebody who is to help."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("kubeai-notebook", "kubernetes", "openai", "ipywidgets", "pandas")


def software() -> str:
    """The versions of this package and of those below it, of Python, and the system's name, in a sentence."""
    packages = ", ".join(f"{name} {version_of(name)}" for name in _PACKAGES)
    return f"{packages}, Python {platform.python_version()} on {platform.system()}."


def version_of(package: str) -> str:
    """The version that is installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed: run from its source)"
