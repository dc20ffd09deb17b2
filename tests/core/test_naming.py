import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeai_notebook.core.messages import sentence_of
from kubeai_notebook.core.naming import check_name, request_name, sanitized, unique_name
from kubeai_notebook.core.spec import draft_of
from kubeai_notebook.errors import SpecError


@pytest.mark.parametrize("name", ["a", "smol", "llama-3.1-8b-instruct-cpu", "0", "a" * 40])
def test_accepts_what_kubernetes_accepts(name: str) -> None:
    assert check_name(name) == []


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a..b", "a.-b", "ü"])
def test_refuses_what_kubernetes_refuses(name: str) -> None:
    assert [problem.code for problem in check_name(name)] == ["InvalidName"]


def test_says_how_to_write_a_wrong_name() -> None:
    assert 'Call it "my-model".' in str(check_name("My_Model")[0])


def test_refuses_a_name_of_41_characters() -> None:
    assert check_name("a" * 41)[0].code == "NameTooLong"


@given(st.text(max_size=200))
def test_sanitizes_any_text_to_a_legal_name_or_nothing(text: str) -> None:
    name = sanitized(text)
    assert len(name) <= 39
    assert not name or check_name(name) == []


@given(st.text(max_size=80), st.from_regex(r"\A[a-z0-9]{6}\Z"))
def test_never_cuts_the_suffix(text: str, suffix: str) -> None:
    name = unique_name(text, suffix)
    assert name.endswith(suffix)
    assert check_name(name) == []
    assert len(name) <= 39


def test_refuses_a_suffix_of_another_length() -> None:
    with pytest.raises(SpecError, match="six small letters"):
        unique_name("a", "abc")


def test_joins_an_adapter_with_an_underscore() -> None:
    assert request_name("tinyllama", "colorist") == "tinyllama_colorist"
    assert request_name("tinyllama") == "tinyllama"


def test_offers_a_shorter_name() -> None:
    assert 'Call it "' + "a" * 39 + '".' in str(check_name("a" * 41)[0])


def test_keeps_the_letter_of_an_accent() -> None:
    assert 'Call it "modele".' in str(check_name("modèle")[0])
    assert sanitized("Ünïcode-ß") == "unicode"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"labels": {"team": "data science!"}}, 'In labels, the value "data science!" may have up to 63 letters'),
        ({"labels": {"hf-token": "swordfish lagoon"}}, "In labels, the value *** may have up to 63 letters"),
        ({"labels": {"my team": "a"}}, 'Write "my-team".'),
        ({"labels": {"ds.org/my team": "a"}}, 'Write "ds.org/my-team".'),
        ({"labels": {"team": "-"}}, "Use these characters only."),
        ({"labels": {"team": "x" * 80}}, f'Write "{"x" * 63}".'),
        ({"adapters": {"My Ad": "hf://a/b"}}, 'small letters, digits and "-" only, such as my-adapter'),
        ({"files": {"config:x": "a"}}, 'must begin with "/" and have no colon, such as /config/template.jinja'),
    ],
)
def test_says_in_words_what_a_name_may_be(fields, sentence):
    told = " ".join(map(str, draft_of({"url": "hf://a/b", **fields}).errors))
    assert sentence in told
    assert "regex" not in told
    assert "[a-z" not in told


def test_leaves_a_right_label_alone():
    labels = {"team": "", "a.b/c_d": "My.Value-1", "x": "1"}
    assert draft_of({"url": "hf://a/b", "labels": labels}).errors == ()


def test_takes_the_regex_out_of_an_api_servers_words():
    text = (
        "Invalid value: \"a b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"
        " (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    )
    assert sentence_of(text) == "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"
