"""What a form makes of texts that hold more than one Model."""

from __future__ import annotations

from typing import Any

import pytest

from kubeai_notebook.core.pasted import SeveralModelsError
from kubeai_notebook.errors import KubeAIError, SpecError
from tests.support.forms import URL, form, form_of, from_browser

pytestmark = pytest.mark.usefixtures("built")


def model_of(name: str, url: str = URL) -> str:
    return f'{{apiVersion: kubeai.org/v1, kind: Model, metadata: {{name: {name}}}, spec: {{url: "{url}"}}}}'


SECRET = "{apiVersion: v1, kind: Secret, metadata: {name: login}, stringData: {a: swordfish}}"
ONE = {
    "documents": f"---\n{SECRET}\n---\n{model_of('smol')}\n---\n",
    "list": f"apiVersion: v1\nkind: List\nitems:\n- {SECRET}\n- {model_of('smol')}\n",
    "list of Models": f"apiVersion: kubeai.org/v1\nkind: ModelList\nitems:\n- {model_of('smol')}\n",
    "list among documents": f"{SECRET}\n---\nkind: List\nitems:\n- {model_of('smol')}\n",
    "apply": f"%%kubeai_apply\n{SECRET}\n---\n{model_of('smol')}\n",
}
SEVERAL = {
    "documents": f"{model_of('smol')}\n---\n{SECRET}\n---\n{model_of('other', 'hf://a/b')}",
    "list": f"kind: List\nitems:\n- {model_of('smol')}\n- {model_of('other', 'hf://a/b')}\n",
    "short": "name: smol\nurl: ollama://smollm2:135m\n---\nname: other\nurl: hf://a/b\n",
    "apply": f"%%kubeai_apply\n{model_of('smol')}\n---\n{model_of('other', 'hf://a/b')}\n",
    "catalog": f"catalog:\n  smol: {{enabled: true, url: '{URL}'}}\n  other: {{enabled: true, url: 'hf://a/b'}}\n",
}


@pytest.mark.parametrize("kind", ONE)
def test_takes_the_one_model_that_there_is(kind: str) -> None:
    model = form()
    model.paste(ONE[kind])
    assert (model.value("name"), model.value("url")) == ("smol", URL)


@pytest.mark.parametrize("kind", SEVERAL)
@pytest.mark.parametrize(("place", "name"), [(0, "smol"), (1, "other")])
def test_asks_which_of_several_models_is_meant(kind: str, place: int, name: str) -> None:
    one = form_of(context=form().context, url="hf://org/before")
    (answer,) = from_browser(one._code, {"paste": SEVERAL[kind]})
    assert answer == {"problem": "The text holds 2 Models. Choose one of them.", "choices": ["smol", "other"]}
    assert one.url.value == "hf://org/before"
    assert from_browser(one._code, {"choose": place}) == [{"problem": ""}]
    assert one.name.value == name
    assert one.url.value == (URL if name == "smol" else "hf://a/b")


def test_tells_models_of_one_name_apart() -> None:
    with pytest.raises(SeveralModelsError) as raised:
        form().paste(f"{model_of('smol')}\n---\n{model_of('smol', 'hf://a/b')}\n---\n{model_of('smol', 'hf://c/d')}\n")
    assert [*raised.value.choices] == ["smol", "smol (2)", "smol (3)"]


@pytest.mark.parametrize("choose", [0, 7, -1, "smol", None])
def test_fills_nothing_where_nothing_is_to_choose(choose: Any) -> None:
    one = form_of(url=URL)
    assert from_browser(one._code, {"choose": choose}) == []
    assert one.url.value == URL


@pytest.mark.parametrize("text", [
    f"{SECRET}\n---\n{SECRET}", "kind: List\nitems: []", "kind: List\nitems: [1, a]", "a: 1\n---\n- b", "--- 1\n--- 2",
])  # fmt: skip
def test_refuses_documents_of_which_none_is_a_model(text: str) -> None:
    model = form({"url": URL})
    with pytest.raises(KubeAIError) as raised:
        model.paste(text)
    assert "swordfish" not in raised.value.message
    assert model.fields == {"url": URL}


def test_says_what_is_wrong_with_the_one_model_of_a_list() -> None:
    text = "kind: List\nitems:\n- {kind: Model, metadata: {name: a}, spec: {url: 'hf://a/b', engin: VLLM}}\n"
    with pytest.raises(SpecError, match='"engine"'):
        form().paste(text)
    with pytest.raises(SpecError, match='"engine"'):
        form().paste(f"{SECRET}\n---\n{text.partition('- ')[2]}")


def test_keeps_lines_of_one_document_behind_three_dashes() -> None:
    with pytest.raises(SpecError, match="Line 3"):
        form().paste("---\nurl: hf://a/b\nengin: VLLM\n")
