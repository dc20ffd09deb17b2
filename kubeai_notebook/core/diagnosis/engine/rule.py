"""A rule is one row of a table of failures: what is seen, what it is called, who cures it and how.

Rows look for fragments of a line and not for patterns: a log of hundreds of lines is searched by 200 rows whenever a
Model changes, and ``str.find`` over the whole text rules nearly all of them out at once. Patterns only take values
out of the line that was hit. Each sentence has fallbacks for the values that another version does not tell.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.notice import Evidence, Finding, Who

from .case import Case
from .cleaning import excerpt
from .remedies import Template, filled, remedy_of
from .text_source import Passage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kubeai_notebook.core.objects import Pod
    from kubeai_notebook.core.remedy import Remedy

    from .scene import Scene


_logger = logging.getLogger(__name__)

_Given = ParamSpec("_Given")
_Seen = TypeVar("_Seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row. ``seen``, ``unless``: fragments of one line in any letter case, ``…`` standing for any text."""

    code: str
    seen: tuple[str, ...]
    message: tuple[str, ...]
    """Sentences with ``{values}``; the first whose values are all known is used."""
    who: Who
    remedies: tuple[Template, ...] = ()
    derive: Callable[[Case], Mapping[str, str]] | None = None
    """Further values, worked out from those of the case."""
    take: tuple[str, ...] = ()
    """Patterns with named groups, searched in the deciding line, then in those around it.

    Where one wants the end of the line behind many characters, a look ahead tells first whether that is near: a line
    may hold its first words a thousand times.
    """
    far: tuple[str, ...] = ()
    """The same, searched in the whole text where ``take`` found nothing."""
    unless: tuple[str, ...] = ()
    only: Callable[[Case], bool] | None = None
    reasons: tuple[str, ...] = ()
    """Reasons of Events and waiting containers in which the row may be seen; empty: any."""


@cache
def _parts(fragment: str) -> tuple[str, ...]:
    return tuple(part.strip() if "…" in fragment else part for part in fragment.lower().split("…"))


@cache
def _longest(fragment: str) -> str:
    return max(_parts(fragment), key=len)


_RUN = re.compile(r"(?:\\\(\?)?\(\?P<\w+>(?P<chars>\[[^\]]+\]|\\[wdS])\+")


@cache
def compiled(source: str) -> re.Pattern[str]:
    """The pattern; one that begins with a run of characters is tried at the first of them only.

    Tried at each, a line of one long word, which anybody can have an engine write, takes seconds.
    """
    run = _RUN.match(source)
    return re.compile(f"(?<!{run['chars']}){source}" if run else source, re.IGNORECASE)


def contains(line: str, fragment: str) -> bool:
    """Whether a lowered line holds the fragment.

    >>> contains("secret 'hub' not found", "secret … not found")
    True
    """
    return _position(line, fragment) >= 0


def _position(line: str, fragment: str) -> int:
    first = position = -1
    for part in _parts(fragment):
        position = line.find(part, position + 1)
        if position < 0:
            return -1
        first = position if first < 0 else first
        position += len(part) - 1
    return first


def hits(rule: Rule, passage: Passage) -> Iterator[int]:
    """Indexes of the lines that hold one of the rule's fragments."""
    if rule.reasons and passage.reason not in rule.reasons:
        return
    haystack = passage.haystack
    for fragment in rule.seen:
        if _longest(fragment) not in haystack:
            continue
        for index, line in enumerate(passage.lowered):
            # A traceback shows the source line that raises as well: it is no message yet.
            if line.startswith("raise ") or not contains(line, fragment):
                continue
            if not any(contains(line, other) for other in rule.unless):
                yield index


def case_of(rule: Rule, passage: Passage, scene: Scene, *, index: int, pod: Pod | None) -> Case:
    """The hit with its values taken from the text."""
    last = len(passage.lines)
    near = (index, *range(max(0, index - 2), index), *range(index + 1, min(index + 5, last)))
    values = {**_first_groups(rule.far, passage, range(last)), **_first_groups(rule.take, passage, near)}
    masks = scene.secrets
    return Case(scene, passage, index, pod, {key: masked(value, masks) for key, value in values.items()})


def _first_groups(sources: tuple[str, ...], passage: Passage, places: Sequence[int]) -> dict[str, str]:
    """Named groups of each pattern's first match; of two patterns for one name the earlier counts."""
    taken: dict[str, str] = {}
    for source in sources:
        match = next((match for place in places if (match := _match(source, passage, place))), None)
        if match:
            taken = {key: value.strip() for key, value in match.groupdict().items() if value} | taken
    return taken


def _match(source: str, passage: Passage, place: int) -> re.Match[str] | None:
    """What a pattern finds in a line, looked for once: each hit asks for the lines around it too."""
    if (source, place) not in passage.matches:
        passage.matches[source, place] = compiled(source).search(passage.lines[place])
    return passage.matches[source, place]


def first(
    rules: Iterable[Rule], passages: tuple[Passage, ...], scene: Scene, *, pod: Pod | None = None
) -> Finding | None:
    """The Finding of the first rule, from above, that is seen in any passage."""
    for rule in rules:
        finding = spared(rule.code, _seen, rule, passages, scene, pod=pod)
        if finding:
            return finding
    return None


def _seen(rule: Rule, passages: tuple[Passage, ...], scene: Scene, *, pod: Pod | None) -> Finding | None:
    for passage in passages:
        for index in hits(rule, passage):
            case = case_of(rule, passage, scene, index=index, pod=pod)
            if rule.only is None or rule.only(case):
                return finding_of(rule, case)
    return None


def spared(name: str, look: Callable[_Given, _Seen], *given: _Given.args, **named: _Given.kwargs) -> _Seen | None:
    """What a rule sees; a rule that raises costs that rule, and the Model keeps its other Findings.

    A rule that raises is a bug: it is logged, and every test of the diagnosis fails of such a line.
    """
    try:
        return look(*given, **named)
    except Exception:  # (whatever a rule fails of: one bug must not hide what the others found)
        _logger.exception("The rule %s of the diagnosis failed; the others go on.", name)
        return None


def finding_of(rule: Rule, case: Case) -> Finding:
    """Say what the rule says about this case."""
    if rule.derive:
        case = replace(case, taken={**case.taken, **rule.derive(case)})
    secrets = case.scene.secrets
    low = case.passage.lowered[case.index]
    start = max((_position(low, fragment) for fragment in rule.seen), default=0)
    text = excerpt(masked(case.line, secrets), max(start, 0))
    remedies = [remedy for template in rule.remedies if (remedy := remedy_of(template, case))]
    return Finding(
        code=rule.code,
        message=filled(rule.message, case.values) or rule.message[-1],
        evidence=(Evidence(case.passage.kind, case.passage.where, text),),
        # On one's own machine there is nobody else who could act.
        who="user" if rule.who == "admin" and case.scene.observation.this_machine else rule.who,
        remedies=_without_or(tuple(dict.fromkeys(remedies))),
    )


def _without_or(remedies: tuple[Remedy, ...]) -> tuple[Remedy, ...]:
    """The first Remedy is no alternative: what it was one to does not suit this Model."""
    title = remedies[0].title if remedies else ""
    rest = title.removeprefix("Or ").removeprefix("Else ")
    return (replace(remedies[0], title=rest[:1].upper() + rest[1:]), *remedies[1:]) if rest != title else remedies


def stated(rule: Rule, scene: Scene, evidence: Evidence, *, pod: Pod | None = None, **taken: str) -> Finding:
    """The Finding of a rule that was recognised in an object's fields and not in text."""
    passage = Passage(evidence.kind, evidence.where, (evidence.text,))
    return finding_of(rule, Case(scene, passage, 0, pod, taken))
