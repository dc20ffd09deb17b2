"""Hiding secrets in text: the union of all that the detectors find, each on the text as it was.

Every detector gives spans and none replaces anything, so their order does not matter, a value
that two of them find is hidden once, and the same spans tell `model` which values to look for
elsewhere. All of it is linear in the length of the text.

A colour, an escape sequence or a control character inside a secret hides it from no reader (rich
colours the digits of a word), and `kubeai_notebook.text` takes it out later. So each detector
looks through them, and it does not matter whether a text is made plain before or after.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubeai_notebook.text import UNSEEN, plain

from .named import named_spans
from .shapes import SHAPES
from .spellings import SHORTEST_SECRET, SURE_LENGTH, spellings_of
from .urls import login_spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Span = tuple[int, int]

MASK = "***"
_MARGIN = 2_048
"""How much is looked at behind a cut, so that no half of a secret is left before it."""
_MAYBE_UNSEEN = re.compile(r"[^\t\n -\[\]-~]")
"""What most texts lack, and finds that out quickly."""
_FEW = 16
"""So many secrets are looked for one by one, which is faster for them; the time of that grows with their number."""
LONGEST_LINE = 32_000
"""What a line of a log is cut to, where nothing else is said."""


def masked(text: str, secrets: Iterable[str] = (), *, limit: int | None = None) -> str:
    """Replace the values of keys, tokens and passwords, and each of the given secrets, by ``***``.

    ``limit`` cuts the text to so many characters, so that no half of a secret stays at its end.
    """
    known = tuple(secrets)
    if limit is None or len(text) <= limit:
        return _covered(text, spans_in(text, known))
    margin = _margin(known)
    window = text[: limit + margin]
    shown = _covered(window, spans_in(window, known))
    return _cut(shown, limit, margin if len(text) > len(window) else 0)


def masked_repr(value: Any) -> str:
    """What ``repr`` of a dataclass would show, without the secrets in it: to be its ``__repr__``."""
    shown = (f"{one.name}={getattr(value, one.name)!r}" for one in fields(value) if one.repr)
    return masked(f"{type(value).__qualname__}({', '.join(shown)})")


def _cut(shown: str, limit: int, unsure: int) -> str:
    """The first ``limit`` characters, without the last ``unsure`` ones: a secret may begin there and not end."""
    return shown[: max(len(shown) - unsure, 0)][:limit]


def _margin(secrets: tuple[str, ...]) -> int:
    return max([_MARGIN, *(2 * len(secret) for secret in secrets)])


def spans_in(text: str, secrets: Iterable[str] = ()) -> list[Span]:
    """Where secrets are in the text, also those with something unseen inside: joined, in order."""
    known = tuple(secrets)
    if not _MAYBE_UNSEEN.search(text) or not UNSEEN.search(text):
        return joined(_spans(text, known))
    return joined([*_spans(_spaced(text), known), *_looked_through(text, known)])


def _spaced(text: str) -> str:
    """The same with blanks for what is unseen: it may part a secret from the word before it."""
    return UNSEEN.sub(lambda unseen: " " * len(unseen[0]), text)


def _looked_through(text: str, secrets: tuple[str, ...]) -> Iterator[Span]:
    edges = [0, *(edge for unseen in UNSEEN.finditer(text) for edge in unseen.span()), len(text)]
    places = [place for pair in zip(edges[::2], edges[1::2], strict=True) for place in range(*pair)]
    for start, end in _spans("".join(text[place] for place in places), secrets):
        yield places[start], places[end - 1] + 1


def _spans(text: str, secrets: tuple[str, ...]) -> list[Span]:
    low = text.lower()
    if len(low) != len(text):
        # Few letters become two; places must stay the same.
        low = "".join(char if len(char.lower()) != 1 else char.lower() for char in text)
    return [*own_spans(text, secrets), *_shape_spans(text, low), *login_spans(text, low), *named_spans(text, low)]


def joined(spans: list[Span]) -> list[Span]:
    """The same in order, with those joined that touch."""
    if len(spans) < 2:
        return spans
    spans.sort()
    kept = [spans[0]]
    for start, end in spans[1:]:
        if start > kept[-1][1]:
            kept.append((start, end))
        elif end > kept[-1][1]:
            kept[-1] = (kept[-1][0], end)
    return kept


def _covered(text: str, spans: Iterable[Span]) -> str:
    pieces, done = [], 0
    for start, end in spans:
        pieces += [text[done:start], MASK]
        done = end
    return "".join([*pieces, text[done:]])


def _shape_spans(text: str, low: str) -> Iterator[Span]:
    for pattern in [pattern for hint, pattern in SHAPES if hint in low]:
        for match in pattern.finditer(text):
            if match["value"]:
                yield match.span("value")


def own_spans(text: str, secrets: tuple[str, ...]) -> Iterator[Span]:
    """Where the secrets themselves are, in any of their spellings."""
    for start, end in _every(text, secrets) if len(secrets) <= _FEW else _every_of_many(text, secrets):
        if end - start >= SURE_LENGTH or not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
            yield start, end


def _every(text: str, secrets: tuple[str, ...]) -> Iterator[Span]:
    for spelling in (spelling for secret in secrets for spelling in spellings_of(secret)):
        start = text.find(spelling)
        while start >= 0:
            end = start + len(spelling)
            yield start, end
            start = text.find(spelling, end)


def _every_of_many(text: str, secrets: tuple[str, ...]) -> Iterator[Span]:
    """The same in one walk over the text, however many secrets there are, and however alike."""
    by_head = _same_by_head(secrets)
    for start in range(len(text) - SHORTEST_SECRET + 1):
        if known := by_head.get(text[start : start + SHORTEST_SECRET]):
            for spelling in known.longest_at(start, text):
                yield start, start + len(spelling)


class _OfOneHead:
    """Spellings that begin alike, in order: below each stand those that go on where it ends."""

    def __init__(self, spellings: Iterable[str]) -> None:
        self._sorted = sorted(spellings)
        self._longest = max(map(len, self._sorted))
        self._up: list[int] = []
        """Of each the longest one that it goes on, or -1."""
        self._leap: list[int] = []
        """Of each one further up, so that a way up takes steps as the logarithm of its length."""
        depths: list[int] = []
        for place, spelling in enumerate(self._sorted):
            up = place - 1
            while up >= 0 and not spelling.startswith(self._sorted[up]):
                up = self._up[up]
            leap = self._leap[up] if up >= 0 else -1
            further = self._leap[leap] if leap >= 0 else -1
            depth_of = [depths[one] if one >= 0 else 0 for one in (up, leap, further)]
            self._leap.append(further if depth_of[0] - depth_of[1] == depth_of[1] - depth_of[2] else up)
            self._up.append(up)
            depths.append(depth_of[0] + 1)

    def longest_at(self, start: int, text: str) -> Iterator[str]:
        """The longest one at this place; where it is short, also the others, since it may be no word of its own."""
        place = bisect_right(self._sorted, text[start : start + self._longest]) - 1
        while place >= 0 and not text.startswith(self._sorted[place], start):
            leap = self._leap[place]
            is_above = leap >= 0 and not text.startswith(self._sorted[leap], start)
            place = leap if is_above else self._up[place]
        while place >= 0:
            yield self._sorted[place]
            place = self._up[place] if len(self._sorted[place]) < SURE_LENGTH else -1


_newest: tuple[tuple[str, ...], dict[str, _OfOneHead]] = ((), {})


def _same_by_head(secrets: tuple[str, ...]) -> dict[str, _OfOneHead]:
    """That of the very tuple of the call before: to find a long one among those remembered, all of it is read anew."""
    global _newest  # noqa: PLW0603 - replaced as a whole, so that threads see the one or the other
    known, by_head = _newest
    if known is not secrets:
        by_head = _by_head(secrets)
        _newest = (secrets, by_head)
    return by_head


@lru_cache(maxsize=24)
def _by_head(secrets: tuple[str, ...]) -> dict[str, _OfOneHead]:
    """The secrets' spellings by their first characters."""
    by_head: dict[str, set[str]] = {}
    for spelling in (spelling for secret in secrets for spelling in spellings_of.__wrapped__(secret)):
        by_head.setdefault(spelling[:SHORTEST_SECRET], set()).add(spelling)
    return {head: _OfOneHead(spellings) for head, spellings in by_head.items()}


def masked_lines(lines: Iterable[str], secrets: Iterable[str] = (), *, limit: int = LONGEST_LINE) -> Iterator[str]:
    """Make a log plain and mask it line by line, as it comes: also what one line begins and the next ends.

    A line with carriage returns inside has line feeds there. A private key stands on many lines; a
    terminal's width breaks a value, or a name from its value. ``limit``: characters that are kept of a line.
    """
    state = _Lines(tuple(secrets))
    return (state.masked(line, limit) for line in lines)


_PEM_BEGINS = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----(?!.*-----END )")
_PEM_BODY = re.compile(r"[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{70}|[A-Za-z0-9+/]{76}")
_EDGE = re.compile(r"[\s│|>\\]*+")
_WORD = re.compile(r"[A-Za-z0-9_+/=.-]*+")
_CONTEXT = 160
_MOST_FOLLOWED = 1_000
"""So many secrets, the longest, are followed from one line to the next: each is looked for at the end of every line."""


class _Lines:
    """What the lines so far leave open."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        self._margin = _margin(secrets)
        self._in_pem = False
        self._rests: tuple[str, ...] = ()
        """What the next line begins with if the last one ended inside one of the secrets."""
        self._before = ""
        """The end of the line before."""
        self._broken = False
        """Whether the line before ended inside something that looked like a secret."""

    def masked(self, line: str, limit: int) -> str:
        unsure = self._margin if len(line) > limit + self._margin else 0
        line = line[: limit + self._margin].removesuffix("\r")
        shown = plain(line)
        # Where an escape sequence alone parts a secret from a word, they are one word when it is gone.
        parted = () if shown == line else {plain(line[slice(*span)]) for span in _spans(_spaced(line), self._secrets)}
        return _cut("\n".join(self._covered(part, parted) for part in shown.split("\n")), limit, unsure)

    def _covered(self, line: str, parted: Iterable[str]) -> str:
        if self._is_of_pem(line):
            return MASK
        spans = [*spans_in(line, self._secrets), *self._over(line)]
        spans += [match.span() for value in parted for match in re.finditer(re.escape(value), line)]
        self._look_ahead(line, spans)
        return _covered(line, joined(spans))

    def _is_of_pem(self, line: str) -> bool:
        if self._in_pem:
            self._in_pem = "-----END " not in line and line.strip() != ""
            return "-----END " not in line
        self._in_pem = "-----BEGIN " in line and _PEM_BEGINS.search(line) is not None
        bare = line.strip()
        if not self._in_pem and len(bare) in (64, 70, 76) and _PEM_BODY.fullmatch(bare):
            # The middle of a key whose first line is further back than what was read.
            return all(any(map(test, bare)) for test in (str.isupper, str.islower, str.isdigit))
        return False

    def _over(self, line: str) -> Iterator[Span]:
        """What belongs to a secret that the line before began."""
        edge = _EDGE.match(line)
        start = edge.end() if edge else 0
        stripped = line[start:].rstrip(" \t│|\\")
        for rest in self._rests:
            if line.startswith(rest, start):
                yield start, start + len(rest)
            elif stripped and rest.startswith(stripped):
                yield start, start + len(stripped)
        if not self._before:
            return
        if start and self._broken and (word := _WORD.match(line, start)):
            value = word[0]
            if any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and len(value) >= SHORTEST_SECRET:
                yield word.span()
        head = f"{self._before} "
        seam = head + line[start : start + _CONTEXT]
        for first, last in spans_in(seam):
            if last > len(head) and first >= len(self._before) - 1:
                yield max(first - len(head), 0) + start, last - len(head) + start

    def _look_ahead(self, line: str, spans: list[Span]) -> None:
        """Remember what this line leaves open."""
        bare = line.rstrip(" \t│|\\\r")
        rests = []
        for secret in self._secrets[:_MOST_FOLLOWED]:
            if (size := _overlap(bare, secret)) and size < len(secret):
                if size >= SHORTEST_SECRET:
                    spans.append((len(bare) - size, len(bare)))
                rests.append(secret[size:])
        stripped = bare.lstrip(" \t│|>")
        rests += [rest[len(stripped) :] for rest in self._rests if stripped and rest.startswith(stripped)]
        self._rests = tuple(rest for rest in rests if len(rest) >= 2)
        end = max((span[1] for span in spans), default=-1)
        self._broken = end >= len(bare) > 0
        is_open = bare[-80:].rstrip(" \t:=>,[(]\"'").lower().endswith(_LEFT_OPEN)
        self._before = bare[-_CONTEXT:] if self._broken or is_open else ""


_LEFT_OPEN = (
    "token", "secret", "password", "passwd", "passphrase", "pass", "pwd", "key", "credential", "credentials", "auth",
    "authorization", "jwt", "pat", "bearer", "basic", "cookie",
)  # fmt: skip
"""Names whose value may stand on the next line."""


def _overlap(text: str, secret: str) -> int:
    """How many characters at the end of the text are the beginning of the secret."""
    if not text:
        return 0
    last, longest = text[-1], min(len(secret), len(text))
    size = secret.rfind(last, 0, longest) + 1
    while size > 0 and not text.endswith(secret[:size]):
        size = secret.rfind(last, 0, size - 1) + 1
    return size


_ODD = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])[A-Za-z0-9]{20,}")


def quoted(text: str, limit: int = 80) -> str:
    """A text of the user's for a sentence, in quotation marks: cut, masked, and without words that no person makes up.

    Somebody may have put a secret where a name or a url belongs.
    """
    shown = re.sub(
        r"[A-Za-z0-9]{20,}", lambda run: MASK if _ODD.fullmatch(run[0]) else run[0], masked(text, limit=10_000)
    )
    return f'"{shown}"' if len(shown) <= limit else f'"{shown[: limit - 1]}…"'
