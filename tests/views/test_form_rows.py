"""What a form does with rows of one name, presets of one name, and fields of no Model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import kubeai_notebook
from kubeai_notebook.errors import SpecError
from kubeai_notebook.views.form import Form
from kubeai_notebook.views.form_context import FormContext
from kubeai_notebook.views.form_model import FormModel
from tests.support.forms import URL, AtOnce, Cluster, codes, form, form_of, from_browser, lines

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.usefixtures("built")
PAIRS = {"env": ("A", "1", "2"), "labels": ("team", "a", "b"), "files": ("/config/a", "x", "y"),
         "adapters": ("a", "hf://b/c", "hf://d/e")}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_loses_neither_of_two_rows_of_one_name_and_says_so_below_them(name: str) -> None:
    cluster = Cluster("create")
    one = form_of(context=cluster.context, url="hf://Qwen/Qwen3-0.6B", engine="VLLM")
    key, first, second = PAIRS[name]
    rows = [[key, first], [key, second]]
    control = getattr(one, name)
    control.set_state({"rows": rows})
    assert control.rows == rows
    assert any(f'Two rows are called "{key}"' in line for line in lines(one, name))
    one.min_replicas.value = 2
    assert control.rows == rows
    one.deploy()
    assert cluster.served == []
    assert one.texts.problem.startswith("Nothing to run yet.")
    assert f'Two rows are called "{key}"' in one.texts.problem
    control.set_state({"rows": [[key, first], [f"{key}2", second]]})
    assert one.spec is not None
    assert dict(control.value) == {key: first, f"{key}2": second}
    assert not [line for line in lines(one, name) if "Two rows" in line]


def test_says_of_two_rows_that_are_alike_that_one_is_too_many() -> None:
    one = form_of(url=URL)
    one.env.set_state({"rows": [["A", "1"], ["A", "1"]]})
    assert lines(one, "env") != []


def test_keeps_what_is_hidden_in_a_row_while_two_have_one_name() -> None:
    one = form_of(url=URL, env={"API_KEY": "swordfish2"})
    hidden = one.env.rows[0][1]
    one.env.set_state({"rows": [["API_KEY", hidden], ["API_KEY", "x"]]})
    one.env.set_state({"rows": [["API_KEY", hidden], ["OTHER", "x"]]})
    assert one.spec is not None
    assert one.spec.env == {"API_KEY": "swordfish2", "OTHER": "x"}


def test_shows_both_rows_of_one_name_of_a_text_that_is_pasted() -> None:
    one = form_of()
    yaml = "url: hf://a/b\nadapters: [{name: a, url: 'hf://b/c'}, {name: a, url: 'hf://d/e'}]\n"
    assert from_browser(one._code, {"paste": yaml}) == [{"problem": ""}]
    assert one.adapters.rows == [["a", "hf://b/c"], ["a", "hf://d/e"]]
    assert any("2 adapters" in line for line in lines(one, "adapters"))


@pytest.mark.parametrize("secrets", [["A=b:c", "A=d:e"], ["A=b:c", "A=ask"]])
def test_says_that_two_secrets_are_for_one_variable(secrets: list[str]) -> None:
    assert "DuplicateVariable" in codes(form({"url": URL, "secrets": secrets}), "secrets")
    both = form({"url": URL, "secrets": secrets[:1], "env": {"A": "1"}})
    assert [(notice.code, notice.severity) for notice in both.notices("secrets")] == [("DuplicateVariable", "warning")]


def test_refuses_a_pasted_text_that_gives_a_variable_twice() -> None:
    model = form({"url": URL})
    with pytest.raises(SpecError, match='The variable "A" is given twice'):
        model.paste("url: hf://a/b\nenv: [{name: A, value: '1'}, {name: A, value: '2'}]")


def test_asks_before_it_replaces_a_preset_of_the_same_name() -> None:
    kept: dict[str, Mapping[str, Any]] = {"smol": {"url": "hf://precious/model"}}
    model = FormModel(FormContext(presets=lambda: kept), fields={"url": URL, "name": "smol"})
    one = Form(model, save_preset=kept.__setitem__, doing=AtOnce())  # type: ignore[arg-type]
    press = {"press": "preset"}
    from_browser(one._actions, press)
    assert kept["smol"] == {"url": "hf://precious/model"}
    assert one._actions.status.startswith("There is a preset smol already.")
    assert "Replace the preset" in [button["title"] for button in one._actions.buttons]
    one.min_replicas.value = 2
    from_browser(one._actions, press)
    assert kept["smol"] == {"url": "hf://precious/model"}
    from_browser(one._actions, press)
    assert kept["smol"]["url"] == URL
    assert one._actions.status.startswith("Saved as preset smol")


@pytest.mark.parametrize(
    "fields", [{"args": 5}, {"priority_class_name": ["a"]}, {"adapters": "a"}, {"min_replicas": "x"}]
)
def test_refuses_to_open_with_a_value_that_no_control_could_hold(fields: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="must be"):
        kubeai_notebook.form(URL, **fields)


def test_shows_a_row_of_a_pasted_text_that_lacks_a_part() -> None:
    one = form_of()
    assert from_browser(one._code, {"paste": "url: hf://a/b\nadapters: [{name: x}]\n"}) == [{"problem": ""}]
    assert one.adapters.rows == [["x", ""]]
    assert lines(one, "adapters") != []


def test_names_the_nearest_of_a_field_that_no_control_could_hold() -> None:
    with pytest.raises(SpecError, match='no field "min_replica". Did you mean "min_replicas"?'):
        kubeai_notebook.form(URL, min_replica=0)


def test_goes_back_and_forward_by_its_buttons() -> None:
    one = form_of(url=URL)
    enabled = lambda: {button["id"]: button["enabled"] for button in one._actions.buttons}  # noqa: E731 - read anew
    from_browser(one._code, {"paste": "url: hf://a/b"})
    one.min_replicas.value = 2
    assert (enabled()["undo"], enabled()["redo"]) == (True, False)
    from_browser(one._actions, {"press": "undo"})
    assert (one.url.value, one.min_replicas.value) == (URL, None)
    assert (enabled()["undo"], enabled()["redo"]) == (False, True)
    from_browser(one._actions, {"press": "redo"})
    assert (one.url.value, one.min_replicas.value) == ("hf://a/b", 2)
