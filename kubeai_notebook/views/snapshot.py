"""One Model's card at one moment, without a kernel or a script: what a saved notebook and a terminal show."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from itertools import count
from typing import TYPE_CHECKING, Final

from kubeai_notebook.text import NO_FORMULAS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeai_notebook.views.wire import Card, CardFinding, Tone

# Sign and colour; the word of the phase stands beside them.
_LOOKS: Final[Mapping[Tone, tuple[str, str]]] = {
    "good": ("✓", "#388e3c"),
    "busy": ("…", "#1976d2"),
    "warn": ("⚠", "#f57c00"),
    "bad": ("✗", "#d32f2f"),
    "quiet": ("○", "#757575"),
    "gone": ("⊖", "#757575"),
}


def text_of(card: Card, *, at: datetime | None = None) -> str:
    """Lines of plain text; ``at`` is the moment they speak of, now by default."""
    moment = at or datetime.now(UTC)
    sign, _ = _LOOKS[card.tone]
    lines = [f"{sign} {card.name} ({card.namespace}) {_headline(card, moment)}", *_sentences(card, moment)]
    lines += [f"{fact.label}: {fact.value}" for fact in card.facts]
    numbers = count(1)
    for finding in card.findings:
        lines += [f"! {finding.title}", *(f"    {line}" for line in finding.evidence.splitlines())]
        lines += [f"  {number}. {fix}" for fix, number in zip(finding.fixes, numbers, strict=False)]
    return "\n".join([*lines, _stamp(moment)])


def snapshot_of(card: Card, *, at: datetime | None = None) -> str:
    """HTML with no script and nothing to fetch; ``at`` is the moment it speaks of, now by default."""
    moment = at or datetime.now(UTC)
    sign, colour = _LOOKS[card.tone]
    head = (
        f"<strong>{escape(card.name)}</strong> {escape(card.namespace)} "
        f'<span style="color:{colour}">{sign}</span> <strong>{escape(_headline(card, moment))}</strong>'
    )
    parts = [head, *(escape(sentence) for sentence in _sentences(card, moment))]
    parts += [f'<span style="opacity:0.7">{escape(fact.label)}:</span> {escape(fact.value)}' for fact in card.facts]
    body = "".join(f"<div>{part}</div>" for part in parts)
    numbers = count(1)
    body += "".join(_finding_html(finding, numbers) for finding in card.findings)
    # The class lets the live card hide its own snapshot.
    return (
        f'<div class="kubeai-snapshot {NO_FORMULAS}" '
        f'style="max-width:720px;padding:8px 14px;border-left:3px solid {colour}">'
        f"{body}<div><small>{escape(_stamp(moment))}</small></div></div>"
    )


def _headline(card: Card, moment: datetime) -> str:
    since = _since_text(card.phase_since_seconds, moment)
    shown = f"{card.phase} for {since}" if since else card.phase
    return f"{shown}, {card.progress:.0%}" if card.progress is not None else shown


def _sentences(card: Card, moment: datetime) -> list[str]:
    lost = ""
    if card.link == "reconnecting":
        since = _since_text(card.link_since_seconds, moment)
        lost = f"Reconnecting for {since}. What you see may be old."
    return [sentence for sentence in (card.detail, card.next_step, card.note, lost) if sentence]


def _finding_html(finding: CardFinding, numbers: Iterator[int]) -> str:
    evidence = (
        f'<pre style="white-space:pre-wrap;margin:0">{escape(finding.evidence)}</pre>' if finding.evidence else ""
    )
    numbered = zip(finding.fixes, numbers, strict=False)
    fixes = "".join(f'<li value="{number}">{escape(fix)}</li>' for fix, number in numbered)
    listed = f'<ol style="margin:0">{fixes}</ol>' if fixes else ""
    return f'<div style="margin-top:6px"><strong>{escape(finding.title)}</strong>{evidence}{listed}</div>'


def _since_text(since_seconds: float, moment: datetime) -> str:
    """Say ``38 s``, ``4 min 12 s``, ``2 h 5 min`` or ``3 d 4 h``; nothing for a time that is not known."""
    if since_seconds <= 0:
        return ""
    minutes, seconds = divmod(max(0, int(moment.timestamp() - since_seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _stamp(moment: datetime) -> str:
    return f"As seen on {moment.astimezone():%Y-%m-%d %H:%M:%S %Z}."
