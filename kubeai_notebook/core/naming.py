"""Names: what Kubernetes, KubeAI and the gateway accept, and how a name is made from something else."""

from __future__ import annotations

import re
import unicodedata

from kubeai_notebook.core.notice import Notice, wrong
from kubeai_notebook.errors import SpecError

from .masking import masked, quoted

MAX_NAME_LENGTH = 40
"""KubeAI's rule on ``metadata.name``, in characters."""
MAX_GENERATED_LENGTH = 39
"""The platform cuts the names it makes one character earlier."""
SUFFIX_LENGTH = 6
_LONGEST_READ = 1000

# RFC 1123 subdomain: dots are legal; the underscore is not, and separates adapters at the gateway.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def check_name(name: str) -> list[Notice]:
    """Return what is wrong with a Model's name; an empty list when nothing is."""
    if len(name) > MAX_NAME_LENGTH:
        shorter = sanitized(name[:_LONGEST_READ]) if masked(name) == name else ""
        fix = f' Call it "{shorter}".' if shorter else ""
        message = (
            f"The name {quoted(name, 50)} has {len(name)} characters; KubeAI takes {MAX_NAME_LENGTH} at most.{fix}"
        )
        return [wrong("name", "NameTooLong", message)]
    if not _NAME.fullmatch(name):
        suggestion = sanitized(name) if masked(name) == name else ""
        fix = f'Call it "{suggestion}".' if suggestion else "Start and end with a letter or a digit."
        message = f'The name {quoted(name)} may hold only small letters, digits, "-" and ".". {fix}'
        return [wrong("name", "InvalidName", message)]
    return []


def sanitized(text: str) -> str:
    """Turn any text into a legal name of at most 39 characters; ``""`` when nothing is left.

    >>> sanitized("Qwen2.5_0.5B Instruct")
    'qwen2.5-0.5b-instruct'
    >>> sanitized("modèle")
    'modele'
    """
    # Accents stand apart from their letters then, and go.
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    cleaned = re.sub(r"[^a-z0-9.]+", "-", plain.lower())
    cleaned = re.sub(r"[-.]*\.[-.]*", ".", cleaned)
    return cleaned[:MAX_GENERATED_LENGTH].strip("-.")


def unique_name(name: str, suffix: str) -> str:
    """Append a random suffix as the platform does, cutting the name and never the suffix.

    >>> unique_name("tinyllama-chat", "123xyz")
    'tinyllama-chat-123xyz'

    Raises:
        SpecError: the suffix is not six small letters or digits.
    """
    if not re.fullmatch(rf"[a-z0-9]{{{SUFFIX_LENGTH}}}", suffix):
        raise SpecError([wrong("name", "InvalidName", f'The suffix "{suffix}" is not six small letters or digits.')])
    head = sanitized(name)[: MAX_GENERATED_LENGTH - SUFFIX_LENGTH - 1].rstrip("-.")
    return f"{head}-{suffix}" if head else suffix


def request_name(name: str, adapter: str | None = None) -> str:
    """The model id that the gateway expects: ``<name>`` or ``<name>_<adapter>``."""
    return f"{name}_{adapter}" if adapter else name
