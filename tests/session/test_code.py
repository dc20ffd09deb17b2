"""The code that a Model shows, run as it is shown: by its own program, in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from kubeai_notebook import settings
from kubeai_notebook.core.snippets import KINDS, SHELL
from kubeai_notebook.errors import CallError, UsageError
from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.session.model import Model

NEEDS = {"langchain": "langchain_openai", "litellm": "litellm", "llm": "llm", "requests": "requests"}
RUN = sorted(set(KINDS) - {"env"})


@pytest.fixture(scope="module")
def kubeconfig_of_a_cluster(daemon: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The daemon as if it were a cluster: its kubeconfig without what says where the gateway is."""
    document = yaml.safe_load(Path(daemon).read_text())
    document["clusters"][0]["cluster"].pop("extensions")
    path = tmp_path_factory.mktemp("cluster") / "config"
    path.write_text(yaml.safe_dump(document))
    return str(path)


@pytest.fixture(scope="module", params=["this machine", "a cluster"])
def place(request: pytest.FixtureRequest, daemon: str, kubeconfig_of_a_cluster: str) -> Iterator[Session]:
    """A Session with a text and an embedding Model, whose gateway is asked with a login or without."""
    with Session(context="local") as own:
        own.serve("smol", **SMOL).wait()
        own.serve("minilm", "hf://sentence-transformers/all-MiniLM-L6-v2").wait()
        if request.param == "this machine":
            yield own
        else:
            context = "kubeai-local"
            now = settings.Settings(kubeconfig=kubeconfig_of_a_cluster, context=context)
            with Session(settings=now) as cluster:
                cluster.attach("smol")
                yield cluster
        own.delete("smol", "minilm", yes=True)


def ran(code: str, kind: str, folder: Path, kubeconfig: str = "") -> str:
    """What the code printed."""
    environment = {**os.environ, "LLM_USER_PATH": str(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    environment |= {"KUBECONFIG": kubeconfig, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["sh", "-ec", code] if kind in SHELL else [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def check_there(kind: str) -> None:
    if kind == "curl" and not shutil.which("curl"):
        pytest.skip("no curl")
    if kind in NEEDS and not importlib.util.find_spec(NEEDS[kind]):
        pytest.skip(f"no {kind}")


def no_token_in(text: str, session: Session) -> None:
    token = session.cluster.access().token
    assert token is not None
    assert (token() or "").removeprefix("Bearer ") not in text


@pytest.mark.parametrize("kind", RUN)
def test_runs_as_it_is_shown(kind: str, place: Session, kubeconfig_of_a_cluster: str, tmp_path: Path) -> None:
    check_there(kind)
    code = place.attach("smol").code(kind)
    no_token_in(code, place)
    kubeconfig = kubeconfig_of_a_cluster if place.settings.kubeconfig else ""
    assert ran(code, kind, tmp_path, kubeconfig)


@pytest.mark.parametrize("kind", sorted(set(RUN) - {"llm"}))
def test_embeds_as_it_is_shown(kind: str, place: Session, kubeconfig_of_a_cluster: str, tmp_path: Path) -> None:
    check_there(kind)
    kubeconfig = kubeconfig_of_a_cluster if place.settings.kubeconfig else ""
    said = ran(place.attach("minilm").code(kind), kind, tmp_path, kubeconfig)
    assert "0." in said
    assert len(said.split(",")) >= 384


def test_sets_the_variables_that_programs_read(place: Session, tmp_path: Path) -> None:
    program = "import openai, os; print(os.environ['OPENAI_MODEL'] in [m.id for m in openai.OpenAI().models.list()])"
    lines = f"{place.attach('smol').code('env')}\n{sys.executable} -c {shlex.quote(program)}"
    assert ran(lines, "env", tmp_path) == "True"


def test_asks_by_its_settings(place: Session) -> None:
    import openai

    model = place.attach("smol")
    no_token_in(str(model.settings_for("env")), place)
    with openai.OpenAI(**model.settings_for("openai")) as client:
        assert client.completions.create(model="smol", prompt="Hi", max_tokens=1).choices
    assert model.settings_for("langchain")["base_url"] == model.settings_for("openai")["base_url"]


def test_has_no_code_for_what_a_program_cannot_ask(place: Session) -> None:
    with pytest.raises(UsageError, match='llm has no way to ask "minilm"'):
        place.attach("minilm").code("llm")


def test_says_what_a_model_was_served_for(place: Session) -> None:
    smol: Model = place.attach("smol")
    with pytest.raises(CallError, match='"smol" generates text; it ranks no texts.*search()'):
        smol.rerank("q", ["a"])
    with pytest.raises(CallError, match='"smol" generates text; it writes down no speech'):
        smol.transcribe(b"RIFF")


def test_ends_a_port_with_its_session(daemon: str, kubeconfig_of_a_cluster: str) -> None:
    with Session(settings=settings.Settings(kubeconfig=kubeconfig_of_a_cluster, context="kubeai-local")) as session:
        port = session.forward_to("smol")
        assert session.forward_to("smol") is port
        assert port.is_open
    assert not port.is_open
