import pickle
from collections.abc import Callable
from copy import copy, deepcopy

import pytest

from kubeai_notebook.core.source import Source, parse_source
from kubeai_notebook.errors import SpecError


def test_splits_scheme_reference_and_parameters() -> None:
    source = parse_source("pvc://claim/folder?model=qwen:0.5b&insecure=TRUE")
    assert (source.scheme, source.reference) == ("pvc", "claim/folder")
    assert source.parameters == {"model": "qwen:0.5b", "insecure": "TRUE"}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("ollama://smollm2:135m", "smollm2"),
        ("hf://Qwen/Qwen2.5-0.5B-Instruct", "Qwen2.5-0.5B-Instruct"),
        ("hf://org/repo/", "repo"),
        ("ollama://registry.local/team/phi:latest", "phi"),
    ],
)
def test_knows_what_people_call_the_model(url: str, name: str) -> None:
    assert parse_source(url).base_name == name


@pytest.mark.parametrize("url", ["", "smollm2", "http://x/y", "HF://a/b", "hf:/a/b", "hf//a", "tar://p/model"])
def test_refuses_a_scheme_that_kubeai_does_not_know(url: str) -> None:
    with pytest.raises(SpecError, match="no scheme that KubeAI knows.* (Start it with hf|Did you mean .hf)://"):
        parse_source(url)


def test_says_where_the_url_of_a_platforms_store_is_found() -> None:
    with pytest.raises(SpecError, match="platform's store, .* Give the url that the entry itself holds"):
        parse_source("store://p/model")


@pytest.mark.parametrize("url", ["hf://", "hf://?x=1"])
def test_refuses_a_url_that_names_no_model(url: str) -> None:
    with pytest.raises(SpecError, match="names no model"):
        parse_source(url)


@pytest.mark.parametrize("url", ["ollama://a;rm -rf", "hf://$(id)", "hf://a b", "hf://a\nb", "hf://modèle"])
def test_refuses_characters_that_the_operator_refuses_silently(url: str) -> None:
    with pytest.raises(SpecError, match="characters that KubeAI does not accept"):
        parse_source(url)


def test_cuts_a_huge_url_in_its_message() -> None:
    with pytest.raises(SpecError) as raised:
        parse_source("x" * 2_000_000)
    assert len(str(raised.value)) < 400


def test_keeps_a_url_that_kubeai_cannot_read() -> None:
    source = Source("hf://org/modèle?x=1")
    assert (source, source.scheme, source.reference) == ("hf://org/modèle?x=1", "hf", "org/modèle")
    assert not source.readable
    assert Source("smollm2").scheme == ""


def test_names_the_claim_of_a_url_and_of_no_other() -> None:
    assert Source("pvc://weights/folder?model=a").claim == "weights"
    assert Source("hf://org/model").claim == ""


@pytest.mark.parametrize("copied", [copy, deepcopy, lambda source: pickle.loads(pickle.dumps(source))])
def test_stays_what_it_is_when_copied(copied: Callable[[Source], Source]) -> None:
    again = copied(Source("pvc://claim?model=a"))
    assert (type(again), again.claim, again.parameters) == (Source, "claim", {"model": "a"})
