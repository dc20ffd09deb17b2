r"""A Model's Markdown, written anew so that it shows words and does nothing else.

A kernel's Markdown is trusted: JupyterLab runs the scripts in it, follows its command links, draws its Mermaid
figures and fetches its pictures, and so does a page that nbconvert writes. Nobody can guess how each program reads an
odd text (a code span that a table's cell cuts in two, a fence in a list, a formula across a code span), and where two
programs differ, one of them sees a tag. So this module does not look for what is dangerous. It keeps the few
constructs below, each in the one form on which the programs agree, and writes every other active character as an
entity:

* fenced code at the left edge, between blank lines, behind a fence longer than any in it, with a known language;
* code spans in one line, unless something outside of the span could cut it in two;
* formulas between dollars, see `formulas`;
* links to http, https and mailto, their address in percent encoding; a picture becomes a link;
* emphasis, headings, quotes, lists, tables and lines, which can only look.

Two facts are worth knowing. JupyterLab takes formulas out of the text before it reads the Markdown and puts them back
into the finished HTML, quotation marks and all: a formula in an address would leave its attribute. And a page may hold
attributes, directives, metadata and raw passages of other dialects (``{onclick=…}``, ``:::``, ``---``, ``{=html}``):
braces and colons count as active, too.
"""

from __future__ import annotations

import re
from html import unescape
from string import punctuation
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from . import LONGEST, plain
from .formulas import typeset

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_BLOCK = 20_000
"""Characters between two blank lines; more is shown as code, since programs need quadratic time for it."""
MOST_EMPHASIS = 400
"""Stars and underscores between two blank lines; marked, which JupyterLab uses, needs half a minute for 10,000."""
MOST_BLOCKS = 2000
"""Passages between blank lines: marked's time grows with their square, and 16,000 freeze a page for 15 s."""
MOST_DOLLARS = 400
"""Dollars between two blank lines; marked again."""
LONGEST_URL = 2000
_BLANK_LINES = re.compile(r"\n[ \t]*+(?=\n)")

# Languages that are coloured. Others are left out, also since programs draw some: mermaid, math, vega, plantuml …
_LANGUAGES = frozenset(
    """
    bash bat c c# c++ clojure cmake cmd console cpp cs csharp css csv cuda dart diff docker dockerfile elixir erlang
    fortran fsharp go golang graphql groovy h haskell hcl hpp html http ini ipython java javascript js json json5 jsonc
    jsx julia kotlin less log lua makefile markdown matlab md nginx nim objective-c ocaml octave output patch perl php
    plain plaintext powershell properties protobuf ps1 py py3 pycon python python3 r rb rs rst ruby rust scala scss sh
    shell solidity sql swift terminal terraform text toml ts tsx txt typescript vb verilog vhdl vim xml yaml yml zig zsh
    """.split()  # noqa: SIM905 - it reads better
)
_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")
# Nobody writes deeper than this, and programs that read it by recursion break.
_DEEP = re.compile(r"(?:[ \t]*+(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))){6}")
_DEEPEST_INDENT = 24
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]")

# A passage that is ready, by its number. `plain` leaves no such characters in a text.
_READY = re.compile("\x01(\\d+)\x02")
_FORMULA = re.compile(
    r"(?<![\\$])\$\$(?!\$)(?P<display>[^$\x01]++)\$\$(?![$\d])"
    r"|(?<![\\$A-Za-z0-9@/:])\$(?![\s$])(?P<inline>[^$\n\x01]++)(?<![\s\\])\$(?![$A-Za-z0-9])"
    r"|(?<!\\)\\\((?P<round>(?:[^\\$\n\x01]|\\(?![()\[\]])[^\n\x01$])*+)\\\)"
    r"|(?<!\\)\\\[(?P<square>(?:[^\\$\x01]|\\(?![()\[\]])[^\x01$])*+)\\\]"
    r"|(?<!\\)\\begin\{(?P<name>[A-Za-z]+\*?)\}(?:[^\\$\x01]|\\(?!(?:begin|end)\{)[^\x01$]"
    r"|\\begin\{(?P<inner>[A-Za-z]+\*?)\}(?:[^\\$\x01]|\\(?!(?:begin|end)\{)[^\x01$])*+\\end\{(?P=inner)\})*+"
    r"\\end\{(?P=name)\}"
)
_LABEL = r"\[(?P<label>(?:[^\[\]\n]|\[[^\[\]\n]*\])*+)\]"
_TARGET = (
    r"\([ \t]*+<?(?P<url>[^\s<>()\x01]*+(?:\([^\s<>()\x01]*\)[^\s<>()\x01]*+)*+)>?"
    r"""(?:[ \t]++(?:"[^"\n]*+"|'[^'\n]*+'))?[ \t]*+\)"""
)
_PICTURE = re.compile(f"!{_LABEL}{_TARGET}")
_LINK = re.compile(f"{_LABEL}{_TARGET}")
_ADDRESS = re.compile(
    r"<(?P<between>(?:https?://|mailto:)[^\s<>\x01]+)>|\b(?P<bare>https?://[^\s<>\"'`\x01]{1,2000})", re.I
)
_WEB = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9][a-z0-9.-]*)(?P<port>:\d{1,5})?(?P<rest>[/?#].*)?", re.I)
_MAIL = re.compile(r"mailto:(?P<to>[\w.+-]+@[a-z0-9][a-z0-9.-]*)(?:\?(?P<rest>.*))?", re.I | re.ASCII)
_ACTIVE = re.compile(
    r"^[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+\[[ xX]\](?=[ \t])"  # a task's box, which stays
    r"|\\(?P<escaped>[!-/:-@\[-`{-~])|\\(?P<command>begin|end|ref|eqref)?"
    r"|&(?P<entity>\#\d{1,7}|\#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});"
    # marked takes tildes and a backtick behind them together, and then misses the code span.
    r"|~{3,}|(?<!~)~(?!~)|~+(?=\x01)|^[ \t]*:::+|:(?=//)|\bwww\.|!(?=[\[\x01])|@(?=@)|[<&\[\]{}`$]",
    re.MULTILINE | re.IGNORECASE,
)
_EMPHASIS = re.compile("[*_]")
# In a code span: what would act if it were text, and what could make it text, since it binds to something outside.
_WOULD_ACT = re.compile(r"<[A-Za-z/!?]|&#?\w+;|\]\(")
_MAY_BIND = re.compile(r"[|*$\\]|~|(?<![^\W_])_|_(?![^\W_])")
_NEVER_CODE = re.compile(r"`|\$\$|\\\\|\\$|\\(?:begin|end)\{|@@")
_JOINER: Final = "\u2060"
"""Keeps two characters apart without being seen."""


def guarded(text: str) -> str:
    """See `kubeai_notebook.text.markdown`."""
    if len(text) > LONGEST:
        cut = f"This answer has {len(text):,} characters. The first {LONGEST:,} follow as plain text."
        return f"{cut}\n\n{_fenced(plain(text[:LONGEST]).split(chr(10)))}"
    shown = plain(text).replace("\ufeff", "")
    if len(_BLANK_LINES.findall(shown)) > MOST_BLOCKS:
        return f"This answer has very many paragraphs. It follows as plain text.\n\n{_fenced(shown.split(chr(10)))}"
    return "\n\n".join(_parts(shown.split("\n")))


def _parts(lines: list[str]) -> Iterator[str]:
    """Fences, and what stands between blank lines."""
    block: list[str] = []
    rest = iter(lines)
    in_list = False
    for line in rest:
        opening = _FENCE.fullmatch(line)
        if line.strip() and not opening:
            block.append(line)
            continue
        if block:
            in_list = _goes_on_list(block[0], in_list)
            yield _shown_block(block, in_list=in_list)
            block = []
        if opening:
            yield _fenced(_content(opening, rest), opening["info"])
    if block:
        yield _shown_block(block, in_list=_goes_on_list(block[0], in_list))


def _goes_on_list(line: str, in_list: bool) -> bool:
    return bool(_LIST_ITEM.match(line)) or (in_list and line[0] in " \t")


def _shown_block(lines: list[str], *, in_list: bool) -> str:
    if not in_list and all(line.startswith(("    ", "\t")) for line in lines):
        return _fenced([line[1:] if line[0] == "\t" else line[4:] for line in lines])
    if re.fullmatch(r"-{3,}[ \t]*", lines[0]):
        # The same line, but no begin of metadata.
        lines = ["***", *(["", *lines[1:]] if lines[1:] else [])]
    if sum(map(len, lines)) > LONGEST_BLOCK or sum(line.count("$") for line in lines) > MOST_DOLLARS:
        return _fenced(lines)
    return _Block(lines).shown()


def _content(opening: re.Match[str], rest: Iterator[str]) -> list[str]:
    """The lines of a fence up to its end, or to the end of all."""
    fence, indent = opening["fence"], len(opening["indent"])
    end = re.compile(rf"[ \t]*{fence[0]}{{{len(fence)},}}[ \t]*")
    lines = []
    for line in rest:
        if end.fullmatch(line):
            break
        lines.append(line[:indent].lstrip(" \t") + line[indent:])
    return lines


def _fenced(lines: list[str], info: str = "") -> str:
    word = next(iter(info.split()), "").lower()
    longest = max((len(run) for line in lines for run in re.findall("`{3,}", line)), default=2)
    fence = "`" * (longest + 1)
    return "\n".join([fence + (word if word in _LANGUAGES else ""), *lines, fence])


class _Ready(NamedTuple):
    """A passage in its last form, by itself and inside the text of a link."""

    alone: str
    in_link: str


class _Block:
    """The lines between two blank ones. Passages that are ready are put aside, so that no later step sees them."""

    def __init__(self, lines: list[str]) -> None:
        self._ready: list[_Ready] = []
        self._text = "\n".join(map(_shallow, lines))
        # MathJax looks for dollars in the finished page, too, and takes two of them for a formula's ends.
        self._dollar = r"\\$" if self._text.count("$") > 1 else r"\$"

    def shown(self) -> str:
        """The block, written anew."""
        text = self._without_code(self._text)
        text = _FORMULA.sub(self._formula, text)
        text = _PICTURE.sub(self._picture, text)
        text = _LINK.sub(self._link, text)
        text = _ADDRESS.sub(self._address, text)
        text = self._escaped(text)
        if len(_EMPHASIS.findall(text)) > MOST_EMPHASIS:
            text = _EMPHASIS.sub(lambda match: self._literal(match[0]), text)
        return _READY.sub(lambda match: self._ready[int(match[1])].alone, text)

    def _put_aside(self, alone: str, in_link: str) -> str:
        self._ready.append(_Ready(alone, in_link))
        return f"\x01{len(self._ready) - 1}\x02"

    def _without_code(self, text: str) -> str:
        if "`" not in text:
            return text
        spans = [_spans(line) for line in text.split("\n")]
        outside = any("$" in part for line in spans for is_code, part in line if not is_code)
        return "\n".join(
            "".join(self._code(part, outside) if is_code else part for is_code, part in line) for line in spans
        )

    def _code(self, content: str, dollars_outside: bool) -> str:
        escaped = self._escaped(content)
        cut = bool(_WOULD_ACT.search(content) and _MAY_BIND.search(content)) or ("$" in content and dollars_outside)
        sure = content.strip() and not cut and not _NEVER_CODE.search(content)
        return self._put_aside(f"`{content}`" if sure else escaped, escaped)

    def _formula(self, match: re.Match[str]) -> str:
        inline = match["inline"] or match["round"]
        body = inline or match["display"] or match["square"] or match[0]
        formula = typeset(body.strip() if inline else body)
        if formula is None:
            return match[0]
        dollars = "$" if inline else "$$"
        return self._put_aside(f"{dollars}{formula}{dollars}", self._escaped(match[0]))

    def _picture(self, match: re.Match[str]) -> str:
        return self._linked(match["label"] or "picture", match["url"]) or match[0]

    def _link(self, match: re.Match[str]) -> str:
        return self._linked(match["label"] or match["url"], match["url"]) or match[0]

    def _address(self, match: re.Match[str]) -> str:
        if match["between"]:
            return self._linked(match["between"].removeprefix("mailto:"), match["between"]) or match[0]
        bare = match["bare"]
        url = bare.rstrip(".,;:!?*_~|\"'")
        while url.endswith((")", "]", "}")) and url.count(url[-1]) > url.count("([{"[")]}".index(url[-1])]):
            url = url[:-1].rstrip(".,;:!?*_~|\"'")
        linked = self._linked(url, url)
        return linked + bare[len(url) :] if linked else bare

    def _linked(self, label: str, url: str) -> str:
        """A link that is ready; ``""`` where the address is none that may be followed."""
        href = _href(url)
        if not href:
            return ""
        words = _READY.sub(lambda match: self._ready[int(match[1])].in_link, self._escaped(label))
        return self._put_aside(f"[{words}]({href})", words)

    def _escaped(self, text: str) -> str:
        return _ACTIVE.sub(self._escape, text)

    def _escape(self, match: re.Match[str]) -> str:
        part = match[0]
        if part[0] == "\\":
            if match["escaped"]:
                return self._literal(match["escaped"])
            # MathJax finds \begin and \ref in the finished page.
            return f"&#92;{_JOINER}{match['command']}" if match["command"] else "&#92;"
        if match["entity"]:
            return "".join(map(self._literal, plain(unescape(part)).replace("\n", " ")))
        if part == "$":
            return self._dollar
        if part.endswith("]") and len(part) > 1:
            return part
        if part.lower() == "www.":
            return f"{part[:3]}&#46;"
        return "".join(self._literal(character) for character in part)

    def _literal(self, character: str) -> str:
        """A character that is nothing but itself, to Markdown and to MathJax."""
        if character == "$":
            return self._dollar
        if character == "\\":
            return f"&#92;{_JOINER}"
        named = {"<": "&lt;", "&": "&amp;"}
        return named.get(character) or (f"&#{ord(character)};" if character in punctuation else character)


def _shallow(line: str) -> str:
    """The line with a bounded number of quotes and lists that it stands in."""
    words = line.lstrip(" \t")
    if len(line) - len(words) > _DEEPEST_INDENT:
        line = " " * _DEEPEST_INDENT + words
    deep = _DEEP.match(line)
    return f"{deep[0]} {_JOINER}{line[deep.end() :]}" if deep else line


def _spans(line: str) -> list[tuple[bool, str]]:
    """The line in parts, each with whether it is a code span's content."""
    runs = list(re.finditer("`+", line))
    partners: list[int | None] = [None] * len(runs)
    nearest: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        length = len(runs[index][0])
        partners[index] = nearest.get(length)
        nearest[length] = index
    parts, done, index = [], 0, 0
    while index < len(runs):
        run, partner = runs[index], partners[index]
        before = line[: run.start()] if run.start() and line[run.start() - 1] == "\\" else ""
        is_escaped = (len(before) - len(before.rstrip("\\"))) % 2 == 1
        if partner is None or is_escaped:
            index += 1
            continue
        content = line[run.end() : runs[partner].start()]
        if content.startswith(" ") and content.endswith(" ") and content.strip():
            content = content[1:-1]
        parts += [(False, line[done : run.start()]), (True, content)]
        done, index = runs[partner].end(), partner + 1
    return [*parts, (False, line[done:])]


def _href(url: str) -> str:
    """The address in characters that mean nothing to Markdown, HTML or TeX; ``""``: it is not to be followed."""
    if len(url) > LONGEST_URL:
        return ""
    if web := _WEB.fullmatch(url):
        head, rest = f"{web['scheme'].lower()}://{web['host']}{web['port'] or ''}", web["rest"] or ""
    elif mail := _MAIL.fullmatch(url):
        head, rest = f"mailto:{mail['to']}", f"?{mail['rest']}" if mail["rest"] else ""
    else:
        return ""
    encoded = quote(rest, safe="/?#&=+,;:@!%").replace("@@", "%40%40").replace("~", "%7E").replace("&", "&amp;")
    return head + encoded
