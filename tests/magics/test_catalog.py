"""What can be served, as a reader of a notebook is told: the list, Tab, and what a line says before it sends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import kubeai_notebook
from kubeai_notebook.errors import SpecError
from kubeai_notebook.session.session import default
from tests.magics.test_completion import completions, counted

if TYPE_CHECKING:
    from collections.abc import Callable

SMOL = "ollama://smollm2:135m"


def test_lists_what_can_be_served(here: Callable[[str], Any]) -> None:
    frame = here("%kubeai_catalog")
    rows = frame.set_index("url")
    assert rows.loc[SMOL, "source"] == "this machine"
    assert rows.loc["ollama://gemma3:27b", "source"] == "known"
    assert rows.loc["ollama://gemma3:27b", "size_bytes"] == 17_000_000_000
    assert frame["here"].tolist() == sorted(frame["here"], reverse=True)
    assert "about 398 MB" in repr(frame)


def test_finds_by_words_and_by_feature(here: Callable[[str], Any]) -> None:
    assert here("%kubeai_catalog qwen3 0.6b")["url"].tolist() == ["ollama://qwen3:0.6b", "hf://Qwen/Qwen3-0.6B"]
    assert set(here("%kubeai_catalog --feature TextEmbedding")["features"]) == {"TextEmbedding"}
    assert "any url of a model can be served" in repr(here("%kubeai_catalog nothing-like-this"))
    with pytest.raises(SpecError, match='Did you mean "TextEmbedding"'):
        here("%kubeai_catalog --feature TextEmbeding")


def test_lists_only_what_lies_here_or_has_room(here: Callable[[str], Any]) -> None:
    assert set(here("%kubeai_catalog --here")["here"]) == {True}
    assert False not in set(here("%kubeai_catalog --fits")["fits"].dropna())
    assert (
        kubeai_notebook.catalog(here=True, fits=True)["url"].tolist()
        == here("%kubeai_catalog --here --fits")["url"].tolist()
    )


def test_python_has_the_same_list(here: Callable[[str], Any]) -> None:
    here("%kubeai_config context=local")
    frame = kubeai_notebook.catalog("smollm2", feature="TextGeneration")
    assert SMOL in frame["url"].tolist()
    assert frame["url"].str.contains("smollm2", case=False).all()


def test_names_the_model_that_serves_a_url_already(here: Callable[[str], Any]) -> None:
    here(f"%kubeai_serve smol {SMOL} --min-replicas 0")
    assert here("%kubeai_catalog smol").set_index("url").loc[SMOL, "model"] == "smol"


def test_a_line_without_a_url_names_those_that_are_here(here: Callable[[str], Any]) -> None:
    with pytest.raises(
        SpecError, match=r"[Aa] (new )?Model needs a url\. .*ollama://smollm2:135m.*%kubeai_catalog lists more"
    ):
        here("%kubeai_serve smollm")


@pytest.mark.parametrize(
    "begun", ["%kubeai_serve ollama://", "%kubeai_serve smol ollama://", "%kubeai_serve a --url ollama://"]
)
def test_tab_behind_a_scheme_offers_its_urls_alone(shell: Any, begun: str) -> None:
    found = completions(shell, begun)
    assert f"{begun.removesuffix('ollama://')}{SMOL}" in found
    assert all(text.startswith(begun) for text in found)


def test_tab_offers_what_lies_here_first_and_asks_nobody(here: Callable[[str], Any], shell: Any) -> None:
    here("%kubeai_catalog")
    known, sent = default().urls(), counted(default())
    assert [text.split()[-1] for text in completions(shell, "%kubeai_serve smol ")][: len(known)] == known
    assert completions(shell, "%kubeai_serve hf://Qwen/Qwen3")[0] == "%kubeai_serve hf://Qwen/Qwen3-0.6B"
    assert "%kubeai_serve smol --url ollama://qwen3:8b" in completions(shell, "%kubeai_serve smol --url ollama://qwen3")
    assert sent == []


def test_tab_completes_a_feature_of_the_catalog(shell: Any) -> None:
    assert completions(shell, "%kubeai_catalog --feature texte") == ["%kubeai_catalog --feature TextEmbedding"]


def refusal(run: Callable[[str], Any], line: str) -> str:
    """What a line and its dry run say alike."""
    shown = repr(run(f"{line} --dry-run"))
    assert "would not serve as it is" in shown
    with pytest.raises(SpecError) as caught:
        run(line)
    assert default().cluster.models() == []
    told = "\n".join(caught.value._render_traceback_())
    assert all(notice.message in shown for notice in caught.value.notices)
    return told


def test_says_before_it_sends_what_the_machine_has_no_engine_for(here: Callable[[str], Any]) -> None:
    told = refusal(here, "%kubeai_serve w hf://Systran/faster-whisper-medium.en --engine FasterWhisper")
    assert "This machine has no engine for FasterWhisper yet" in told
    model = here("%kubeai_serve w hf://Systran/faster-whisper-medium.en --engine FasterWhisper --force")
    assert "Take care: This machine has no engine for FasterWhisper yet" in model.outcome.note


def test_says_which_url_was_meant(here: Callable[[str], Any]) -> None:
    told = refusal(here, "%kubeai_serve smol ollama://smolm2:135m")
    assert f"Did you mean {SMOL}?" in told
    assert "Did you mean ollama://qwen3:0.6b?" in refusal(here, "%kubeai_serve smol ollama://qwen3:0.5b")


@pytest.mark.parametrize("profile", ["nvidia-gpu-l4", "gpu", "a100"])
def test_sends_no_gpu_profile_where_there_is_no_gpu(here: Callable[[str], Any], profile: str) -> None:
    told = refusal(here, f"%kubeai_serve smol {SMOL} --profile {profile}")
    assert re.search(rf'resource profile "{profile}".*, and .*this machine.* --profile cpu:1', told)
    assert "Write " not in told


def test_an_unknown_profile_lists_all_that_there_are(here: Callable[[str], Any]) -> None:
    told = refusal(here, f"%kubeai_serve smol {SMOL} --profile cpus")
    assert "Write cpu:1." in told
    assert all(name in told for name in default().facts.operator_config.profiles)
    doctor = repr(here("%kubeai_doctor"))
    assert all(name in doctor for name in default().facts.operator_config.profiles)
