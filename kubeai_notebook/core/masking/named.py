"""Where a text gives a secret its name: ``HF_TOKEN=x``, ``'api_key': ['x']``, ``--token x``, ``Authorization: Bearer``.

A name may be written in any of the ways that shells, JSON, YAML, Python, Go, HTTP and urls have;
`names` decides whether it is a secret's. What stands behind it is hidden unless it is plainly no
value: a placeholder, a reference (``$(HF_TOKEN)``), a type, a word of a sentence, a piece of code.
A quoted value may be anything; a bare one behind a colon is often prose, so there more is asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .names import NONE, STRONG, WEAK, strength, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Span = tuple[int, int]

_Q = r"(?:\\{0,3}[\"'`])"
_PERCENT = r"%(?:25){0,3}"
# Every name that `names` knows holds one of these; as a tree, so that `re` looks at a character only once.
_HINT = (
    "auth|bearer|c(?:onn|ookie|red|srf)|d(?:ockerc|sn)|hook|jwt|k(?:ey|ubeconfig)|m(?:acaroon|fa|nemonic)|netrc|otp"
    "|p(?:a(?:ss|t)|olicy|swd|wd?)|s(?:a(?:lt|s)|e(?:cret|ss)|ig|lack)|to(?:ken|tp)|xsrf"
)
_HINTED = re.compile(_HINT)
# For text in small letters: the first hint of a run of name characters, then the rest of the run.
_NAMED = re.compile(
    rf"(?:(?<![a-z0-9_.-])|{_PERCENT}[0-9a-f]{{2}})"
    rf"(?P<name>(?>[a-z0-9_.-]*?(?:{_HINT}))[a-z0-9_.-]*+)(?P<q>{_Q}?)\]?"
    rf"(?:(?P<value>[ \t]*+,?\s{{0,40}}{_Q}?value{_Q}?[ \t]{{0,8}}[:=][ \t]{{0,8}})"
    rf"|(?P<sep>[ \t]*+(?:=>|->|:=|==?|:|{_PERCENT}3[ad])(?:[ \t]|%20)*+)"
    r"|(?P<gap>,\s{0,40}|\s{1,40}))"
)
MOST = 50_000
"""A text that names more secrets than this is no log: its rest is hidden as a whole, in no time."""
LONGEST_WORD = 500
"""A value longer than this is no word of a sentence. Were it looked at and left, so would be each name inside it, and
a line that holds thousands would take minutes."""
_WRAP = re.compile(rf"(?:[A-Za-z][A-Za-z0-9_.]{{0,30}}\()?[bBrRuUfF]{{0,2}}(?P<q>{_Q})|[\[(]\s{{0,40}}")
_ITEM = re.compile(rf"[\s,]{{0,40}}[bBrRuUfF]{{0,2}}(?P<q>{_Q})")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[ \t]*\r?\n[ \t]+(?P<body>[^\n]++(?:\n[ \t]+[^\n]*+)*+)")
# A comma or a bracket belongs to a value unless something follows that begins anew.
_BARE = re.compile(
    r"(?:[^\s'\"`,;&)\]}\\]|\\(?![nrt\"'])"
    r"|[,;&)\]}](?![\s'\"`,;&)\]}\\]|\Z|[A-Za-z0-9_.-]{1,64}[=:]))++"
)
_UNTIL_PERCENT = re.compile(r"(?:(?!%26|%2C|%0A)[^\s'\"`,;&)\]}])++", re.I)
# Words after which a shell or a Dockerfile names a variable, its value behind a blank.
_SETS = re.compile(r"(?:^|\s)(?:setx|setenv|ENV|set -[a-zA-Z]{1,3}) $")
_SPACED = re.compile(rf"(?:-[ \t]{{1,8}})?(?P<q>{_Q}?)")
_REST = re.compile(r"[^\r\n]*+")

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9-]{1,24})(?:\s|%20|\+){1,3}(?=\S)")
_WHOLE_REST = frozenset({"digest", "aws4-hmac-sha256", "oauth", "hawk", "signature", "ntlm", "negotiate"})
_SCHEMES = frozenset({"bearer", "basic", "token", "apikey", "api-key", "key", "jwt", "bot", "splunk", "sso-key"})
_ENDS = re.compile(r"[ \t]*(?:[\r\n'\"`\\,;})\]]|\Z|-)")
_HEADERS = ("authorization", "authorisation")
_COOKIES = ("cookie", "cookies", "set-cookie", "set_cookie")
# In the query of a url these hold a signature or a login; elsewhere they are words.
_IN_QUERIES = frozenset({"sig", "signature", "key", "code", "policy", "auth", "pw", "se-signature", "hdnts", "hmac"})

_NO_VALUE = words_of(
    """
    none null nil true false yes no on off unset empty undefined unbound missing required optional default
    invalid expired wrong incorrect unknown unauthorized forbidden denied failed error not is was are has have
    had been must should shall can cannot could will would may might to for from in into of on or and but with
    without by as at an a the this that these if when then than it its you your we our be being do does did only
    also any all each one option options flag flags argument arguments parameter parameters value values field
    fields header headers authentication authorization auth expected given provided used using set found needed
    needs requires ignored disabled enabled skipped str string bool int float bytes list dict tuple object
    secretstr literal
    """
)
_TYPES = re.compile(
    r"(?:Optional|Union|Literal|Annotated|Any|str|bool|int|float|bytes|list|dict|tuple|type|SecretStr|Path)"
    r"(?:[\[|]|\s*(?:[|=,)\]]|$))"
)
_REFERENCE = re.compile(
    r"\$(?:[A-Z_][A-Z0-9_]*|\{[^}\s]{1,80}\}?|\([A-Za-z_][^)\s]{0,80}\)?)|\{+[A-Za-z_ .$]{0,80}\}*|%s|%\(.*"
)
_MASKED = re.compile(r"[*•xX.…#]+|\[?(?:REDACTED|MASKED|HIDDEN|FILTERED|redacted|masked|hidden|filtered)\]?|<[^<>]*>?")
_CODE = re.compile(
    r"(?:self|os|args|config|cfg|settings|cls|kwargs|getpass|get_[a-z_]+|load_[a-z_]+|read_[a-z_]+|str|SecretStr)[.(\[]"
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z_.]*")
_ENV_NAME = re.compile(r"-{0,2}[A-Z][A-Z0-9]*_[A-Z0-9_]*")
_NUMBER = re.compile(r"[0-9]{1,10}|[0-9]{1,12}[.,][0-9]{1,20}")


def named_spans(text: str, low: str) -> Iterator[Span]:
    """Where the values are that have a secret's name before them; ``low`` is the text in small letters."""
    if _HINTED.search(low) is None:
        return
    done = 0
    for number, match in enumerate(_NAMED.finditer(low)):
        if number > MOST:
            yield max(match.start(), done), len(text)
            return
        if match.start() < done:
            continue
        for span in _spans(text, match):
            done = span[1]
            yield span


def _spans(text: str, match: re.Match[str]) -> Iterator[Span]:
    place, sep, low_name = match.end(), match["sep"] or match["value"], match["name"].strip(".")
    name = text[match.start("name") : match.end("name")].strip(".")
    if sep is None:
        said_to = text[max(0, match.start("name") - 9) : match.start("name")]
        if (name.startswith("-") or _SETS.search(said_to)) and strength(name) != NONE:
            yield from _spaced(text, place, name)
        return
    if low_name.endswith(_HEADERS):
        yield from _authorized(text, place)
        return
    if low_name in _COOKIES and sep.strip() == ":":
        yield from _cookie(text, place)
        return
    in_query = _is_in_query(text, match.start("name"))
    sure = STRONG if in_query and (low_name in _IN_QUERIES or strength(name)) else strength(name)
    if sure != NONE:
        yield from _valued(text, place, _Asked(name, sep.strip(), sure, in_query=in_query))


class _Asked:
    """What is known of the name whose value is looked at."""

    __slots__ = ("explicit", "in_query", "name", "sep", "sure")

    def __init__(self, name: str, sep: str, sure: int, *, in_query: bool) -> None:
        self.name, self.sep, self.in_query = name, sep, in_query
        self.explicit = _ENV_NAME.fullmatch(name) is not None
        self.sure = STRONG if self.explicit else sure


def _is_in_query(text: str, start: int) -> bool:
    before = text[max(0, start - 5) : start]
    return before.endswith(("?", "&", ";")) or re.search(r"%(?:25)?(?:3F|26)$", before, re.I) is not None


def _valued(text: str, place: int, asked: _Asked) -> Iterator[Span]:
    """The value behind ``=`` or ``:``, whichever way it is written."""
    block = _BLOCK.match(text, place)
    if block:
        yield block.span("body")
        return
    wrap = _WRAP.match(text, place)
    if wrap and wrap["q"]:
        end = _closing(text, wrap.end(), wrap["q"])
        if _is_value(text[wrap.end() : end], asked, quoted=True):
            yield wrap.end(), end
        return
    if wrap:
        items = list(_items(text, wrap.end(), asked))
        if items or text[place] != "(":
            yield from items or _bare(text, wrap.end(), asked)
        return
    yield from _bare(text, place, asked)


def _items(text: str, place: int, asked: _Asked) -> Iterator[Span]:
    """The quoted items of a list: an option may have several values."""
    while item := _ITEM.match(text, place):
        end = _closing(text, item.end(), item["q"])
        if _is_value(text[item.end() : end], asked, quoted=True):
            yield item.end(), end
        place = end + len(item["q"])


def _bare(text: str, place: int, asked: _Asked) -> Iterator[Span]:
    pattern = _UNTIL_PERCENT if asked.sep.startswith("%") else _BARE
    match = pattern.match(text, place)
    if match is None:
        return
    value = match[0]
    if value.startswith("<"):
        # A placeholder may have blanks: <your token>.
        value = text[place : text.find(">", place, place + 60) + 1] or value
    if asked.in_query:
        value = value.partition("#")[0]
    if value and _is_value(value, asked, quoted=False):
        yield place, place + len(value)


def _spaced(text: str, place: int, name: str) -> Iterator[Span]:
    """The word behind ``--api-key``, or the quoted text there."""
    start = _SPACED.match(text, place)
    if start is None:
        return
    asked = _Asked(name, " ", STRONG, in_query=False)
    place, quote = start.end(), start["q"]
    bare = None if quote else _BARE.match(text, place)
    end = _closing(text, place, quote) if quote else bare.end() if bare else place
    value = text[place:end]
    is_option = value.startswith(("--", "[")) and len(value) <= LONGEST_WORD
    if value and not is_option and _is_value(value, asked, quoted=bool(quote)):
        yield place, end


def _closing(text: str, place: int, quote: str) -> int:
    """Where a quoted text ends; at the end of its line where the quote does not close (a log cuts)."""
    if len(quote) > 1:
        end = text.find(quote, place)
    else:
        match = _TO_QUOTE[quote].match(text, place)
        end = match.end() if match and text[match.end() : match.end() + 1] == quote else -1
    if end >= 0:
        return end
    line = _REST.match(text, place)
    return line.end() if line else place


_TO_QUOTE = {quote: re.compile(rf"(?:[^{quote}\\]|\\.)*+", re.DOTALL) for quote in "\"'`"}


def _opened(text: str, place: int) -> tuple[int, int | None]:
    """Where the value of a header begins, and where it ends if it is quoted (perhaps in a list)."""
    wrap = _WRAP.match(text, place)
    opened = _ITEM.match(text, wrap.end()) if wrap and not wrap["q"] else wrap
    if opened and opened["q"]:
        return opened.end(), _closing(text, opened.end(), opened["q"])
    return wrap.end() if wrap else place, None


def _end_of_header(text: str, place: int) -> int:
    """An unquoted header ends with its line, or with the quote that holds name and value."""
    rest = _TO_ANY_QUOTE.match(text, place)
    return rest.end() if rest else place


_PAIR = re.compile(r"[^\s=;,'\"]{1,200}=")
_TO_ANY_QUOTE = re.compile(r"[^\r\n'\"`\\]*+")


def _cookie(text: str, place: int) -> Iterator[Span]:
    start, end = _opened(text, place)
    if _PAIR.match(text, start):
        yield start, _end_of_header(text, start) if end is None else end


def _authorized(text: str, place: int) -> Iterator[Span]:
    """What stands behind the scheme; all of it where there is no scheme, or where the scheme has many parts."""
    start, end = _opened(text, place)
    limit = len(text) if end is None else end
    scheme = _SCHEME.match(text, start, limit)
    kind = scheme["scheme"].lower() if scheme else ""
    if kind in _WHOLE_REST and scheme:
        yield scheme.end(), _end_of_header(text, start) if end is None else end
        return
    word = _BARE.match(text, scheme.end() if scheme else start, limit)
    if word is None or kind in _NO_VALUE or word[0].rstrip(".,").lower() in _NO_VALUE:
        return
    if len(word[0]) > LONGEST_WORD:
        yield word.span()
        return
    if kind not in _SCHEMES and word.end() < limit and not _ENDS.match(text, word.end()):
        return  # a sentence goes on: "requires authorization: server message: denied"
    if not _is_no_value(word[0], "authorization"):
        yield word.span()


def _is_value(value: str, asked: _Asked, *, quoted: bool) -> bool:
    """Whether this is a value that is to be hidden, and no placeholder, type, number or word of a sentence."""
    if len(value) > LONGEST_WORD:
        return True
    value = value.strip()
    if not value or _is_no_value(value, asked.name):
        return False
    low = value.rstrip(".,:").lower()
    if low in _NO_VALUE:
        return False
    lone = asked.name.lower().strip("-") in ("token", "secret", "credentials", "credential", "pass", "creds")
    if (lone or asked.sure == WEAK) and _NUMBER.fullmatch(value):
        return False
    if asked.in_query:
        return True
    if asked.sure == WEAK:
        return looks_random(value) or (quoted and len(value) >= 16 and " " not in value)
    if quoted or asked.sep != ":":
        return True
    return (len(value) >= 3 and not lone) or asked.explicit or (len(value) >= 8 and any(map(str.isdigit, value)))


def _is_no_value(value: str, name: str) -> bool:
    if _MASKED.fullmatch(value) or _REFERENCE.fullmatch(value) or _TYPES.match(value) or _CODE.match(value):
        return True
    if not _IDENTIFIER.fullmatch(value):
        return False
    # token=token, api_key=args.api_key, [--hf-token HF_TOKEN]
    own, last = (re.sub(r"[^a-z]", "", part.lower()) for part in (name, value.rpartition(".")[2]))
    return bool(last) and (own.endswith(last) or last.endswith(own)) and strength(value) != NONE


def looks_random(value: str) -> bool:
    """Whether no person would write this as a word: letters and digits in one, or capitals inside."""
    has_digit = any(map(str.isdigit, value))
    mixed = re.search(r"[a-z][A-Z]", value) is not None
    return len(value) >= 6 and " " not in value and any(map(str.isalpha, value)) and (has_digit or mixed)
