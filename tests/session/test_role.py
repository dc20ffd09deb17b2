"""The Role that the pages for administrators give a notebook, against the requests that are really made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from kubeai_notebook import Session, form, get_or_create_project
from kubeai_notebook.cluster.rights import RIGHTS, Right, Rights, grants
from kubeai_notebook.errors import ClusterError, DeployError
from tests.support.daemon import SMOL
from tests.support.faults import Fault, Request, quota_used_up, refuse
from tests.support.faulty_api import FaultyApi
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
ROLE, BINDING = yaml.safe_load_all((DOCS / "role.yaml").read_text())
EVERYBODY = ("", "selfsubjectreviews", "selfsubjectrulesreviews", "selfsubjectaccessreviews")
"""What Kubernetes lets every user ask: its version and schemas, and what they may do."""

CACHED = {"name": "cached", "url": "hf://org/repo", "engine": "VLLM", "cache_profile": "standard"}
WITH_SECRET = {"secrets": ["API_KEY"], "scaling": {"min_replicas": 0}}


class Outside(Fault):
    """Refuses what the Role does not grant, as the API server would."""

    def __init__(self) -> None:
        super().__init__(refuse(403, "Forbidden", 'User "notebook" cannot do this'))
        self.refused: set[str] = set()

    def meets(self, request: Request) -> bool:
        right = Right(request.verb, request.resource, request.group, "")
        if request.resource in EVERYBODY or any(grants(rule, right) for rule in ROLE["rules"]):
            return False
        self.refused.add(str(request))
        return True


class RefusedAtLast(Fault):
    """Lets dry runs pass, so that what was written before is taken back."""

    def meets(self, request: Request) -> bool:
        return "dryRun" not in request.query and super().meets(request)


@pytest.fixture
def api(daemon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyApi]:
    with FaultyApi(Path(daemon)) as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "config", gateway=False)))
        yield api


def use_all(session: Session, api: FaultyApi) -> None:
    """What a notebook does with Models, from the first look to the last delete."""
    assert session.doctor().healthy
    shown = form(session=session)
    smol = session.serve(name="smol", **SMOL).wait(90)
    assert smol.complete("The capital of France is", max_tokens=2)
    assert smol.client.models.list().data
    playground = smol.playground()
    assert str(smol.logs())
    smol.scale(2).wait(60)
    smol.restart().wait(60)
    session.serve(name="smol", args=["--max-model-len=512"], **SMOL)
    smol.rollback().wait(60)
    assert smol.report()
    assert len(session.models()) == 1
    broken = session.serve(name="broken", **SMOL, args=["--max-model-len=999999"])
    with pytest.raises(DeployError):
        broken.wait(60)
    broken.fix(yes=True).wait(60)
    watched = session.serve(CACHED, force=True).subscribe()
    until(lambda: api.count("watch", "jobs") and api.count("watch", "persistentvolumeclaims"), 20)
    watched.close()
    project = get_or_create_project("lab", session=session)
    for value in ("a-secret-value", "another-value"):
        project.new_secret("API_KEY", secret_value=value)
    function = project.new_function("llm", model_name="of-project", **SMOL)
    api.faults.insert(0, RefusedAtLast(quota_used_up().act, "create", "models", times=1))
    with pytest.raises(ClusterError, match="quota"):
        function.run(**WITH_SECRET)
    function.run(**WITH_SECRET).model.delete(yes=True)
    project.delete_secret("API_KEY")
    for widget in (shown, playground):
        widget.close()
    session.delete("smol", "broken", "cached", yes=True)


def test_is_all_that_is_needed_and_nothing_more(api: FaultyApi) -> None:
    outside = Outside()
    api.faults.append(outside)
    with Session() as session:
        use_all(session, api)
    made = {str(request) for request in api.requests if request.resource not in EVERYBODY}

    assert made - outside.refused == {f"{right.verb} {right.resource}" for right in RIGHTS}
    assert outside.refused == optional()


def optional() -> set[str]:
    """What docs/ says is asked for in vain, without harm."""
    rows = re.findall(r"^\| `(\w+)` \| `([\w/]+)` \|", (DOCS / "rights.md").read_text(), re.MULTILINE)
    return {f"{verb} {resource}" for verb, resource in rows}


def test_has_the_rules_that_the_doctor_names_where_all_are_missing() -> None:
    assert ROLE["rules"] == yaml.safe_load(Rights(RIGHTS).role_rules)


def test_is_bound_to_the_account_of_a_notebook() -> None:
    assert BINDING["roleRef"]["name"] == ROLE["metadata"]["name"]
    assert BINDING["roleRef"]["kind"] == ROLE["kind"] == "Role"
    assert [subject["kind"] for subject in BINDING["subjects"]] == ["ServiceAccount"]
