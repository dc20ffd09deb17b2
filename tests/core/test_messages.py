"""Refusals word for word, where the server's words are not what one would guess."""

from __future__ import annotations

from typing import Any

import pytest

from kubeai_notebook.core.rules.admission import admit
from kubeai_notebook.core.rules.admission_errors import quoted, shown

from .rules.test_admission import lines, spec

WORDED = [
    ({"replicas": -1}, [".spec.replicas: Invalid value: -1: should be a non-negative integer"]),
    (
        {"replicas": "2"},
        [
            'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
            ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: 2 is of the type string, expected int64",
        ],
    ),
    (
        {"replicas": 2**31},
        [
            '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.replicas',
            ".spec.replicas: Invalid value: 2147483648: should be less than or equal to 2147483647",
        ],
    ),
    (
        {"minReplicas": 1.5},
        [
            'spec.minReplicas: Invalid value: "float64": spec.minReplicas in body must be of type int32: "float64"',
            '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.minReplicas',
        ],
    ),
    (
        {"minReplicas": True},
        ['spec.minReplicas: Invalid value: "": spec.minReplicas in body must be of type int32: ""'],
    ),
    (
        {"minReplicas": 1, "maxReplicas": 2.0},
        [
            'spec: Invalid value: "object": invalid data, expected int, got float64 evaluating rule: '
            "minReplicas should be less than or equal to maxReplicas."
        ],
    ),
    (
        {"loadBalancing": {"prefixHash": {"meanLoadFactor": 99}}},
        [
            "spec.loadBalancing.prefixHash.meanLoadFactor: Invalid value: 99: "
            "spec.loadBalancing.prefixHash.meanLoadFactor in body should be greater than or equal to 100"
        ],
    ),
    (
        {"features": [None]},
        [
            'spec.features[0]: Invalid value: "null": spec.features[0] in body must be of type string: "null"',
            "spec.features[0]: Unsupported value: null: supported values: "
            '"TextGeneration", "TextEmbedding", "Reranking", "SpeechToText"',
        ],
    ),
    (
        {"env": {"A.b": 1}},
        ['spec.env.A.b: Invalid value: "integer": spec.env.A.b in body must be of type string: "integer"'],
    ),
    (
        {"files": [{"path": f"/{number}", "content": ""} for number in range(11)]},
        ["spec.files: Too many: 11: must have at most 10 items"],
    ),
    (
        {"files": [{"path": "/a", "content": "ü" * 100_001}]},
        ["spec.files[0].content: Too long: may not be more than 100000 bytes"],
    ),
    ({"files": [{"path": "/a", "content": "ü" * 100_000}]}, []),
    (
        {"adapters": [{"name": "a\n", "url": "hf://a/b"}]},
        ["spec.adapters[0].name: Invalid value: \"a\\n\": spec.adapters[0].name in body should match '^[a-z0-9-]+$'"],
    ),
    ({"adapters": []}, []),
    ({"cacheProfile": ""}, []),
    (
        {"engine": "Infinity", "adapters": []},
        ["spec: Invalid value: adapters only supported with VLLM engine."],
    ),
    ({"url": "gs://b/p", "cacheProfile": ""}, []),
]


@pytest.mark.parametrize(("changes", "expected"), WORDED)
def test_words_a_refusal_as_the_server(changes: dict[str, Any], expected: list[str]) -> None:
    assert lines(admit(spec(**changes))) == expected


@pytest.mark.parametrize(
    ("text", "go"),
    [
        ('a"b\\c', r'"a\"b\\c"'),
        ("\n\t\x00\x7f", r'"\n\t\x00\x7f"'),
        ("ü\u00a0\u200b😀", '"ü\\u00a0\\u200b😀"'),
        ("\U000e0001", r'"\U000e0001"'),
    ],
)
def test_quotes_as_go_does(text: str, go: str) -> None:
    assert quoted(text) == go


@pytest.mark.parametrize(
    ("value", "go"),
    [
        (None, "null"),
        (True, "true"),
        (999999.5, "999999.5"),
        (1e6, "1e+06"),
        (123456789.0, "1.23456789e+08"),
        (-2.5e-5, "-2.5e-05"),
        (2**63, "9.223372036854776e+18"),
        ([2**63, 1e21], "[9223372036854776000,1e+21]"),
        (0.00001, "1e-05"),
        (2.50, "2.5"),
        ({"b": [1.0, None], "a": "<&>"}, '{"a":"\\u003c\\u0026\\u003e","b":[1,null]}'),
    ],
)
def test_shows_other_values_as_go_does(value: Any, go: str) -> None:
    assert shown(value) == go
