"""Secrets for tests, made when they are needed: nothing in the tree looks like one."""

from __future__ import annotations

import base64
import random
import re
import string
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "url": string.ascii_letters + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "hex": "0123456789abcdef",
}


@cache
def data() -> dict[str, Any]:
    """What tests/golden/secrets.yaml says."""
    path = Path(__file__).parents[1] / "golden" / "secrets.yaml"
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def _some(alphabet: str, size: int, seed: str) -> str:
    source = random.Random(seed)
    # Each kind of character that the alphabet has, as in a real one.
    kinds = {"upper": "A7", "hex": "a7"}.get(alphabet, "Aq7")
    return "".join([*kinds, *source.choices(_ALPHABETS[alphabet], k=size - len(kinds))])


@cache
def values() -> dict[str, str]:
    """A secret for each name that the texts of the file use."""
    tokens = {name: start + _some(kind, size, name) for name, (start, kind, size) in data()["tokens"].items()}
    lines = [_some("alnum", 64, f"pem{number}") for number in range(4)] + [_some("alnum", 20, "last")]
    return {
        "word": "swordfish",
        "mixed": "Tr0ub4dorAnd3",
        "phrase": "sword fish",
        "at": "sword@fish",
        "cookie": "session=Tr0ub4dorAnd3; other=swordfish",
        "long": _some("alnum", 40, "long"),
        "hex": _some("hex", 64, "hex"),
        "basic": base64.b64encode(b"me:swordfish").decode(),
        "pem": "\n".join(["", *lines, ""]),
        "pem_escaped": "\\n".join(["", *lines, ""]),
        "slack_hook": f"hooks.slack.com/services/T0000/B0000/{_some('alnum', 24, 'slack')}",
        **tokens,
    }


_PLACE = re.compile(r"\{([a-z0-9_]+)\}")


def filled(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with secrets in it, and which they are."""
    known = values()
    names = [name for name in _PLACE.findall(text) if name in known]
    return _PLACE.sub(lambda match: known.get(match[1], match[0]), text), tuple(known[name] for name in names)
