"""Generated Models: right ones, broken ones, and any JSON at all."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

WEIRD_TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**66), 2**66) | st.floats(allow_nan=False) | WEIRD_TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WEIRD_TEXT, inner, max_size=3), max_leaves=8
)
SCHEMES = ["hf://", "pvc://", "ollama://", "s3://", "gs://", "oss://", "oci://", "HF://", "hf:/", " hf://", ""]
URLS = st.builds("{}{}".format, st.sampled_from(SCHEMES), st.sampled_from(["", "a/b", "\n", "ü", "x?y=1"]))
PATHS = st.sampled_from(["/a", "/b", "a", "/a:b", "", "/", "/ü", "/a\n:"])
COUNTS = st.integers(-2, 4) | st.sampled_from([2**31 - 1, 2**31, -(2**31) - 1, 2.0, 1.5, "2", True, None])


def record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A dict in which every field may be missing."""
    return st.fixed_dictionaries({}, optional=fields)


GOOD_SPEC = st.fixed_dictionaries(
    {
        "url": URLS,
        "engine": st.sampled_from(["OLlama", "VLLM", "FasterWhisper", "Infinity"]),
        "features": st.lists(st.sampled_from(["TextGeneration", "Reranking"]), max_size=2),
    },
    optional={
        "cacheProfile": st.sampled_from(["", "efs", "nfs"]),
        "minReplicas": st.integers(0, 4),
        "maxReplicas": st.integers(1, 4),
        "adapters": st.lists(st.fixed_dictionaries({"name": st.just("a-1"), "url": URLS}), max_size=2),
        "files": st.lists(st.fixed_dictionaries({"path": PATHS, "content": WEIRD_TEXT}), max_size=4),
        "loadBalancing": record(prefixHash=record(replication=st.integers(255, 257))),
        "env": st.dictionaries(WEIRD_TEXT, WEIRD_TEXT, max_size=2),
    },
)
BROKEN_SPEC = record(
    url=URLS | SCALARS,
    engine=st.sampled_from(["VLLM", "vllm", ""]) | SCALARS,
    features=st.lists(st.sampled_from(["TextGeneration", "Chat", None, 3]), max_size=3) | SCALARS,
    cacheProfile=JSON,
    minReplicas=COUNTS,
    maxReplicas=COUNTS,
    replicas=COUNTS,
    targetRequests=COUNTS,
    scaleDownDelaySeconds=COUNTS | st.sampled_from([2**63, -1]),
    adapters=st.lists(record(name=WEIRD_TEXT, url=URLS, extra=JSON) | JSON, max_size=2) | JSON,
    files=st.lists(record(path=PATHS, content=SCALARS) | JSON, max_size=12) | JSON,
    loadBalancing=record(strategy=SCALARS, prefixHash=record(meanLoadFactor=COUNTS, replication=JSON)) | JSON,
    env=st.dictionaries(WEIRD_TEXT, SCALARS, max_size=3) | JSON,
    envFrom=st.lists(record(prefix=JSON, secretRef=record(name=SCALARS, optional=SCALARS)) | JSON, max_size=2),
    unknown=JSON,
)
NAMES = st.sampled_from(["m", "a" * 40, "a" * 41, "A_b", "", "a.b", "ü" * 41, "-a", "a" * 254])
METADATA = record(name=NAMES, generateName=NAMES, labels=JSON, annotations=st.dictionaries(WEIRD_TEXT, WEIRD_TEXT))


def model(spec: Any, name: str = "m") -> dict[str, Any]:
    return {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": name}, "spec": spec}


GOOD_MODELS = st.builds(model, GOOD_SPEC, st.sampled_from(["m", "a" * 40, "a" * 41]))
BROKEN_MODELS = st.builds(model, GOOD_SPEC | BROKEN_SPEC | JSON, NAMES)
ANY_MODELS = st.fixed_dictionaries(
    {"apiVersion": st.just("kubeai.org/v1"), "kind": st.just("Model")},
    optional={"metadata": METADATA | JSON, "spec": BROKEN_SPEC | JSON, "status": JSON, "other": JSON},
)
