"""Messages that nobody could record here, each with its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

FILE = Path(__file__).parents[2] / "golden" / "quotes.yaml"


@cache
def quotes():
    """Code → {quote or fact, source}."""
    return yaml.safe_load(FILE.read_text())


def quoted(code):
    return quotes()[code]["quote"]
