"""How long the attacks in `tests/attack` are; they go through public faces: a magic line, Python, HTTP.

``make test`` runs a short form of those that take long; ``make test-attack`` runs them at full length.
"""

from __future__ import annotations

import os

import pytest

FULL = os.environ.get("KUBEAI_TEST_ATTACK") == "full"
at_length = pytest.mark.skipif(not FULL, reason="takes long: make test-attack")
"""For an attack that has no short form."""


def rounds(full: int, short: int) -> int:
    """How many rounds an attack has here."""
    return full if FULL else short
