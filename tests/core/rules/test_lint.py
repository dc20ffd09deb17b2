"""Each trap once sprung and once narrowly missed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubeai_notebook.core.digitalhub import PROJECT_LABEL
from kubeai_notebook.core.manifest import to_manifest
from kubeai_notebook.core.profile import ResourceProfile
from kubeai_notebook.core.rules.admission import admit
from kubeai_notebook.core.rules.lint import problems_of
from kubeai_notebook.core.source import Source

from .lint_cases import TRAPS, spec_with

if TYPE_CHECKING:
    from kubeai_notebook.core.model_spec import ModelSpec


def found(spec: ModelSpec) -> list[tuple[str, str, str]]:
    return [(notice.severity, notice.code, notice.field) for notice in problems_of(spec)]


@pytest.mark.parametrize("trap", TRAPS)
def test_springs_the_trap(trap: str) -> None:
    changes, expected, _ = TRAPS[trap]
    assert expected in found(spec_with(**changes))


@pytest.mark.parametrize("trap", TRAPS)
def test_says_nothing_of_the_near_miss(trap: str) -> None:
    _, _, near = TRAPS[trap]
    assert found(spec_with(**near)) == []


def test_minds_dots_only_on_the_platform() -> None:
    on_the_platform = {"labels": {PROJECT_LABEL: "atlas"}}
    assert found(spec_with(name="llama-3.2")) == []
    assert found(spec_with(name="llama-3.2", **on_the_platform)) == [("warning", "DotsInName", "name")]
    assert found(spec_with(name="llama-32", **on_the_platform)) == []


def test_puts_errors_first() -> None:
    severities = [severity for severity, _, _ in found(spec_with(resource_profile="", env={"HF_TOKEN": "x"}))]
    assert severities == ["error", "warning"]


@pytest.mark.parametrize("trap", TRAPS)
def test_patch_cures_the_trap(trap: str) -> None:
    changes, expected, _ = TRAPS[trap]
    spec = spec_with(**changes)
    notice = next(notice for notice in problems_of(spec) if (notice.severity, notice.code, notice.field) == expected)
    (remedy,) = notice.remedies
    assert remedy.title.endswith(".")
    assert notice.message.endswith(".")
    assert (remedy.kind == "change") == bool(remedy.changes)
    if not remedy.changes:
        return
    manifest = merged(to_manifest(spec), remedy.patch(to_manifest(spec)))
    assert admit(manifest).admitted
    assert expected not in found(spec_from(manifest["spec"], spec))


def merged(value: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    base = value if isinstance(value, dict) else {}
    kept = {key: inner for key, inner in base.items() if key not in patch or patch[key] is not None}
    return kept | {key: merged(base.get(key), inner) for key, inner in patch.items() if inner is not None}


def spec_from(body: dict[str, Any], spec: ModelSpec) -> ModelSpec:
    """The spec again with what a patch may have changed."""
    scaled = {"min_replicas": body["minReplicas"], "replicas": body.get("replicas")}
    scaled["scale_down_delay_seconds"] = body.get("scaleDownDelaySeconds")
    balancing = spec.scaling.load_balancing.model_copy(
        update={"strategy": body.get("loadBalancing", {}).get("strategy")}
    )
    changes = {
        "url": Source(body["url"]),
        "features": tuple(body["features"]),
        "resource_profile": ResourceProfile(body.get("resourceProfile", "")),
        "args": tuple(body.get("args", ())),
        "env": body.get("env", {}),
        "cache_profile": body.get("cacheProfile"),
        "scaling": spec.scaling.model_copy(update={**scaled, "load_balancing": balancing}),
    }
    return spec.model_copy(update=changes)


SECRET = "hunter2-very-secret"


def test_never_shows_a_secret_value() -> None:
    spec = spec_with(env={"HF_TOKEN": SECRET, "OLLAMA_HOST": SECRET}, args=(f"--api-key={SECRET}", f"--port={SECRET}"))
    assert len(problems_of(spec)) == 4
    for notice in problems_of(spec):
        assert SECRET not in f"{notice!r} {notice}"
        assert SECRET not in json.dumps([notice.field, notice.code])


WORDS = st.text(max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    url=st.builds("{}://{}".format, st.sampled_from(["hf", "ollama", "s3", "pvc", "x"]), WORDS) | WORDS,
    profile=WORDS | st.sampled_from(["cpu:1", "gpu:٣", "gpu:²"]),
    args=st.lists(st.builds("--{}".format, WORDS) | WORDS, max_size=4).map(tuple),
    env=st.dictionaries(WORDS, WORDS, max_size=3),
    engine=st.sampled_from(["OLlama", "VLLM", "FasterWhisper", "Infinity"]),
)
def test_judges_any_spec(url: str, profile: str, args: tuple[str, ...], **rest: Any) -> None:
    spec = spec_with(url=url, resource_profile=profile, args=args, engine=rest["engine"], env=rest["env"])
    assert all(notice.remedies and notice.message for notice in problems_of(spec))
