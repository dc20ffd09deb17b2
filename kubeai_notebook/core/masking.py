"""What is a secret, and how it is hidden: the one place that knows.

Everything that shows a Model's arguments, variables, logs or reports asks here, so that no
face masks by rules of its own. What is masked is the value, never its neighbour.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"

# Names whose values are secrets; "pad_token" and the like belong to tokenizers.
_SENSITIVE = (
    r"(?<![A-Za-z0-9_])(?<![A-Za-z0-9]-)"
    r"(?!(?:pad|eos|bos|unk|cls|sep|mask|image|video|audio|stop|special|end|start)[_-]token)(?:[A-Za-z0-9]+[_-])*?"
    r"(?:(?:hf|auth|access|session|bearer|refresh|id|api|hub)[_-]?token|token"
    r"|api[_-]?key|(?:secret[_-]?)?access[_-]?key(?:[_-]?(?:id|secret))?|(?:secret|private|license|auth)[_-]?key"
    r"|(?:client[_-]?)?secret|password|passwd|passphrase|credentials?)"
)
_NAMED_SECRET = re.compile(
    rf"""(?P<name>{_SENSITIVE}["']?\s*(?:=|:)\s*(?:SecretStr\(|[\[(])*)"""
    r"""(?P<value>'[^']+'|"[^"]+"|(?<==)(?!None\b|null\b|['"])[^\s'",;)&]+|(?=[^\s'",]*\d)[^\s'",;)]{8,})""",
    re.IGNORECASE,
)
_SPACED_SECRET = re.compile(rf"""(?P<name>--{_SENSITIVE}["']?,?\s+["']?)(?P<value>(?!-)[^\s"']+)""", re.IGNORECASE)
# These words stand before nothing but a secret, so a value without quotes and digits is one too.
_PLAIN_SECRET = re.compile(
    r"""(?P<name>(?:password|passwd|passphrase|api[_-]?key|secret[_-]?access[_-]?key):\s+)(?P<value>[^\s'",;)]{3,})""",
    re.IGNORECASE,
)
_BARE_SECRETS = re.compile(
    r"\bhf_(?!transfer\b)[A-Za-z0-9]{6,}|\bsk-[A-Za-z0-9_-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bgh[pousr]_[A-Za-z0-9]{20,}"
    r"|(?<=Bearer )[A-Za-z0-9._~+/=-]{8,}|(?<=Basic )[A-Za-z0-9+/=]{8,}|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"
    r"|(?<=X-Amz-Signature=)[0-9a-fA-F]+|(?<=X-Amz-Security-Token=)[^&\s]+"
)
_IS_SENSITIVE = re.compile(rf"{_SENSITIVE}$", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a variable or argument of this name holds a secret.

    >>> is_secret_name("HF_TOKEN"), is_secret_name("pad_token")
    (True, False)
    """
    return _IS_SENSITIVE.search(name) is not None


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace the values of keys, tokens and passwords, and each of the given secrets, by ``***``."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    text = _NAMED_SECRET.sub(lambda match: match["name"] + _quoted_like(match["value"]), text)
    for pattern in (_SPACED_SECRET, _PLAIN_SECRET):
        text = pattern.sub(lambda match: match["name"] + MASK, text)
    return _BARE_SECRETS.sub(MASK, text)


def _quoted_like(value: str) -> str:
    return f"{value[0]}{MASK}{value[0]}" if value[0] in "'\"" else MASK
