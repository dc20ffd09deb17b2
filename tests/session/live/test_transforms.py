"""Nothing that diagnosis reads is lost by keeping less of the objects and masking the logs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.observation import Observation, claim_of, secrets_of
from kubeai_notebook.session.live.log_sources import runs_of
from kubeai_notebook.session.live.transforms import kept_event, kept_job, kept_model, kept_pod, model_of_job
from tests.core.diagnosis import cluster_cases, recorded
from tests.core.diagnosis.scenes import NOW
from tests.core.diagnosis.test_field import FIELD, name_of, observed

ENTRIES = recorded.entries()
CASES: Any = cluster_cases.CASES


def reduced(seen: Observation) -> Observation:
    """The same as the publisher would have kept it."""
    secrets = secrets_of(seen.model)
    return replace(
        seen,
        model=kept_model(dict(seen.model)),
        pods=tuple(_of(kept_pod, pod) for pod in seen.pods),
        events=tuple(_of(kept_event, event) for event in seen.events),
        jobs=tuple(_of(kept_job, job) for job in seen.jobs),
        logs=tuple(
            replace(tail, text="\n".join(masked(line, secrets) for line in tail.text.split("\n"))) for tail in seen.logs
        ),
    )


def _of(keep: Any, item: Any) -> Any:
    metadata = {"labels": {"model": "m"}, "uid": "u", **(item.get("metadata") or {})}
    kept = keep({**item, "metadata": metadata})
    return item if kept is None else kept


def codes(seen: Observation) -> list[str]:
    return [finding.code for finding in diagnose(seen, now=NOW)]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_explains_a_recorded_log_as_before(entry) -> None:
    seen = recorded.observation(entry)
    assert codes(reduced(seen)) == codes(seen)


def test_explains_what_a_cluster_says_as_before() -> None:
    seen = [case for case in CASES.values() if isinstance(case, Observation)]
    assert len(seen) > 50
    different = [(codes(one), codes(reduced(one))) for one in seen if codes(one) != codes(reduced(one))]
    assert different == []


@pytest.mark.parametrize("row", FIELD, ids=name_of)
def test_says_the_same_of_what_people_have_reported(row) -> None:
    seen = observed(row)
    before, after = ([(one.message, one.remedies) for one in diagnose(each, now=NOW)] for each in (seen, reduced(seen)))
    assert after == before


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry["code"]], ids=lambda entry: entry["name"])
def test_reads_every_log_that_explains_something(entry) -> None:
    seen = reduced(recorded.observation(entry))
    runs = runs_of(seen.model, seen.pods)
    read = {(run.pod, run.container, run.previous) for run in runs}
    assert {(tail.pod, tail.container, tail.previous) for tail in seen.logs} <= read


@pytest.mark.parametrize(
    ("spec", "claim"),
    [
        ({"url": "pvc://weights/a/b?model=x"}, "weights"),
        ({"url": "pvc://weights"}, "weights"),
        ({"url": "hf://a/b", "cacheProfile": "efs"}, "shared-model-cache-efs"),
        ({"url": "hf://a/b"}, ""),
    ],
)
def test_knows_the_claim_of_a_model(spec, claim) -> None:
    assert claim_of({"spec": spec}) == claim


def test_knows_the_model_of_a_job() -> None:
    assert (model_of_job("load-cache-m"), model_of_job("evict-cache-m"), model_of_job("other")) == ("m", "m", "")
