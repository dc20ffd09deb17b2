"""How long the attacks in `tests/attack` are; they go through public faces: a magic line, Python, HTTP.

``make test`` runs a short form of those that take long; ``make test-attack`` runs them at full length.
"""

from __future__ import annotations

import os

FULL = os.environ.get("KUBEAI_TEST_ATTACK") == "full"


def rounds(full: int, short: int) -> int:
    """How many rounds an attack has here."""
    return full if FULL else short
