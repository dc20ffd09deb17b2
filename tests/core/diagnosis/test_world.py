"""Texts of failures that others met, in words that no recording here has, and of what only looks like one."""

from pathlib import Path

import pytest
import yaml

from kubeai_notebook.core.diagnosis import diagnose

from .cluster_cases import failed, of_claim
from .scenes import NOW, answered, container, crash, crashed, event, log, model, pod, seen, unscheduled, waiting

WORLD = yaml.safe_load((Path(__file__).parents[2] / "golden" / "world.yaml").read_text())


def logged(made, text):
    return crash(f"INFO loading\n{text}\nRuntimeError: Engine core initialization failed.", made)


def loading(made, text):
    return seen(made, pod("model-m-abc-1", container(running=True)), logs=[log(f"INFO loading\n{text}")])


def ended(made, told):
    reason, code, message = told
    crashing = crashed(exit_code=code, reason=reason)
    crashing["status"]["containerStatuses"][0]["lastState"]["terminated"]["message"] = message
    return seen(made, crashing)


def disrupted(made, told):
    condition = dict(zip(("reason", "message"), told, strict=True)) | {"type": "DisruptionTarget", "status": "True"}
    return seen(made, pod("model-m-abc-1", phase="Failed", conditions=[condition]))


def probing(made, told):
    return seen(made, pod("model-m-abc-1", container(running=True)), events=[event(*told)])


def starting(made, told):
    creating = pod("model-m-abc-1", container(waiting="ContainerCreating"), phase="Pending")
    return seen(made, creating, events=[event(*told)])


PLACES = {
    "log": logged,
    "loading": loading,
    "ended": ended,
    "disrupted": disrupted,
    "probing": probing,
    "starting": starting,
    "scaling": lambda made, told: seen(made, unscheduled("0/3 nodes are available."), events=[event(*told)]),
    "waiting": lambda made, told: seen(made, waiting(*told)),
    "unscheduled": lambda made, text: seen(made, unscheduled(text)),
    "refusal": lambda made, text: seen(made | {"status": {"replicas": {"all": 0}}}, refusal=text),
    "claim": lambda _, text: of_claim(text),
    "failed": lambda _, told: failed(*told),
    "answer": lambda made, told: answered(*told, made),
}


def observed(row):
    """The Observation in which the text stands."""
    made = model(ready=int("answer" in row), **row.get("spec", {}))
    return next(place(made, row[key]) for key, place in PLACES.items() if key in row)


def text_of(row):
    return str(next(value for key, value in row.items() if key in PLACES))[:70]


@pytest.mark.parametrize("row", WORLD, ids=text_of)
def test_names_what_others_met(row):
    found = diagnose(observed(row), now=NOW)

    assert [finding.code for finding in found] == ([] if row["code"] == "none" else [row["code"]])
