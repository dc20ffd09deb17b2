"""The texts of ``tests/golden/hostile.yaml``, filled in; the file says what its columns mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import yaml

FILE = Path(__file__).parents[1] / "golden" / "hostile.yaml"
# What acts in a terminal, or turns what is read: C0 and C1 but for tab and line feed, directions, tags, surrogates.
ACTING = frozenset(
    code
    for first, last in [
        (0, 8),
        (0x0B, 0x1F),
        (0x7F, 0x9F),
        (0x061C, 0x061C),
        (0x200E, 0x200F),
        (0x202A, 0x202E),
        (0x2066, 0x2069),
        (0xFFF9, 0xFFFB),
        (0xE0000, 0xE007F),
        (0xD800, 0xDFFF),
    ]
    for code in range(first, last + 1)
)
ELEMENTS = frozenset(
    """
    a b blockquote br code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i li ol p pre s small span strong sub sup
    table tbody td th thead tr ul
    """.split()  # noqa: SIM905 - it reads better
)
ATTRIBUTES = frozenset(["align", "border", "class", "colspan", "href", "id", "rel", "start", "style", "value"])
"""Of the elements that a face of ours, or Markdown, has by itself."""
STYLE_VALUES = ("url(", "expression", "@import", "position:fixed", "position: fixed")


@dataclass(frozen=True)
class Hostile:
    """One text, and what it tries."""

    id: str
    where: str
    acts: str
    tries: str
    text: str


@cache
def hostile(port: int = 9) -> tuple[Hostile, ...]:
    """All texts; what they ask for is asked of ``port`` on the loopback."""
    host = f"127.0.0.1:{port}"
    found = []
    for row in yaml.safe_load(FILE.read_text(encoding="utf-8")):
        fills = {"__RUN__": "top.__owned=/__ID__/.source", "__URL__": f"http://{host}/__ID__", "__HOST__": host}
        text = row["text"]
        for sign, value in {**fills, "__ID__": row["id"]}.items():
            text = text.replace(sign, value)
        found.append(Hostile(row["id"], row["where"], row["acts"], row["tries"], text * row.get("times", 1)))
    return tuple(found)


def acting(text: str) -> list[str]:
    """The characters of a shown text that do something."""
    return sorted({f"U+{ord(character):04X}" for character in text if ord(character) in ACTING})


def live(html: str) -> list[str]:
    """What in a piece of HTML is more than words: elements, attributes and links that no face of ours makes."""
    found = _Live()
    found.feed(html)
    found.close()
    return found.seen


class _Live(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ELEMENTS:
            self.seen.append(f"<{tag}>")
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name not in ATTRIBUTES:
            self.seen.append(f"{tag} {name}={value[:40]}")
        if name == "href" and urlsplit(value).scheme not in ("http", "https", "mailto") and not value.startswith("#"):
            self.seen.append(f"{tag} href={value[:40]}")
        if name == "style" and any(one in value.replace(" ", "") for one in STYLE_VALUES):
            self.seen.append(f"{tag} style={value[:40]}")

    def handle_comment(self, data: str) -> None:
        self.seen.append(f"<!--{data[:20]}")

    def handle_decl(self, decl: str) -> None:
        self.seen.append(f"<!{decl[:20]}")

    def unknown_decl(self, data: str) -> None:
        self.seen.append(f"<![{data[:20]}")

    def handle_pi(self, data: str) -> None:
        self.seen.append(f"<?{data[:20]}")
