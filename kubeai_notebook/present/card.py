"""What a card says of a Model: the one place where its status becomes tones, rows and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.messages import duration
from kubeai_notebook.core.objects import map_at, name_of, text_at
from kubeai_notebook.text import one_line

from .wire import Card, CardFact, CardFinding, CardRemedy
from .wording import how_to, in_magics, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.observation import Answer
    from kubeai_notebook.core.phase import ModelStatus, Phase
    from kubeai_notebook.core.view import View

    from .wire import Tone

_UNSEEN: Final = "Some of it cannot be seen here for want of rights; %kubeai_doctor names them."
_CALLED: Final[Mapping[str, str]] = {"OLlama": "Ollama", "VLLM": "vLLM"}
"""Engines by the names that their makers use, where KubeAI writes them otherwise."""
# A phase that is not listed is one of waiting.
_TONES: Final[Mapping[Phase, Tone]] = {
    "Ready": "good",
    "Degraded": "warn",
    "Unmanaged": "warn",
    "Blocked": "bad",
    "Failing": "bad",
    "Asleep": "quiet",
    "Paused": "quiet",
}


def card_of(view: View, *, namespace: str, note: str = "") -> Card:
    """What the card shows of one View."""
    name, status, lost = name_of(view.model), view.status, view.link.lost
    # What was seen then may be over: nothing turns, and nothing is well.
    tone = "warn" if lost else _TONES.get(status.phase, "busy")
    return Card(
        name=name,
        namespace=namespace,
        where=str(view.where),
        phase=status.phase,
        tone=tone,
        announcement=f"Not connected. Model {name} was {status.phase} when it was last seen."
        if lost
        else _announcement(name, status.phase, view.findings if tone == "bad" else ()),
        # Of a Model that is ready, the row of replicas says the same.
        detail="" if status.phase == "Ready" else status.detail,
        next_step=_next_step(view, tone),
        note=" ".join([*([note] if note else []), *([_UNSEEN] if view.notes else [])]),
        progress=status.progress,
        phase_since_seconds=status.since.timestamp() if status.since and not lost else 0.0,
        facts=_facts(view),
        findings=tuple(_findings(name, view.findings)),
        link=view.link.state if view.link.state in ("live", "closed") else "reconnecting",
        link_since_seconds=view.link.since_seconds,
    )


def deleted_card(name: str, *, namespace: str, where: str = "", before: Card | None = None, note: str = "") -> Card:
    """What is left to say of a Model that is gone; ``before`` is the last card of those who saw it.

    ``note`` stays: what a cell did, it has done.
    """
    return Card(
        name=name,
        namespace=namespace,
        where=before.where if before else where or namespace,
        phase="Deleted",
        tone="gone",
        announcement=_announcement(name, "Deleted", ()),
        # The reader of a saved notebook comes to this cell before the one that deletes.
        detail="It was there when this cell ran, and was deleted later." if before else "",
        note=note,
        facts=tuple(fact for fact in before.facts if fact.label != "Replicas") if before else (),
    )


def line_of(name: str, view: View | None) -> str:
    """A Model in one line, as Python shows a handle; ``None`` where it is gone.

    Such as ``Model('smol', Ready 1/1, OLlama, cpu:1, team on prod)``.
    """
    if view is None:
        return one_line(f"Model({name!r}, Deleted)")
    status, spec = view.status, map_at(view.model, "spec")
    engine, profile = text_at(spec, "engine") or "no engine", text_at(spec, "resourceProfile") or "no profile"
    return one_line(
        f"Model({name!r}, {status.phase} {status.ready}/{status.desired}, {engine}, {profile}, {view.where})"
    )


def waiting_line(view: View, waited_seconds: float) -> str:
    """What somebody who calls the Model waits for, in a line.

    Such as ``… smol Pulling 44%: Pulling weights "ollama://smollm2:135m": 41 of 93 MB (12 s)``.
    """
    status, waited = view.status, duration(waited_seconds, exact=True)
    reason = view.findings[0].message if view.findings else status.detail
    if status.phase == "Asleep":
        reason = "This call wakes it."
    if view.link.lost:
        error = view.link.error
        return one_line(f"… {view.name}: not connected. {error.message if error else ''} ({waited})")
    done = f" {status.progress:.0%}" if status.progress is not None else ""
    return one_line(f"… {view.name} {status.phase}{done}: {reason} ({waited})")


def _announcement(name: str, phase: str, findings: tuple[Finding, ...]) -> str:
    return " ".join([f"Model {name} is {phase}.", *(finding.message for finding in findings[:1])])


def _next_step(view: View, tone: Tone) -> str:
    if view.link.state in ("reconnecting", "forbidden"):
        return in_magics(str(view.link.error or ""), name_of(view.model))
    # The other phases' own sentence says what they wait for.
    waiting = tone in ("warn", "bad") and view.status.acts_next != "nobody"
    return f"It does not go on by itself: it needs {view.status.acts_next}." if waiting else ""


def _facts(view: View) -> tuple[CardFact, ...]:
    spec = map_at(view.model, "spec")
    engine = text_at(spec, "engine")
    stand_in = f"{view.stand_in}, in place of {_CALLED.get(engine, engine)}"
    rows = {
        "Replicas": _replicas(view.status, view.observation.answer),
        "Answers now": view.answering and f"{view.answering}, from before the update",
        "Engine": stand_in if view.stand_in else engine,
        "Profile": text_at(spec, "resourceProfile"),
        "Source": masked(text_at(spec, "url")),
    }
    return tuple(CardFact(label=label, value=value) for label, value in rows.items() if value)


def _replicas(status: ModelStatus, answer: Answer | None) -> str:
    """Nothing for a Model that sleeps: its phase has said so."""
    if not (status.ready or status.desired):
        return ""
    tried = status.ready and answer is not None and answer.status == 200 and not answer.body
    answered = f", answered in {answer.seconds:.1f} s" if answer and tried else ""
    return f"{status.ready} of {status.desired} ready{answered}"


def _findings(name: str, findings: tuple[Finding, ...]) -> Iterator[CardFinding]:
    for finding, remedies in numbered(findings):
        yield CardFinding(
            code=finding.code,
            message=finding.message,
            evidence="\n".join(evidence.text for evidence in finding.evidence),
            remedies=tuple(
                CardRemedy(
                    id=one.remedy.id,
                    number=one.number,
                    title=in_magics(one.remedy.title, name),
                    kind=one.remedy.kind,
                    how=how_to(name, one),
                )
                for one in remedies
            ),
        )
