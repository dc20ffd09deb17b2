"""What a form hides, what it gives back, and to whom it does not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from kubeai_notebook.errors import SpecError
from tests.support.forms import URL, codes, form


def test_keeps_a_secret_out_of_everything_but_its_field() -> None:
    model = form({"url": URL, "secrets": {"HF_TOKEN": SecretStr("swordfish")}, "env": {"API_KEY": "swordfish2"}})
    assert "swordfish" not in f"{model!r} {model.texts} {model.draft} {model.fields['secrets']}"
    model.paste(model.texts.python)
    assert model.fields["secrets"][0]["value"].get_secret_value() == "swordfish"
    assert model.fields["env"] == {"API_KEY": "swordfish2"}


def test_shows_no_login_of_a_url() -> None:
    model = form({"url": "s3://user:swordfish@bucket/path", "name": "smol"})
    assert "swordfish" not in str(model.texts)


def test_asks_for_a_secret_that_nobody_has_given() -> None:
    model = form()
    model.paste(f"%kubeai_serve {URL} --secret HF_TOKEN=ask")
    assert codes(model, "secrets") == ["SecretValueMissing"]
    model.set("secrets", [{"env": "HF_TOKEN", "value": SecretStr("x")}])
    assert not model.draft.errors


def test_refuses_a_text_whose_hidden_value_it_does_not_know() -> None:
    text = form({"url": URL, "env": {"API_KEY": "swordfish2"}}).texts.yaml
    other = form({"url": "hf://a/b"})
    with pytest.raises(SpecError, match="hidden"):
        other.paste(text)
    assert other.fields == {"url": "hf://a/b"}


def test_says_which_secret_still_goes_along_with_another_url_and_removes_it() -> None:
    model = form({"url": "hf://org/a"})
    model.set("secrets", [{"env": "HF_TOKEN", "value": SecretStr("swordfish")}])
    model.set("url", "hf://org/b")
    assert codes(model, "secrets") == []
    model.set("url", "s3://bucket/b")
    (notice,) = model.notices("secrets")
    assert (notice.code, notice.severity) == ("SecretOfAnotherUrl", "warning")
    assert "HF_TOKEN" in notice.message
    assert "swordfish" not in f"{notice}{notice.remedies}"
    assert not model.draft.errors
    model.apply(notice.remedies[0].id)
    assert "secrets" not in model.fields
    assert model.notices("secrets") == ()
    model.undo()
    assert codes(model, "secrets") == ["SecretOfAnotherUrl"]


def test_says_nothing_of_a_secret_while_the_next_url_is_typed_or_where_it_was_given_for_it() -> None:
    model = form({"url": "hf://org/a"})
    model.set("secrets", [{"env": "TOKEN", "value": SecretStr("swordfish")}])
    for typed in ("s", "s3:", "s3://", "", "hf://or"):
        model.set("url", typed)
        assert "SecretOfAnotherUrl" not in codes(model, "secrets")
    model.set("url", "s3://bucket/b")
    assert codes(model, "secrets") == ["SecretOfAnotherUrl"]
    model.set("secrets", [{"env": "TOKEN", "value": SecretStr("another")}])
    assert codes(model, "secrets") == []
    model.paste("url: hf://org/a\nsecrets: [hf-token]")
    assert codes(model, "secrets") == []


TOKEN = {"secrets": {"TOKEN": SecretStr("swordfish")}}
HIDDEN = {"env": {"API_KEY": "swordfish2"}, "args": ["--api-key=swordfish3"]}


def test_asks_again_for_a_secret_that_a_pasted_text_takes_elsewhere() -> None:
    model = form({"url": "hf://org/a", **TOKEN})
    model.paste("url: s3://bucket/b\nsecrets: [TOKEN=ask]\n")
    assert codes(model, "secrets") == ["SecretValueMissing"]
    assert model.undo()
    assert model.fields["secrets"][0]["value"].get_secret_value() == "swordfish"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("hf://org/a", "hf://mallory/a"),
        ("engine: VLLM", "engine: Infinity"),
        ("image: mine", "image: mallory/vllm"),
        ("https://hub.org", "https://mallory.org"),
        ("HUB: x", "HUB: x\n    HTTPS_PROXY: mallory.org"),
    ],
)
@pytest.mark.parametrize("hidden", [TOKEN, *({name: value} for name, value in HIDDEN.items())])
def test_gives_what_a_text_hides_to_no_other_place(hidden: dict[str, Any], before: str, after: str) -> None:
    env = {"HF_HOME": "/x", "ENDPOINT": "https://hub.org", "HUB": "x", **hidden.get("env", {})}
    model = form({"url": "hf://org/a", "engine": "VLLM", "image": "mine", **hidden, "env": env})
    text = model.texts.yaml
    assert before in text
    model.paste(text)
    assert ("swordfish" in str(model.fields)) == ("secrets" not in hidden)
    assert not model.draft.errors
    if "secrets" in hidden:
        model.paste(text.replace(before, after))
        assert codes(model, "secrets") == ["SecretValueMissing"]
    else:
        with pytest.raises(SpecError, match="was given for another url, engine, image or address"):
            model.paste(text.replace(before, after))


def test_gives_back_what_a_text_hides_where_it_says_in_other_words_where_it_goes() -> None:
    model = form({"url": "hf://org/a", **HIDDEN})
    model.paste(model.texts.python.replace("hf://org/a", "org/a").replace("serve(", "serve(engine='VLLM', url="))
    assert model.fields["args"] == HIDDEN["args"]


def test_hides_the_value_of_a_secret_wherever_else_it_stands() -> None:
    value = "orangejuice"
    model = form({
        "url": URL, "args": [f"--greet={value}"], "env": {"GREETING": f"say {value}"}, "image": f"Not {value}",
        "files": {"/config/a": value}, "adapters": {value: f"hf://org/{value}"}, "secrets": {"WORD": SecretStr(value)},
    })  # fmt: skip
    assert value not in f"{model.texts}{model.draft}{[model.hidden(name) for name in ('args', 'env', 'image')]}"
    model.set("image", None)
    model.set("adapters", None)
    assert model.draft.spec is not None
    assert value not in f"{model.texts}{model.draft}{model.draft.spec!r}"
    model.paste(model.texts.yaml)
    assert model.fields["args"] == [f"--greet={value}"]
