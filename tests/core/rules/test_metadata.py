"""Names, labels and metadata as kube-apiserver 1.36 judges them."""

from __future__ import annotations

from typing import Any

import pytest

from kubeai_notebook.core.rules.admission import admit

from .test_admission import SPEC, lines

SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of"


def of(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": "m", **metadata}, "spec": SPEC}


@pytest.mark.parametrize("name", ["a", "a.b", "0", "a" * 40, "llama-3.1-8b"])
def test_admits_a_legal_name(name: str) -> None:
    assert admit(of(name=name)).admitted


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a-", ".a", "a..b", "ü", "a\n", " "])
def test_refuses_what_is_no_subdomain(name: str) -> None:
    (line,) = lines(admit(of(name=name)))
    assert line.startswith("metadata.name: Invalid value: ")
    assert SUBDOMAIN in line


def test_counts_a_long_name_in_bytes_and_kubeais_in_characters() -> None:
    length, rule = lines(admit(of(name="a" * 254)))
    assert length.endswith(": must be no more than 253 bytes")
    assert rule == "<nil>: Invalid value: name must not exceed 40 characters."


def test_wants_a_name_or_a_beginning_of_one() -> None:
    assert lines(admit(of(name=""))) == ["metadata.name: Required value: name or generateName is required"]
    assert lines(admit(of(name=None))) == ["metadata.name: Required value: name or generateName is required"]
    assert admit(of(name="", generateName="tiny-")).admitted


def test_judges_the_length_of_the_name_that_the_server_would_make() -> None:
    assert admit(of(name="", generateName="a" * 35)).admitted
    assert lines(admit(of(name="", generateName="a" * 36))) == [
        "<nil>: Invalid value: name must not exceed 40 characters."
    ]


@pytest.mark.parametrize(
    ("labels", "end"),
    [
        ({"a b": "x"}, "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"),
        ({"a": "x y"}, "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"),
        ({"a": "x" * 64}, "must be no more than 63 bytes"),
        ({"a/b/c": "x"}, "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"),
        ({"/b": "x"}, '"/b": prefix part must be non-empty'),
        ({"a" * 64: "x"}, "name part must be no more than 63 bytes"),
    ],
)
def test_refuses_malformed_labels(labels: dict[str, str], end: str) -> None:
    (line,) = lines(admit(of(labels=labels)))
    assert line.startswith("metadata.labels: Invalid value: ")
    assert line.endswith(end)


def test_admits_labels_at_their_bounds() -> None:
    labels = {"example.com/" + "a" * 63: "x" * 63, "A_b.c": "", "none": None}
    assert admit(of(labels=labels)).admitted


def test_judges_annotation_keys_in_small_letters_and_shows_them_as_given() -> None:
    assert admit(of(annotations={"Example.COM/Key": "any thing ü"})).admitted
    (line,) = lines(admit(of(annotations={"A b": ""})))
    assert line.startswith('metadata.annotations: Invalid value: "A b": name part must consist of')


def test_bounds_annotations_together() -> None:
    assert admit(of(annotations={"a": "x" * 262_143})).admitted
    assert lines(admit(of(annotations={"a": "x" * 262_144}))) == [
        "metadata.annotations: Too long: may not be more than 262144 bytes"
    ]


@pytest.mark.parametrize(
    ("metadata", "end"),
    [
        ({"labels": {"a": 1}}, "cannot unmarshal number into Go struct field ObjectMeta.labels of type string"),
        ({"labels": []}, "cannot unmarshal array into Go struct field ObjectMeta.labels of type map[string]string"),
        (
            {"ownerReferences": ["a"]},
            "cannot unmarshal string into Go struct field ObjectMeta.ownerReferences of type v1.OwnerReference",
        ),
        ({"name": True}, "cannot unmarshal bool into Go struct field ObjectMeta.name of type string"),
    ],
)
def test_cannot_read_metadata_of_a_wrong_type(metadata: dict[str, Any], end: str) -> None:
    verdict = admit(of(**metadata))
    assert verdict.bad_request.startswith('Model in version "v1" cannot be handled as a Model: json: ')
    assert verdict.bad_request.endswith(end)


def test_keeps_of_metadata_what_the_server_knows() -> None:
    owner = {"kind": "K", "apiVersion": "v1", "name": "n", "uid": "u"}
    item = of(labels={"a": None}, annotations={}, lables={}, ownerReferences=[{**owner, "x": 1}], generation=None)
    verdict = admit(item, strict=False)
    assert verdict.unknown_fields == ("metadata.lables", "metadata.ownerReferences[0].x")
    assert verdict.object["metadata"] == {"name": "m", "labels": {"a": ""}, "ownerReferences": [owner]}


def test_wants_every_owner_whole() -> None:
    expected = [
        'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
        'metadata.ownerReferences.kind: Invalid value: "": kind must not be empty',
        'metadata.ownerReferences.name: Invalid value: "": name must not be empty',
        'metadata.ownerReferences.uid: Invalid value: "": uid must not be empty',
    ]
    assert lines(admit(of(ownerReferences=[{}]))) == expected
    assert lines(admit(of(ownerReferences=[None]))) == expected
