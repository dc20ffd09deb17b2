"""The platform's guide, as its readers run it: deploy and call, twice.

The blocks stand in ``golden/seed.md`` as they were written. The two that deploy run as they are. The two that call
name a model that the guide's author had, ``tinyllama-chat-123xyz`` and ``embedding-123qwe``: only these two literals
are replaced, by the names that the runs really got, and KUBEAI_ENDPOINT is set before them. The urls stay the
guide's; the daemon is started with ``--weights`` that map them to small weights, and with a profile ``1xa100``.
The engine is the real one, llama.cpp, standing in for vLLM and Infinity.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

import kubeai_notebook
from kubeai_notebook.local.weights import Weights
from tests.support.daemon import kubeai_local
from tests.support.lora import write_lora

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook import Project

BLOCKS = re.findall(r"^```python\n(.*?)^```\n", (Path(__file__).parent / "golden/seed.md").read_text(), re.M | re.S)
DEPLOY_TEXT, CALL_TEXT, DEPLOY_EMBEDDING, CALL_EMBEDDING = BLOCKS
SYSTEM = {"resourceProfiles": {"1xa100": {"imageName": "cpu", "requests": {"cpu": "500m"}}}}


def weights_of(url: str) -> Path:
    """The weights behind a url that every machine can fetch."""
    cache = Weights(Path(os.environ["KUBEAI_CACHE"]), mapped={}, environment=os.environ)
    return asyncio.run(cache.fetch(url, lambda done, total: None))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project on a daemon that has weights for the guide's urls, and the hardware that it asks for."""
    folder = tmp_path_factory.mktemp("seed")
    (folder / "system.yaml").write_text(yaml.safe_dump(SYSTEM))
    weights = {
        "hf://TinyLlama/TinyLlama-1.1B-Chat-v0.3": weights_of("hf://HuggingFaceTB/SmolLM2-135M-Instruct"),
        "hf://jashing/tinyllama-colorist-lora": write_lora(folder / "lora", seed=1),
        "hf://BAAI/bge-small-en-v1.5": weights_of("hf://sentence-transformers/all-MiniLM-L6-v2"),
    }
    options = [part for url, path in weights.items() for part in ("--weights", f"{url}={path}")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEAI_LOCAL_HOME", str(folder / "home"))
        options += ["--config", str(folder / "system.yaml")]
        started = kubeai_local("start", *options)
        assert started.returncode == 0, started.stderr
        session = kubeai_notebook.Session(context="local")
        yield kubeai_notebook.get_or_create_project("seed", session=session)
        session.close()
        kubeai_local("stop")


def deployed(project: Project, block: str) -> dict[str, Any]:
    """What a reader's kernel holds after a block that deploys, and after setting KUBEAI_ENDPOINT."""
    namespace: dict[str, Any] = {"project": project}
    exec(block, namespace)
    run = namespace["llm_run"].wait()
    return {**namespace, "KUBEAI_ENDPOINT": urlsplit(run.status.service.url).netloc}


def call(block: str, literal: str, namespace: dict[str, Any]) -> None:
    """Run a block that calls, with the run's own name for the author's."""
    assert block.count(literal) == 1
    exec(block.replace(literal, namespace["llm_run"].status.openai["model"]), namespace)


def test_serves_the_text_model_with_its_adapter_and_answers(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace = deployed(project, DEPLOY_TEXT)
    run = namespace["llm_run"]
    assert re.fullmatch(r"tinyllama-chat-[0-9a-f]{6}", run.status.openai["model"])
    assert run.model.spec.resource_profile == "1xa100:1"
    assert run.model.spec.args == ("--enable-prefix-caching", "--max-model-len=8192")
    call(CALL_TEXT, "tinyllama-chat-123xyz", namespace)
    assert namespace["model_name"] == f"{run.name}_colorist"
    answer = namespace["res"].json()
    assert (namespace["res"].status_code, answer["model"]) == (200, "colorist")
    assert answer["choices"][0]["text"]
    assert str(answer["choices"]) in capsys.readouterr().out
    # The adapter is at work: the model without it says something else.
    body = {"prompt": "Hi", "temperature": 0, "max_tokens": 8}
    plain, tuned = (run.invoke(json=body, adapter=adapter).json() for adapter in (None, "colorist"))
    assert plain["choices"][0]["text"] != tuned["choices"][0]["text"]


def test_serves_the_embedding_model_and_answers(project: Project) -> None:
    namespace = deployed(project, DEPLOY_EMBEDDING)
    run = namespace["llm_run"]
    assert re.fullmatch(r"embedding-[0-9a-f]{6}", run.status.openai["model"])
    assert run.model.spec.resource_profile == "cpu:1"
    call(CALL_EMBEDDING, "embedding-123qwe", namespace)
    [vector] = [one.embedding for one in namespace["response"].data]
    assert len(vector) == 384
    assert sum(value**2 for value in vector) == pytest.approx(1, abs=1e-3)
    again = run.invoke(json={"input": "Your text goes here."}).json()
    assert again["data"][0]["embedding"] == pytest.approx(vector, abs=1e-4)


def test_finds_the_runs_of_both_functions_from_another_kernel(project: Project) -> None:
    other = kubeai_notebook.Session(context="local")
    there = kubeai_notebook.get_or_create_project("seed", session=other)
    runs = there.list_runs()
    other.close()
    assert sorted(run.name[:-7] for run in runs) == ["embedding", "tinyllama-chat"]
    assert {run.function.name for run in runs} == {"llm"}
