"""Words that several rooms need: the nearest name, an API server's sentence without its values, times and sizes."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# The API server quotes the value before the rule's sentence; 1.35 and later leave "object" out.
_QUOTED_VALUE = re.compile(r'^Invalid value: (("(\\.|[^"])*"|[\w.+-]+): )?')


# What follows an API server's rule on names: "(e.g. 'MyValue', …, regex used for validation is '…')".
_REGEX = re.compile(r" ?\(e\.g\. [^()]{0,200}, regex used for validation is '[^']{0,300}'\)")


_INTO_A_CACHE_ONLY = 'urls of format "{0}://..." only supported when using a cacheProfile'
_RULES = {
    "minReplicas should be less than or equal to maxReplicas.": (
        "The fewest replicas (min_replicas) are more than the most (max_replicas). "
        "Lower the first, or raise the second."
    ),
    "adapters only supported with VLLM engine.": "Only vLLM serves adapters. Use engine VLLM, or leave adapters out.",
    'cacheProfile is only supported with urls of format "hf://...", "s3://...", "gs://...", or "oss://..." at the '
    "moment.": "A cache_profile holds weights of hf://, s3://, gs:// and oss:// urls only. Leave it out.",
    **{
        _INTO_A_CACHE_ONLY.format(scheme): f"KubeAI loads {scheme}:// urls into a cache only. Set cache_profile."
        for scheme in ("gs", "oss")
    },
    "cacheProfile is immutable.": (
        "The cache_profile of a Model cannot be changed. Serve it under another name, or delete it first."
    ),
    "url is immutable when using cacheProfile.": (
        "The url of a Model with a cache_profile cannot be changed. Serve it under another name, or delete it first."
    ),
    "All file paths must be unique.": "Two files have the same path. Give each its own.",
}
"""KubeAI's own rules in words, by what the CRD says: its reader knows neither Kubernetes' spelling nor the rule."""


_TOO_LARGE = re.compile(r'Checked value must be of type integer|must be of type integer: "number"$')
"""A whole number of more bits than its field has."""


def sentence_of(message: str) -> str:
    """An API server's cause without the value that it quotes, which may be long or a secret, and without its regex."""
    if _TOO_LARGE.search(message):
        return "The number is larger than KubeAI can hold. Give a smaller one."
    sentence = _REGEX.sub("", _QUOTED_VALUE.sub("", message))
    return _RULES.get(sentence, sentence)


def nearest(word: str, known: Iterable[str], *, share: float = 0.6) -> str:
    """The known word that is nearest in spelling, whatever its letter case; ``""`` where none is near.

    ``share`` is how much they must have in common, as difflib counts it: names of few characters need less.

    >>> nearest("vlm", ["OLlama", "VLLM"])
    'VLLM'
    """
    by_lower = {name.lower(): name for name in sorted(known)}
    near = difflib.get_close_matches(word[:80].lower(), by_lower, n=1, cutoff=share)
    return by_lower[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``' Did you mean "x"?'`` for the nearest known word, or ``""``."""
    near = nearest(word, known)
    return f' Did you mean "{near}"?' if near else ""


def with_article(noun: str) -> str:
    """The noun behind its article, by its first letter.

    >>> with_article("int"), with_article("dict")
    ('an int', 'a dict')
    """
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def size(size_bytes: float) -> str:
    """An amount of bytes as publishers and disks count them, in powers of ten.

    >>> size(271e6), size(1.32e9), size(2.3e13)
    ('271 MB', '1.3 GB', '23.0 TB')
    """
    if size_bytes >= 1e12:
        return f"{size_bytes / 1e12:.1f} TB"
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def duration(seconds: float, *, exact: bool = False) -> str:
    """A length of time as people say it: about how long it is or, ``exact``, its two largest units.

    >>> duration(200), duration(200, exact=True), duration(90), duration(7500, exact=True)
    ('3 min', '3 min 20 s', '90 s', '2 h 5 min')
    """
    whole = max(int(seconds), 0)
    if not exact:
        # Below two of a unit, the smaller one says more: 90 min, not 2 h.
        unit, length = next((one for one in _UNITS if whole >= 2 * one[1]), _UNITS[-1])
        return f"{whole / length:.0f} {unit}"
    first = next((index for index, (_, length) in enumerate(_UNITS) if whole >= length), len(_UNITS) - 1)
    words = []
    for unit, length in _UNITS[first : first + 2]:
        amount, whole = divmod(whole, length)
        words.append(f"{amount} {unit}")
    return " ".join(words)


_DOES = {
    "TextGeneration": "generates text",
    "TextEmbedding": "makes embeddings",
    "Reranking": "ranks texts",
    "SpeechToText": "writes down speech",
}


def what_it_does(features: Iterable[str]) -> str:
    """What a Model with these features is for; ``""`` where none of them is known.

    >>> what_it_does(["TextEmbedding", "Reranking"])
    'makes embeddings and ranks texts'
    """
    return " and ".join(_DOES[feature] for feature in features if feature in _DOES)
