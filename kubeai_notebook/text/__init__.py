"""The border where words from outside become words that are shown.

A Model's answer, an engine's log, an error body, an object's name: each is written by somebody
else and shown by us. In a terminal a control character acts (it can set the clipboard, rewrite
a line above, turn the reading direction), and JupyterLab runs the HTML inside Markdown that the
kernel sends. So everything foreign passes through here, at the last step before a face, and no
face has rules of its own. Standard library only: `errors` stands on this module.
"""

from __future__ import annotations

import re

LONGEST = 100_000
"""Characters of an answer that is shown; a longer one is cut, and shown as plain text only."""

REPLACEMENT = "\ufffd"
"""Stands for a character that may not be shown."""

# Whole escape sequences go (an engine's colours are no loss): CSI; OSC, DCS, SOS, PM and APC with their text; ESC x.
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x85\x90\x98\x9c-\x9f\r\n\u2028\u2029]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# What is left of them, and all else that acts instead of being seen: C0 and C1 but for tab and line feed, marks that
# turn the reading direction, annotations, tags that hide a text in another one, and halves of surrogate pairs, which
# cannot be encoded.
_ACTS = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_ACTING = re.compile(_ACTS)
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\u0085]")
UNSEEN = re.compile(
    rf"{_ESCAPE.pattern}|(?![\r\x85]){_ACTS}|[{REPLACEMENT}\u00ad\u200b-\u200d\u2060-\u2064\ufeff]"
    r"|\\(?:x1[bB]|u001[bB]|033|e)\[[0-?]*[ -/]*[@-~]"
)
"""What stands between two characters and lets the eye read them as neighbours: all that `plain` takes out or replaces,
characters without a width, and colours as JSON, Python and YAML spell them."""


def plain(text: str, limit: int | None = None) -> str:
    r"""Text that does nothing but show itself: printable characters, tabs and line feeds.

    ``limit`` is the greatest number of characters; what is longer is cut and ends in ``…``.

    >>> plain("\x1b[31mred\x1b[0m \x07bell\rnext")
    'red �bell\nnext'
    """
    if limit is not None and len(text) > limit:
        # Cut first, so that a huge text costs no more than its beginning.
        text = text[: max(limit - 1, 0)] + "…"
    if text.isascii() and text.isprintable():
        return text
    return _ACTING.sub(REPLACEMENT, without_escapes(_LINE_ENDS.sub("\n", text)))


def encodable(text: str) -> str:
    r"""The text as every encoding can have it: half a character, as a cut emoji leaves it, becomes ``?``.

    >>> encodable("a\ud83d")
    'a?'
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def without_escapes(text: str) -> str:
    """The text without escape sequences: colours, movements of the cursor, titles of windows."""
    return _ESCAPE.sub("", text)


def one_line(text: str, limit: int | None = None) -> str:
    """The same in one line: every run of white space is one space."""
    return plain(" ".join(plain(text, limit).split()), limit)


def markdown(text: str) -> str:
    """Markdown that shows a Model's words and does nothing else, whichever program draws it.

    Headings, emphasis, lists, tables, code, formulas and links to http, https and mailto are kept; HTML, pictures
    and all other links are shown as text. A very long text is cut, and says so.
    """
    from .guard import guarded

    return guarded(text)


class ShownAsText:
    """Base of what shows itself as text: the words of a subclass's ``_text`` pass the border before they are seen.

    `present.html.ShownAsHtml` is the same for what has a form in HTML.
    """

    __slots__ = ()

    def _text(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return plain(self._text(), LONGEST)
