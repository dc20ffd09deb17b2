"""Every example that a magic's help shows is run as it stands."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.magics.registry import VERBS, Verb, parser_of

if TYPE_CHECKING:
    from collections.abc import Callable

# Made before a verb's examples; what they name besides must be there.
MODELS = "%kubeai_serve smol --url ollama://smollm2:135m --wait;"
BROKEN = "%kubeai_serve smol --url ollama://smollm2:135m --profile cpus --force;"
# This one ends with the engine only.
ENDLESS = "%kubeai_logs smol --follow"


def examples_of(verb: Verb) -> list[str]:
    shown = repr(parser_of(verb).read("--help"))
    section = shown.partition("Examples:\n")[2].partition("\n\n")[0]
    cells = re.split(r"^(?=  \S*\s?=?\s?%)", section, flags=re.MULTILINE)
    dedented = [textwrap.dedent(re.sub(r"^  ", "", cell, flags=re.MULTILINE)) for cell in cells if cell.strip()]
    return [re.sub(r"\n  ", "\n", cell).rstrip() for cell in dedented]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_shows_examples_that_run(
    here: Callable[[str], Any], verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.gguf").write_bytes(b"GGUF")
    examples = examples_of(verb)
    assert len(examples) >= 3
    if verb.name not in ("serve", "apply", "doctor", "config", "local"):
        here(BROKEN if verb.name == "why" else MODELS)
    here("topic = 'tides'")
    for example in examples:
        if "-n team" in example or example == ENDLESS:
            continue
        if verb.name == "delete":
            here(MODELS.replace("--wait", "--min-replicas 0"))
        here(example)
    here("%kubeai_config context=local namespace= default_profile=;")
