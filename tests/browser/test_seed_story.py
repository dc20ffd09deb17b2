"""The two Models of the platform's guide, by the form: what is deployed is what the guide's own code deploys.

The urls are the guide's; the daemon is started with ``--weights`` that map them to small weights that every machine can
fetch, and with a profile ``1xa100``. llama.cpp stands in for vLLM and Infinity.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.lora import write_lora
from tests.test_seed import DEPLOY_EMBEDDING, DEPLOY_TEXT, SYSTEM

from .test_card_story import tells_phase
from .test_form import SHOW, button, control, fill, shown_form

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .installation import Installation
    from .notebook import Notebook

pytestmark = pytest.mark.browser

PROJECT = 'import kubeai_notebook\nproject = kubeai_notebook.get_or_create_project("seed")\n'
SPECS = """
import json, kubeai_notebook
models = kubeai_notebook.Session(context="local").cluster.models()
print(json.dumps({model["metadata"]["name"]: model["spec"] for model in models}))
"""


@pytest.fixture
def machine(installation: Installation, no_models: None, weights: Callable[[str], Path], tmp_path: Path) -> None:
    """A daemon that has weights for the guide's urls, and the hardware that it asks for."""
    (tmp_path / "system.yaml").write_text(yaml.safe_dump(SYSTEM))
    mapped = {
        "hf://TinyLlama/TinyLlama-1.1B-Chat-v0.3": weights("hf://HuggingFaceTB/SmolLM2-135M-Instruct"),
        "hf://jashing/tinyllama-colorist-lora": write_lora(tmp_path / "lora", seed=1),
        "hf://BAAI/bge-small-en-v1.5": weights("hf://sentence-transformers/all-MiniLM-L6-v2"),
    }
    options = [part for url, path in mapped.items() for part in ("--weights", f"{url}={path}")]
    installation.run("kubeai-local", "stop")  # one that a story before has started knows nothing of these
    installation.run("kubeai-local", "start", "--config", str(tmp_path / "system.yaml"), *options)


def specs(installation: Installation) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the form's Model and that of the guide's code ask for."""
    form_first = sorted(json.loads(installation.run("python", "-c", SPECS)).items(), key=lambda item: len(item[0]))
    (_, by_form), (_, by_code) = form_first
    return by_form, by_code


@pytest.mark.usefixtures("machine")
def test_serves_the_text_model_with_its_adapter(
    open_notebook: Callable[..., Notebook], installation: Installation
) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW, PROJECT + DEPLOY_TEXT)
    notebook.page.set_viewport_size({"width": 1200, "height": 1400})
    form = shown_form(notebook)
    fill(form, url="hf://TinyLlama/TinyLlama-1.1B-Chat-v0.3", engine="VLLM", name="tinyllama-chat")
    expect(form.get_by_label("TextGeneration (inferred)")).to_be_checked()
    fill(form, resource_profile="1xa100")
    button(form, "Add a row to LoRA adapters").click()
    adapter = form.locator(".kubeai-form-adapters input")
    adapter.nth(0).fill("colorist")
    adapter.nth(1).fill("hf://jashing/tinyllama-colorist-lora")
    button(form, "Add a row to Engine arguments").click()
    control(form, "args").fill("--enable-prefix-caching")
    control(form, "args").press("Enter")
    form.locator(".kubeai-form-args input").nth(1).fill("--max-model-len=8192")
    notebook.picture("seed_text_filled", form)
    button(form, "Deploy").click()
    card = form.locator(".kubeai-card")
    tells_phase(card, "Ready")
    expect(card).to_contain_text("colorist")
    notebook.picture("seed_text_ready", form)

    notebook.run_cell(1)
    by_form, by_code = specs(installation)
    assert by_form == by_code
    assert by_form["adapters"] == [{"name": "colorist", "url": "hf://jashing/tinyllama-colorist-lora"}]
    assert by_form["args"] == ["--enable-prefix-caching", "--max-model-len=8192"]
    assert by_form["resourceProfile"] == "1xa100:1"


@pytest.mark.usefixtures("machine")
def test_serves_the_embedding_model(open_notebook: Callable[..., Notebook], installation: Installation) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(SHOW, PROJECT + DEPLOY_EMBEDDING)
    form = shown_form(notebook)
    fill(form, url="hf://BAAI/bge-small-en-v1.5", engine="Infinity", name="embedding")
    expect(form.get_by_label("TextEmbedding (inferred)")).to_be_checked()
    expect(form.locator(".kubeai-form-resource-profile")).to_contain_text(re.compile("cpu:1 = "))
    button(form, "Deploy").click()
    tells_phase(form.locator(".kubeai-card"), "Ready")
    notebook.picture("seed_embedding_ready")

    notebook.run_cell(1)
    by_form, by_code = specs(installation)
    assert by_form == by_code
    assert (by_form["url"], by_form["engine"]) == ("hf://BAAI/bge-small-en-v1.5", "Infinity")
    assert by_form["features"] == ["TextEmbedding"]
