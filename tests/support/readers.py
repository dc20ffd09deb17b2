"""Odd objects, and every face that reads them: what an API server of another kind or version might send.

`mutated` breaks a value at random places, `single_mutations` at each place with each odd value. `Stage` stands where a
Session and its Observer stand, so that thousands of Observations a minute go through card, table, why, report and logs.
"""

from __future__ import annotations

import copy
import json
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.observation import Observation, secrets_of
from kubeai_notebook.core.phase import status_of
from kubeai_notebook.core.view import Link, View, stand_in_of
from kubeai_notebook.core.whereabouts import Whereabouts
from kubeai_notebook.present.card import card_of, line_of
from kubeai_notebook.present.events_frame import events_frame
from kubeai_notebook.present.explanation import Explanation
from kubeai_notebook.present.models_frame import models_frame
from kubeai_notebook.present.snapshot import snapshot_of, text_of
from kubeai_notebook.present.support_report import support_report
from kubeai_notebook.session.idle import idle_seconds
from kubeai_notebook.session.live.log_sources import runs_of
from kubeai_notebook.session.live.subscription import Change, Subscription
from kubeai_notebook.session.live.transforms import kept_claim, kept_event, kept_job, kept_model, kept_pod
from kubeai_notebook.session.logs import log_of
from tests.core.diagnosis.scenes import NOW
from tests.support import fake_api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

_VALUES = json.loads((Path(__file__).parents[1] / "golden" / "odd_values.json").read_text(encoding="utf-8"))
ONE_OF_A_KIND = _VALUES["one_of_a_kind"]
ODD = [*ONE_OF_A_KIND, *_VALUES["more"]]
_KEPT = {"model": kept_model, "pods": kept_pod, "events": kept_event, "jobs": kept_job, "claims": kept_claim}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything inside plain objects."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def changed(value: Any, path: tuple[Any, ...], change: Any) -> Any:
    """A copy in which ``change(holder, key)`` was called at the place; what is not on the way is shared."""
    if isinstance(value, dict | list):
        value = copy.copy(value)
    if len(path) == 1:
        change(value, path[0])
    else:
        value[path[0]] = changed(value[path[0]], path[1:], change)
    return value


def mutated(value: Any, random: Random, times: int) -> Any:
    """The value with a few things in it replaced, taken out, doubled or exchanged."""
    for _ in range(times):
        there = list(places(value))
        if not there:
            return random.choice(ODD)
        value = changed(value, random.choice(there), random.choice(_CHANGES)(random))
    return value


def _replaced(random: Random) -> Any:
    odd = random.choice(ODD)
    return lambda holder, key: holder.__setitem__(key, odd)


def _dropped(_random: Random) -> Any:
    return lambda holder, key: holder.__delitem__(key)


def _doubled(_random: Random) -> Any:
    def change(holder: Any, key: Any) -> None:
        if isinstance(holder, list):
            holder.insert(0, holder[key])
        else:
            holder[f"{key}2"] = holder[key]

    return change


def _retyped(random: Random) -> Any:
    shape = random.choice([str, lambda old: [old], lambda old: {"value": old}, bool, repr])
    return lambda holder, key: holder.__setitem__(key, shape(holder[key]))


_CHANGES = (_replaced, _replaced, _dropped, _doubled, _retyped)


def plain(seen: Observation) -> dict[str, Any]:
    """What an Observation was read from, as one JSON value."""
    return {
        **{name: [*getattr(seen, name)] for name in ("pods", "events", "jobs", "claims")},
        "model": seen.model,
        "operator": {"config": seen.operator.config, "version": seen.operator.version},
    }


def observed(value: Any, like: Observation) -> Observation:
    """An Observation of such a value: a list that is none is empty, a Model that is none has nothing."""
    value = value if isinstance(value, dict) else {}
    lists = {name: value.get(name) for name in ("pods", "events", "jobs", "claims")}
    operator = value.get("operator") if isinstance(value.get("operator"), dict) else {}
    model = value.get("model")
    version = operator.get("version")
    return replace(
        like,
        model=model if isinstance(model, dict) else {},
        **{name: tuple(items) if isinstance(items, list) else () for name, items in lists.items()},
        operator=replace(
            like.operator,
            config=operator.get("config") if isinstance(operator.get("config"), dict) else None,
            version=version if isinstance(version, str) else None,
        ),
    )


def single_mutations(value: Any) -> Iterator[Any]:
    """Each place with each odd value in turn, and without what stands there."""
    for path in places(value):
        yield changed(value, path, lambda holder, key: holder.__delitem__(key))
        for odd in ONE_OF_A_KIND:
            yield changed(value, path, lambda holder, key, odd=odd: holder.__setitem__(key, odd))


def kept(seen: Observation) -> Observation | None:
    """As the Observer keeps it; None where no such Model would be there."""
    parts: dict[str, Any] = {"model": kept_model(dict(seen.model))}
    for name in ("pods", "events", "jobs", "claims"):
        items = (_KEPT[name](item) for item in getattr(seen, name))
        parts[name] = tuple(item for item in items if item is not None)
    return None if parts["model"] is None else replace(seen, **parts)


def view_of(seen: Observation) -> View:
    return View(
        status=status_of(seen, NOW),
        findings=diagnose(seen, now=NOW),
        link=Link("live", since_seconds=1.0),
        stand_in=stand_in_of(seen.pods),
        where=Whereabouts(context="prod", namespace="ai"),
        observation=seen,
    )


@dataclass
class Stage:
    """A Session with one Model, which asks nobody."""

    view: View
    name: str = "m"
    asked: list[tuple[str, str]] = field(default_factory=list)
    namespace: str = "ai"

    @property
    def session(self) -> Any:
        publisher = SimpleNamespace(names=lambda: [self.name], view=lambda _name: self.view, subscribe=self.subscribe)
        return SimpleNamespace(publisher=publisher, cluster=self)

    def subscribe(self, names: list[str]) -> Subscription:
        changes = Subscription(names)
        changes.put(Change(self.name, self.view, 1))
        return changes

    def machine_catalog(self, _namespace: str) -> None:
        return None

    def config_map(self, _name: str, _namespace: str | None = None) -> Any:
        return {"data": {"models": json.dumps({"models": {self.name: {"averageActiveRequests": None}}})}}

    def pod_log(self, pod: str, *, container: str, **_options: Any) -> str:
        self.asked.append((pod, container))
        return "a line"


def shown(view: View) -> list[str]:
    """Every text that quick faces make of a View."""
    card = card_of(view, namespace="ai")
    why = Explanation("m", view.status, view.findings)
    wire = json.dumps(card.model_dump(mode="json"))
    return [text_of(card), snapshot_of(card), wire, repr(why), why._repr_html_(), repr(view)]


def shown_slowly(view: View) -> list[str]:
    """Every text that slow faces make of a View: the table, the report, Events, the log."""
    stage: Any = Stage(view)
    table = models_frame([view], idle=idle_seconds(stage, view.observation.operator), now=NOW)
    report = support_report(view, software="", now=NOW)
    texts = [repr(table), table._repr_html_(), report, repr(events_frame(view)), line_of("m", view)]
    if view.observation.pods:
        texts.append(log_of(stage.session, "m", tail_lines=10, previous=False, pod="", container=""))
    runs_of(view.model, view.observation.pods), secrets_of(view.model)
    return texts


def rich() -> list[Observation]:
    """Observations with everything in them, as real API servers send it."""
    model = fake_api.model(
        "m",
        args=["--max-model-len=2048", "--enable-lora"], env={"HF_TOKEN": "hf_abcdefgh", "A": "1"},
        adapters=[{"name": "colorist", "url": "hf://o/lora"}], files=[{"path": "/a", "content": "b"}],
        envFrom=[{"secretRef": {"name": "hub"}}], maxReplicas=3,
    )  # fmt: skip
    model["metadata"] |= {"uid": "u1", "namespace": "ai", "annotations": {"kubeai-notebook/applied": "[]"}}
    del model["metadata"]["managedFields"]
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    last = {"terminated": {"exitCode": 1, "reason": "Error", "message": "x", "finishedAt": "2026-11-22T19:00:00Z"}}
    broken = {"name": "server", "ready": False, "restartCount": 2, "state": state, "lastState": last}
    running = {"name": "server", "restartCount": 0, "state": {"running": {"startedAt": "2026-11-22T19:59:00Z"}}}
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False", "message": "no"}]
    crashing = _pod("model-m-a-1", conditions=conditions, containerStatuses=[broken])
    starting = _pod("model-m-a-2", conditions=conditions, containerStatuses=[running])
    pending = _pod("model-m-b-3", conditions=[{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}])
    cached = copy.deepcopy(model)
    cached["spec"]["cacheProfile"] = "standard"
    job = {"metadata": {"name": "load-cache-m", "uid": "j"}, "status": {"failed": 1, "conditions": [
        {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "longer than specified deadline"}
    ]}}  # fmt: skip
    claim = {"metadata": {"name": "shared-model-cache-standard", "uid": "c"}, "status": {"phase": "Pending"}}
    events = [_event("Pulling", "Pulling weights: 3 of 9 MB"), _event("Failed", "no such image", series=True)]
    ready = _pod("model-m-a-4", ready=True)
    return [
        Observation(model=model, pods=(crashing,), events=(*events,)),
        Observation(model=model, pods=(starting,), events=(*events,)),
        Observation(model=model, pods=(ready, pending), events=(*events,)),
        Observation(model=cached, jobs=(job,), claims=(claim,), events=(*events,)),
    ]


def _pod(name: str, **status: Any) -> dict[str, Any]:
    pod = fake_api.pod(name, "m", **status)
    del pod["metadata"]["managedFields"]
    pod["spec"]["volumes"] = [{"persistentVolumeClaim": {"claimName": "c"}}]
    pod["spec"]["containers"][0]["env"] = [{"name": "HF_TOKEN", "value": "hf_abcdefgh"}]
    pod["status"]["conditions"] = pod["status"]["conditions"][:3]
    pod["metadata"] |= {"uid": f"uid-{name}", "annotations": {"kubeai-notebook/stand-in-for": "VLLM"}}
    return pod


def _event(reason: str, message: str, *, series: bool = False) -> dict[str, Any]:
    about = {"kind": "Pod", "name": "model-m-a-2", "uid": "uid-model-m-a-2"}
    times = {"series": {"count": 57, "lastObservedTime": "2026-11-22T19:58:00.123456Z"}} if series else {"count": 2}
    metadata = {"name": reason, "uid": reason, "resourceVersion": "12", "creationTimestamp": "2026-11-22T10:00:00Z"}
    return {"metadata": metadata, "involvedObject": about, "reason": reason, "message": message, "type": "Warning",
            "lastTimestamp": "2026-11-22T19:57:00Z", "source": {"component": "kubelet"}, **times}  # fmt: skip


class Raised(logging.Handler):
    """What was logged as failed: a rule that raises is spared by the diagnosis, and by no test."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[1] if record.exc_info else None
        self.said.append(f"{record.getMessage()} {kind!r}")
