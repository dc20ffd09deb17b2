"""How much a Model reads at once, as its arguments and its engine's log say."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubeai_notebook.core.context_length import logged_context, stated_context

LOGS = Path(__file__).parents[1] / "golden" / "logs"


@pytest.mark.parametrize(
    ("args", "length"),
    [
        (["--max-model-len=2048"], 2048),
        (["--max_model_len", "2048"], 2048),
        (["--ctx-size", "512"], 512),
        (["--max-model-len=8k"], 0),
        (["--max-model-len", "1" * 5_000], 0),
        ([], 0),
    ],
)
def test_reads_the_arguments(args: list[str], length: int) -> None:
    assert stated_context({"spec": {"args": args}}) == length


@pytest.mark.parametrize(("log", "length"), [("vllm-lora-base", 2048), ("vllm-healthy-embedding-lora", 512)])
def test_reads_what_vllm_wrote(log: str, length: int) -> None:
    assert logged_context((LOGS / f"{log}.log").read_text(encoding="utf-8")) == length


def test_takes_the_last_run_of_an_engine() -> None:
    assert logged_context("4096 tokens of context for one request\n2048 tokens of context for one request") == 2048


def test_knows_nothing_of_other_words() -> None:
    assert logged_context("max_seq_len=many; 5 tokens of context for you") == 0
