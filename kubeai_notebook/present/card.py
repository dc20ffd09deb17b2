"""What a card says of a Model: the one place where its status becomes tones, rows and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from kubeai_notebook.core.kubeai.labels import ADAPTER_LABEL
from kubeai_notebook.core.masking import masked, secret_values
from kubeai_notebook.core.messages import duration
from kubeai_notebook.core.model_spec import FEATURES
from kubeai_notebook.core.objects import is_going, map_at, maps_at, name_of, text_at, texts_at
from kubeai_notebook.core.phase_times import STEPS, steps_of
from kubeai_notebook.core.plan import asked_of
from kubeai_notebook.text import one_line

from .stake import counted
from .wire import Card, CardFact, CardFinding, CardRemedy, CardStep
from .wording import how_to, in_magics, numbered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.observation import HttpAnswer
    from kubeai_notebook.core.phase import ModelStatus, Phase
    from kubeai_notebook.core.view import Link, View

    from .wire import Tone, Verb

_UNSEEN: Final = "Some of it cannot be seen here for want of rights; %kubeai_doctor names them."
_CALLED: Final[Mapping[str, str]] = {"OLlama": "Ollama", "VLLM": "vLLM"}
"""Engines by the names that their makers use, where KubeAI writes them otherwise."""
_WHO: Final[Mapping[str, str]] = {"user": "you", "admin": "an administrator"}
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


def card_of(
    view: View,
    *,
    namespace: str,
    note: str = "",
    asked: str = "",
    elsewhere: str = "",
    last: Mapping[str, float] | None = None,
) -> Card:
    """What the card shows of one View.

    ``note`` is what a cell did, ``asked`` what the Model was asked for then (`Outcome.asked`), where that is known.
    ``elsewhere`` is the namespace where a magic would not look by itself, ``last`` how many seconds each step of such
    a start took the last time.
    """
    name, status, lost, tone = name_of(view.model), view.status, view.link.lost, tone_of(view)
    if note and asked:  # what it is asked for is hashed, and every card of every change comes by here
        note = dated(note, asked, asked_of(view.model))
    return Card(
        name=name,
        namespace=namespace,
        uid=view.uid,
        where=str(view.where),
        phase=status.phase,
        tone=tone,
        announcement=f"Not connected. Model {name} was {status.phase} when it was last seen."
        if lost
        else _announcement(name, status.phase, view.settled_findings if tone == "bad" else ()),
        # Of a Model that is ready, the row of replicas says the same.
        detail="" if status.phase == "Ready" else status.detail,
        next_step=_next_step(view, tone),
        note=" ".join(
            filter(None, [note and in_magics(note, name, elsewhere), view.remark, _UNSEEN if view.notes else ""])
        ),
        progress=status.progress,
        phase_since_seconds=status.since.timestamp() if status.since and not lost else 0.0,
        steps=_steps(view, last or {}),
        facts=_facts(view),
        verbs=() if lost or view.link.state == "closed" else _verbs(view),
        playground=not set(FEATURES).isdisjoint(texts_at(view.model, "spec", "features")),
        replicas=status.desired,
        findings=tuple(_findings(name, view.settled_findings, elsewhere)),
        link=link_state(view.link),
        link_since_seconds=view.link.since_seconds,
    )


def tone_of(view: View) -> Tone:
    """How its phase looks; what was seen before the link was lost may be over, so nothing turns and nothing is well."""
    return "warn" if view.link.lost else _TONES.get(view.status.phase, "busy")


def link_state(link: Link) -> Literal["live", "reconnecting", "closed"]:
    """How a link looks: all that is neither live nor closed is being tried again."""
    return link.state if link.state in ("live", "closed") else "reconnecting"


def dated(note: str, then: str, now: str) -> str:
    """What a cell did, marked as old where the Model is asked for something else by now: it may be true no more."""
    return f"Earlier: {note}" if note and then and then != now else note


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

    Such as ``Model('smol', Ready 1/1, OLlama, cpu:1, in team on prod)``.
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
    reason = view.settled_findings[0].message if view.settled_findings else status.detail
    if status.phase == "Asleep":
        reason = "This call wakes it."
    if view.link.lost:
        error = view.link.error
        return one_line(f"… {view.name}: not connected. {error.message if error else ''} ({waited})")
    done = f" {status.progress:.0%}" if status.progress is not None else ""
    return one_line(f"… {view.name} {status.phase}{done}: {reason} ({waited})")


def waking_line(view: View, waited_seconds: float) -> str:
    """The same for somebody who talks to it: how far its start has come.

    Such as ``Waking: Scheduling → Pulling → Loading 12 s``.
    """
    begun = [step.phase for step in steps_of(view.observation)]
    if view.link.lost or view.settled_findings or view.status.phase not in ("Asleep", *begun):
        return waiting_line(view, waited_seconds)
    past = begun[: begun.index(view.status.phase)] if view.status.phase in begun else []
    done = f" {view.status.progress:.0%}" if view.status.progress is not None else ""
    return f"Waking: {' → '.join([*past, view.status.phase])}{done} {duration(waited_seconds, exact=True)}"


def broken_line(view: View, known: Collection[str]) -> str:
    """Why an answer of the Model broke off, as far as it can be seen; nothing where the Model goes on as before.

    ``known`` are the codes of the Findings from before.
    """
    for finding in view.settled_findings:
        if finding.code not in known:
            return finding.message
    return f"{view.name} is {view.status.phase} now: {view.status.detail}" if not view.status.ready else ""


def _announcement(name: str, phase: str, findings: tuple[Finding, ...]) -> str:
    return " ".join([f"Model {name} is {phase}.", *(finding.message for finding in findings[:1])])


def _next_step(view: View, tone: Tone) -> str:
    if view.link.state in ("reconnecting", "forbidden"):
        return in_magics(str(view.link.error or ""), name_of(view.model))
    # The other phases' own sentence says what they wait for.
    waiting = tone in ("warn", "bad") and view.status.acts_next != "nobody"
    if not waiting:
        return ""
    if view.pending and not view.settled_findings:
        return "Reading its log and Events for the reason …"
    # What is known of the reason says more than the phase alone.
    who = view.settled_findings[0].who if view.settled_findings else ""
    if who == "nobody":
        return "It may pass by itself."
    actor = _WHO.get(who, view.status.acts_next)
    if view.status.retried:
        return f"It needs {actor}, and then goes on by itself at its next try."
    return f"It does not go on by itself: it needs {actor}."


def _steps(view: View, last: Mapping[str, float]) -> tuple[CardStep, ...]:
    """The steps of the newest Pod's start; the first that is not over goes on or, where the Model fails, has failed."""
    steps, phase = steps_of(view.observation), view.status.phase
    now = phase if phase in STEPS[:-1] else next((step.phase for step in steps if not step.over), "")
    going_on: Literal["now", "failed"] = "failed" if tone_of(view) == "bad" else "now"
    return tuple(
        CardStep(
            phase=step.phase,
            state=going_on if step.phase == now else "over" if step.over else "next",
            seconds=step.seconds if step.phase != now else None,
            # A step that takes no time is no news.
            last_seconds=last.get(step.phase) or None,
        )
        for step in steps
    )


def _verbs(view: View) -> tuple[Verb, ...]:
    """What can be done to the Model as it is."""
    if view.status.phase == "Deleting":
        return ()
    if view.status.phase == "Paused":
        return ("resume", "delete")
    return ("scale", "pause", *(("restart",) if view.observation.engine_pods else ()), "delete")


def _adapters(view: View) -> str:
    """On how many Pods each adapter is loaded, such as ``terse on 1 of 2 Pods``."""
    pods = [map_at(raw, "metadata", "labels") for raw in view.observation.engine_pods if not is_going(raw)]
    names = [text_at(adapter, "name") for adapter in maps_at(view.model, "spec", "adapters")]
    counts = ((name, sum(f"{ADAPTER_LABEL}{name}" in labels for labels in pods)) for name in names)
    return ", ".join(f"{name} on {count} of {counted(len(pods), 'Pod')}" for name, count in counts)


def _facts(view: View) -> tuple[CardFact, ...]:
    spec = map_at(view.model, "spec")
    engine = text_at(spec, "engine")
    stand_in = f"{view.stand_in}, in place of {_CALLED.get(engine, engine)}"
    rows = {
        "Replicas": _replicas(view.status, view.observation.answer),
        "Answers now": view.answering and f"{view.answering}, from before the update",
        "Adapters": _adapters(view),
        "Engine": stand_in if view.stand_in else engine,
        "Profile": text_at(spec, "resourceProfile"),
        "Source": masked(text_at(spec, "url"), secret_values(spec)),
    }
    return tuple(CardFact(label=label, value=value) for label, value in rows.items() if value)


def _replicas(status: ModelStatus, answer: HttpAnswer | None) -> str:
    """Nothing for a Model that sleeps: its phase has said so."""
    if not (status.ready or status.desired):
        return ""
    tried = status.ready and answer is not None and answer.status == 200 and not answer.body
    answered = f", answered in {_tenths(answer.seconds)} s" if answer and tried else ""
    return f"{status.ready} of {status.desired} ready{answered}"


def _tenths(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 0.05 else "under 0.1"  # which would be 0.0


def _findings(name: str, findings: tuple[Finding, ...], elsewhere: str) -> Iterator[CardFinding]:
    for finding, remedies in numbered(findings):
        yield CardFinding(
            code=finding.code,
            message=finding.message,
            evidence="\n".join(evidence.text for evidence in finding.evidence),
            remedies=tuple(
                CardRemedy(
                    id=one.remedy.id,
                    number=one.number,
                    title=in_magics(one.remedy.title, name, elsewhere),
                    kind=one.remedy.kind,
                    how=how_to(name, one, elsewhere),
                )
                for one in remedies
            ),
        )
