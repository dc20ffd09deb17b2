"""What people met in the field: the cause, who acts, what helps, and the words that say so."""

from pathlib import Path

import pytest
import yaml

from kubeai_notebook.core.diagnosis import diagnose

from .scenes import NOW, ago, container, event, log, model, pod, seen, unscheduled
from .test_world import PLACES

GOLDEN = Path(__file__).parents[2] / "golden"
FIELD = [row for name in ("field", "clusters") for row in yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())]


def served(made, text):
    return seen(made, pod("model-m-abc-1", container(running=True), ready=True), logs=[log(text)])


def with_adapter(made, text):
    made["spec"]["adapters"] = [{"name": "otas", "url": "hf://me/otas"}]
    return served(made, text)


def gated(made, gate):
    why = "Scheduling is blocked due to non-empty scheduling gates"
    waiting = unscheduled(why, reason="SchedulingGated", labels={"kueue.x-k8s.io/queue-name": "team-a"})
    waiting["spec"]["schedulingGates"] = [{"name": gate}]
    return seen(made, waiting)


def beside(made, text):
    """The engine's own log, in a Pod whose first container is a mesh's and is well."""
    crashed = container(waiting="CrashLoopBackOff", exit_code=1)
    return seen(made, pod("model-m-abc-1", container("istio-proxy", running=True), crashed), logs=[log(text)])


def going(made, text):
    """A Model that is being deleted while the claim of its cache cannot be made."""
    made["metadata"] |= {"deletionTimestamp": ago(1200), "finalizers": ["kubeai.org/cache-eviction"]}
    evicting = unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", name=EVICTING)
    claim = "shared-model-cache-standard"
    return seen(made, evicting, events=[event("ProvisioningFailed", text, name=claim, kind="PersistentVolumeClaim")])


def sandbox(made, told):
    """A Pod whose sandbox was tried more often than a new node needs."""
    creating = pod("model-m-abc-1", container(waiting="ContainerCreating"), phase="Pending")
    return seen(made, creating, events=[event(*told, count=5)])


EVICTING = "evict-cache-m-1"
OTHER_PLACES = {
    "ready": served,
    "adapter": with_adapter,
    "gated": gated,
    "beside": beside,
    "going": going,
    "sandbox": sandbox,
}


def observed(row):
    """The Observation in which the text stands, in a cluster whose profiles are not known."""
    made = model(ready=int(bool({"answer", "ready", "adapter"} & row.keys())), **row.get("spec", {}))
    everywhere = PLACES | OTHER_PLACES
    seen_there = next(place(made, row[key]) for key, place in everywhere.items() if key in row)
    return seen(
        made,
        *seen_there.pods,
        events=seen_there.events,
        logs=seen_there.logs,
        config=None,
        refusal=seen_there.refusal,
        answer=seen_there.answer,
    )


def name_of(row):
    return f"{row['code']}-{row['line']}"


@pytest.mark.parametrize("row", FIELD, ids=name_of)
def test_names_the_cause_who_acts_and_the_words_that_say_so(row):
    found = diagnose(observed(row), now=NOW)

    assert [(finding.code, finding.who) for finding in found] == [(row["code"], row["who"])]
    assert row["line"] in " ".join(piece.text for piece in found[0].evidence)


@pytest.mark.parametrize("row", FIELD, ids=name_of)
def test_offers_what_helps_in_this_case(row):
    (found,) = diagnose(observed(row), now=NOW)
    kind, _, words = row["fix"].partition(" ")

    offered = [
        (remedy.kind, remedy.title + (remedy.command.line if remedy.command else "")) for remedy in found.remedies
    ]
    assert any(how == kind and words.lower() in title.lower() for how, title in offered), offered
    assert not any(row.get("never", "nowhere to be read") in title for _, title in offered), offered
