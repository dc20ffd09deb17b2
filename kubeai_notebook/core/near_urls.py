"""Which url somebody may have meant: every "did you mean" of a url is decided here, names by `messages.nearest`.

How much two urls must have in common depends on what is known. Of one that is not there, whatever is near is worth
saying. Of one that nobody has looked for, only a slip of one letter is: it may well exist.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from .messages import nearest
from .source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEAR = 0.8
"""What two urls have in common where one may be a slip for the other; their scheme alone is much."""
_CERTAIN = 0.88
"""How much of two names must be the same before one is taken for the other misspelt: mistral and mixtral are two."""
_NEAR_HOST = 0.85
_HOSTS = (
    "docker.io", "gcr.io", "ghcr.io", "hf.co", "huggingface.co", "mcr.microsoft.com", "nvcr.io", "ollama.com",
    "public.ecr.aws", "pypi.org", "quay.io", "registry-1.docker.io", "registry.k8s.io", "registry.ollama.ai",
)  # fmt: skip
"""Where models and engines' images come from."""


def near_url(url: str, urls: Iterable[str]) -> str:
    """The nearest url to one that is not there; ``""`` where none is near."""
    return nearest(url, urls, share=_NEAR)


def near_host(host: str) -> str:
    """The known registry or hub that is nearest to a host which cannot be reached; ``""`` where none is near.

    >>> near_host("hugginface.co"), near_host("ghrc.io:443"), near_host("ghcr.io"), near_host("registry.corp")
    ('huggingface.co', 'ghcr.io', '', '')
    """
    name = host.partition(":")[0].lower()
    return "" if name in _HOSTS else nearest(name, _HOSTS, share=_NEAR_HOST)


def urls_like(name: str, urls: Iterable[str]) -> list[str]:
    """The urls, those first that are most like a name."""
    return sorted(urls, key=lambda url: SequenceMatcher(None, name.lower(), url.lower()).ratio(), reverse=True)


def misspelt_url(url: str, urls: Iterable[str]) -> str:
    """The url that somebody misspelt in one letter, or in its capitals; ``""`` where this one may well exist.

    Versions and sizes are numbers, so they tell no slip from another model: only letters are compared, and a name
    that goes on where a known one ends (gemma3n) is a name of its own. Of a tag behind a known name only a letter too
    many or too few is a slip: with another letter (q4_K_M, q4_K_S) it is another quantization.

    >>> misspelt_url("ollama://smolm2:135m", ["ollama://smollm2:360m", "ollama://smollm2:135m"])
    'ollama://smollm2:135m'
    >>> misspelt_url("ollama://smollm2:135M", ["ollama://smollm2:135m"])
    'ollama://smollm2:135m'
    >>> misspelt_url("ollama://smollm2:135mm", ["ollama://smollm2:135m"])
    'ollama://smollm2:135m'
    >>> misspelt_url("ollama://qwen3:14b", ["ollama://qwen3:8b"])
    ''
    """
    source, urls = Source(url), sorted(urls)
    if url not in urls and (same := [known for known in urls if known.lower() == url.lower()]):
        return same[0]
    names: dict[str, list[Source]] = {}
    for known in map(Source, urls):
        if known.scheme == source.scheme:
            names.setdefault(_letters(known), []).append(known)
    wanted = _letters(source)
    if not wanted:
        return ""
    if wanted in names:
        return "" if url in urls else _with_tag_slip(source, names[wanted])
    for name, spelt in names.items():
        alike = SequenceMatcher(None, wanted, name).ratio()
        longest = max(len(wanted), len(name))
        own = wanted.startswith(name) or name.startswith(wanted)
        if not own and alike >= max(_CERTAIN, 1 - 1 / longest):
            return str(max(spelt, key=lambda known: SequenceMatcher(None, url, known).ratio()))
    return ""


def _with_tag_slip(source: Source, known: Iterable[Source]) -> str:
    """The first of these whose name is the same, and whose tag has a letter more or less."""
    name, _, tag = source.reference.lower().partition(":")
    tags = ((url, *url.reference.lower().partition(":")) for url in known)
    return next((str(url) for url, own, _, other in tags if own == name and _has_letter_more(tag, other)), "")


def _has_letter_more(one: str, other: str) -> bool:
    """Whether one of two tags is the other with one letter more, behind its first one: e2b is no 2b."""
    shorter, longer = sorted((one, other), key=len)
    without = (longer[:at] + longer[at + 1 :] for at in range(1, len(longer)) if longer[at].isalpha())
    return bool(shorter) and shorter in without


def _letters(source: Source) -> str:
    name = source.reference.partition(":")[0]
    return "".join(letter for letter in name.lower() if letter.isalpha())
