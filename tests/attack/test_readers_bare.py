"""A Model without a spec, which KubeAI's definition lets in, beside others: a row, a card, and no stack."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubeai_notebook.errors import DeployError, KubeAIError
from kubeai_notebook.session.session import default
from kubeai_notebook.session.waiting import wait_seen
from tests.magics.conftest import here, run, shell  # noqa: F401 - fixtures
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Here = Callable[[str], Any]

URL = "ollama://smollm2:135m"
IDLE = f"--url {URL} --min-replicas 0"


class Api:
    """The daemon's API by plain HTTP, as ``curl`` would speak to it."""

    def __init__(self, kubeconfig: str) -> None:
        config = yaml.safe_load(Path(kubeconfig).read_text(encoding="utf-8"))
        cluster = config["clusters"][0]["cluster"]
        self.token = config["users"][0]["user"]["token"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.context = ssl.create_default_context(cadata=authority)
        self.models = f"{cluster['server']}/apis/kubeai.org/v1/namespaces/default/models"

    def send(self, verb: str, name: str = "", body: Any = None) -> int:
        url = f"{self.models}/{name}" if name else self.models
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers, method=verb)
        with urllib.request.urlopen(request, context=self.context, timeout=10) as answer:
            return int(answer.status)


@pytest.fixture
def with_bare(daemon: str, here: Here) -> Iterator[Here]:  # noqa: F811 - the fixture
    """A healthy Model, and one that has a name and no more."""
    here(f"%kubeai_serve well {IDLE} -q")
    api = Api(daemon)
    made = {"apiVersion": "kubeai.org/v1", "kind": "Model", "metadata": {"name": "bare"}}
    assert api.send("POST", body=made) == 201
    wait_seen(default().publisher, "bare", 1)
    yield here
    if "bare" in default().publisher.names():
        api.send("DELETE", "bare")
        until(lambda: "bare" not in default().publisher.names())


@pytest.mark.finding("M1")
def test_is_a_row_that_says_so_and_harms_no_other(with_bare: Here) -> None:
    table = with_bare("%kubeai_models")
    rows = {row["name"]: row for _, row in table.iterrows()}
    assert rows.keys() == {"bare", "well"}
    assert "no spec" in rows["bare"]["problem"]
    assert (rows["well"]["phase"], rows["well"]["engine"]) == ("Asleep", "OLlama")


@pytest.mark.finding("M1")
def test_is_attached_shown_and_explained(with_bare: Here) -> None:
    model = with_bare("m = %kubeai_attach bare\nm")
    assert "bare" in repr(model)
    assert "no spec" in model._repr_mimebundle_()["text/plain"]
    assert "no spec" in repr(with_bare("%kubeai_why bare"))
    assert "no spec" in repr(with_bare("%kubeai_why"))
    assert "bare" in with_bare("%kubeai_yaml bare")
    assert "no spec" in model.report()
    assert list(model.events().columns)


@pytest.mark.finding("M1")
def test_is_made_whole_by_serving_over_it(with_bare: Here) -> None:
    with_bare(f"%kubeai_serve bare {IDLE} -q")
    model = with_bare("%kubeai_attach bare")
    assert model.spec.url == URL
    assert "bare" in repr(with_bare("%kubeai_status bare"))
    with_bare("%kubeai_delete bare --yes -q")
    assert list(with_bare("%kubeai_models").name) == ["well"]


@pytest.mark.finding("M1")
def test_is_scaled_paused_and_deleted_without_a_stack(with_bare: Here) -> None:
    for line in (
        "%kubeai_scale bare 2 --yes",
        "%kubeai_restart bare --yes",
        "m = %kubeai_attach bare\nm.rollback(yes=True)",
        "m.spec",
    ):
        with suppress(KubeAIError):  # done, or a sentence
            with_bare(line)
    with pytest.raises(DeployError, match="no spec"):
        with_bare("m.wait(5)")
    assert default().doctor().stations
    with_bare("%kubeai_delete bare --yes -q")
    assert list(with_bare("%kubeai_models").name) == ["well"]
