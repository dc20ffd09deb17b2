import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeai_notebook.core.naming import check_name, request_name, sanitized, unique_name
from kubeai_notebook.errors import SpecError


@pytest.mark.parametrize("name", ["a", "smol", "llama-3.1-8b-instruct-cpu", "0", "a" * 40])
def test_accepts_what_kubernetes_accepts(name: str) -> None:
    assert check_name(name) == []


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a..b", "a.-b", "ü"])
def test_refuses_what_kubernetes_refuses(name: str) -> None:
    assert [problem.code for problem in check_name(name)] == ["InvalidName"]


def test_says_how_to_write_a_wrong_name() -> None:
    assert 'Call it "my-model".' in check_name("My_Model")[0].message


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
    assert 'Call it "' + "a" * 39 + '".' in check_name("a" * 41)[0].message


def test_keeps_the_letter_of_an_accent() -> None:
    assert 'Call it "modele".' in check_name("modèle")[0].message
    assert sanitized("Ünïcode-ß") == "unicode"
