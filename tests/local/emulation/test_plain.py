"""What an API server asks of ConfigMaps, Secrets and Namespaces."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.plain import MAX_DATA_BYTES, admit_plain


def admitted(kind, /, **fields):
    return admit_plain({"metadata": {"name": "a"}, **fields}, kind, "v1")


def test_keeps_a_secrets_texts_as_base64():
    secret = admitted("Secret", stringData={"a": "b"}, data={"c": "ZA=="}).object
    assert (secret["data"], secret["type"], "stringData" in secret) == ({"a": "Yg==", "c": "ZA=="}, "Opaque", False)


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ("Secret", {"data": {"a": "not base64"}}),
        ("Secret", {"stringData": {"a": 1}}),
        ("ConfigMap", {"data": ["a"]}),
        ("ConfigMap", {"kind": "Secret"}),
        ("Namespace", {"metadata": "a"}),
    ],
)
def test_cannot_read_what_has_another_shape(asked, fields):
    assert admitted(asked, **fields).bad_request


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("ConfigMap", {"data": {"a b": "x"}}, "data[a b]"),
        ("ConfigMap", {"data": {"a": "x" * (MAX_DATA_BYTES + 1)}}, ""),
        ("Namespace", {"metadata": {"name": "a.b"}}, "metadata.name"),
    ],
)
def test_names_the_field_that_is_wrong(kind, fields, field):
    assert [cause.field for cause in admitted(kind, **fields).causes] == [field]


def test_makes_a_namespace_active_and_labels_it():
    namespace = admitted("Namespace").object
    assert namespace["status"] == {"phase": "Active"}
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "a"}
