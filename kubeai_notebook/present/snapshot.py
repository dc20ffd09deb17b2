"""One Model's card at one moment, without a kernel or a script: what a saved notebook and a terminal show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from kubeai_notebook.core.messages import duration

from .html import NO_FORMULAS, WRAPPED, element, joined
from .wire import CardFact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

    from .wire import Card, CardFinding, CardRemedy, CardStep, Tone

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
    lines = [
        f"{sign} {card.name} ({card.where or card.namespace}) {_headline(card, moment)}",
        *_sentences(card, moment),
    ]
    for finding in card.findings:
        lines += [f"! {finding.message}", *(f"    {line}" for line in finding.evidence.splitlines())]
        lines += [f"  {remedy.number}. {_remedy_text(remedy)}" for remedy in finding.remedies]
    lines += [f"{fact.label}: {fact.value}" for fact in _facts(card)]
    return "\n".join([*lines, _stamp(moment)])


def snapshot_of(card: Card, *, at: datetime | None = None, followed: bool = False) -> str:
    """HTML with no script and nothing to fetch; ``at`` is the moment it speaks of, now by default.

    ``followed``: it stands for a live card, and says how to have that again.
    """
    moment = at or datetime.now(UTC)
    sign, colour = _LOOKS[card.tone]
    head = joined([
        element("strong", card.name), f" {card.where or card.namespace} ",
        element("span", sign, style=f"color:{colour}"), " ", element("strong", _headline(card, moment)),
    ])  # fmt: skip
    facts = [element("span", f"{fact.label}:", style="opacity:0.7") + f" {fact.value}" for fact in _facts(card)]
    return element(
        "div",
        *(element("div", line) for line in (head, *_sentences(card, moment))),
        *map(_finding_html, card.findings),
        *(element("div", fact) for fact in facts),
        element("div", element("small", _stamp(moment))),
        _way_back(card) if followed and card.tone != "gone" else "",
        # The class lets the live card hide its own snapshot.
        class_=f"kubeai-snapshot {NO_FORMULAS}",
        style=f"max-width:720px;padding:8px 14px;border-left:3px solid {colour}",
    )


def _facts(card: Card) -> tuple[CardFact, ...]:
    """The rows, and with them how long the start took."""
    steps = [step for step in card.steps if step.seconds is not None or step.state in ("now", "failed")]
    started = " · ".join(map(_step_text, steps)) if any(step.seconds is not None for step in steps) else ""
    return (*card.facts, *([CardFact(label="Start", value=started)] if started else []))


def _step_text(step: CardStep) -> str:
    """Such as ``Loading 38 s, last time 41 s``."""
    taken = f" {duration(step.seconds, exact=True)}" if step.seconds is not None else ""
    before = step.last_seconds
    return f"{step.phase}{taken}" + (f", last time {duration(before, exact=True)}" if before is not None else "")


def _way_back(card: Card) -> Markup:
    """The lines that follow the Model again, and a button that only our JupyterLab extension shows and hears."""
    lines = ("%load_ext kubeai_notebook", f"%kubeai_attach {card.name} -n {card.namespace}")
    return element(
        "div",
        element("small", "Run these two lines to follow it again: "),
        *(element("div", element("code", line)) for line in lines),
        element("button", "Reconnect", type="button", class_="kubeai-reconnect", style="display:none"),
    )


def _headline(card: Card, moment: datetime) -> str:
    since = _since_text(card.phase_since_seconds, moment)
    shown = f"{card.phase} for {since}" if since else card.phase
    return f"{shown}, {card.progress:.0%}" if card.progress is not None else shown


def _sentences(card: Card, moment: datetime) -> list[str]:
    lost = not_connected(card.link_since_seconds, moment) if card.link == "reconnecting" else ""
    # Why it is not connected comes before what was seen until then.
    ordered = (lost, card.next_step, card.detail) if lost else (card.detail, card.next_step)
    return [sentence for sentence in (*ordered, card.note) if sentence]


def _finding_html(finding: CardFinding) -> Markup:
    remedies = [element("li", _remedy_text(remedy), value=str(remedy.number)) for remedy in finding.remedies]
    return element(
        "div",
        element("strong", finding.message),
        element("pre", finding.evidence, style=f"{WRAPPED};margin:0") if finding.evidence else "",
        element("ol", *remedies, style="margin:0") if remedies else "",
        style="margin-top:6px",
    )


def _remedy_text(remedy: CardRemedy) -> str:
    return f"{remedy.title} ({remedy.how})" if remedy.how else remedy.title


def _since_text(since_seconds: float, moment: datetime) -> str:
    """How long that is; nothing for a time that is not known."""
    return duration(moment.timestamp() - since_seconds, exact=True) if since_seconds > 0 else ""


def not_connected(since_seconds: float, moment: datetime) -> str:
    """That what is shown is old, and of when; ``moment`` is that of the reader."""
    since = datetime.fromtimestamp(since_seconds, UTC).astimezone()
    is_today = since.date() == moment.astimezone().date()
    return f"Not connected since {since:{'' if is_today else '%Y-%m-%d '}%H:%M:%S}. What follows is as it was then."


def _stamp(moment: datetime) -> str:
    return f"As seen on {moment.astimezone():%Y-%m-%d %H:%M:%S %Z}."
