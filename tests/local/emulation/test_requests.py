"""What is checked of a request before anything is written."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.kinds import CONFIG_MAPS, MODELS, NAMESPACES, Ref
from kubeai_notebook.local.emulation.refusals import StatusError
from kubeai_notebook.local.emulation.requests import deletion_policy, is_dry, number_of, placed, updated, warnings_of

MODEL = Ref(MODELS, "default", "m")
STORED = {"metadata": {"name": "m", "namespace": "default", "uid": "u", "resourceVersion": "7"}, "spec": {}}


def code_of(call, *arguments, **options):
    with pytest.raises(StatusError) as refused:
        call(*arguments, **options)
    return refused.value.code


@pytest.mark.parametrize(("text", "number"), [("", None), ("007", 7), ("-3", -3), ("+3", 3)])
def test_reads_numbers_as_go_does(text, number):
    assert number_of({"n": text}, "n") == number


@pytest.mark.parametrize("text", ["1.5", "x", "1_000", "٣", "9" * 5_000, str(2**63)])
def test_refuses_what_is_no_number_to_go(text):
    assert code_of(number_of, {"n": text}, "n") == 400


def test_puts_an_object_into_the_namespace_of_the_request():
    assert placed({"metadata": {"name": "m"}}, MODEL)["metadata"]["namespace"] == "default"
    assert code_of(placed, {"metadata": {"namespace": "other"}}, MODEL) == 400


@pytest.mark.parametrize(
    ("changed", "replacing", "code"),
    [
        ([], False, 400),
        ({"metadata": {"name": "other"}}, False, 400),
        ({"metadata": {"namespace": "other"}}, False, 400),
        ({"metadata": {"name": "m"}}, True, 422),
        ({"metadata": {"resourceVersion": "7", "uid": "another"}}, True, 409),
    ],
)
def test_refuses_an_update_of_something_else(changed, replacing, code):
    assert code_of(updated, STORED, changed, MODEL, replacing=replacing) == code


def test_writes_nothing_but_the_status_through_its_subresource():
    changed = {"metadata": {"labels": {"a": "b"}}, "spec": {"x": 1}, "status": {"ready": 1}}
    ref = Ref(MODELS, "default", "m", "status")
    assert updated(STORED, changed, ref, replacing=False) == {**STORED, "status": {"ready": 1}}


def test_deletes_in_the_background_unless_it_is_told_otherwise():
    assert deletion_policy(STORED, MODEL, {}, query={}) == "Background"
    assert deletion_policy(STORED, MODEL, {"propagationPolicy": "Orphan"}, query={}) == "Orphan"
    assert deletion_policy(STORED, MODEL, {}, query={"propagationPolicy": "Foreground"}) == "Foreground"
    assert code_of(deletion_policy, STORED, MODEL, {"propagationPolicy": "Never"}, query={}) == 422


def test_keeps_the_preconditions_of_a_deletion():
    for key in ("uid", "resourceVersion"):
        assert code_of(deletion_policy, STORED, MODEL, {"preconditions": {key: "other"}}, query={}) == 409
    assert deletion_policy(STORED, MODEL, {"preconditions": {"uid": "u"}}, query={}) == "Background"
    assert code_of(deletion_policy, STORED, Ref(NAMESPACES, "", "default"), {}, query={}) == 403


def test_takes_no_unknown_word_for_a_dry_run():
    assert [is_dry({}), is_dry({"dryRun": "All"}), is_dry({}, {"dryRun": ["All"]})] == [False, True, True]
    assert code_of(is_dry, {"dryRun": "all"}) == 422


def test_warns_of_fields_that_were_dropped():
    assert warnings_of({}, ("spec.x",)) == [("Warning", '299 - "unknown field \\"spec.x\\""')]
    assert warnings_of({"fieldValidation": "Ignore"}, ("spec.x",)) == []
    assert warnings_of({}, ("spec.\r\nSet-Cookie: a",)) == []


def test_asks_no_config_map_for_the_version_that_it_replaces():
    ref = Ref(CONFIG_MAPS, "default", "m")
    assert updated(STORED, {"data": {"a": "b"}}, ref, replacing=True)["data"] == {"a": "b"}
