"""Who the API server takes us for, and what stands for it where the server has no name to tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.cluster.answer import NoApiError
from kubeai_notebook.cluster.user import login_of
from kubeai_notebook.core.served import LAST_SERVED, SERVED_BY
from kubeai_notebook.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotInstalledError,
    UnauthorizedError,
    UnreachableError,
)
from kubeai_notebook.local.emulation.reviews import USER
from kubeai_notebook.session import connection
from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings
from tests.support.daemon import SMOL
from tests.support.faults import Fault, refuse
from tests.support.faulty_api import FaultyApi

if TYPE_CHECKING:
    from collections.abc import Mapping


class Answers:
    """An API that answers each version of the question so; all others as the last one."""

    def __init__(self, **by_version: Any) -> None:
        self.by_version: Mapping[str, Any] = by_version
        self.asked: list[str] = []

    def request(self, method: str, path: str, *, body: dict[str, Any]) -> Any:
        version = path.split("/")[2]
        assert (method, path, body["kind"]) == (
            "POST", f"apis/authentication.k8s.io/{version}/selfsubjectreviews", "SelfSubjectReview",
        )  # fmt: skip
        self.asked.append(version)
        answer = self.by_version.get(version, NotInstalledError("This cluster has no KubeAI."))
        if isinstance(answer, Exception):
            raise answer
        return answer


def told(username: Any) -> dict[str, Any]:
    return {"status": {"userInfo": {"username": username, "groups": ["system:authenticated"]}}}


def test_asks_in_the_versions_that_a_server_may_have() -> None:
    assert login_of(Answers(v1=told("alice"))) == "alice"
    old = Answers(v1=NotFoundError("There is no such object."), v1alpha1=told("bob"))
    assert login_of(old) == "bob"
    assert old.asked == ["v1", "v1beta1", "v1alpha1"]


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"v1": ForbiddenError("not yours")},
        {"v1": told(None)},
        {"v1": {"status": "x"}},
    ],
)
def test_has_no_name_where_the_server_tells_none(answers: dict[str, Any]) -> None:
    assert login_of(Answers(**answers)) == ""


@pytest.mark.parametrize(
    "error",
    [
        UnreachableError("gone"),
        UnauthorizedError("expired"),
        ClusterError("The Kubernetes API answered 500."),
        NoApiError("a login page"),
        ConflictError("It was changed."),
    ],
)
def test_takes_no_failure_of_now_for_a_server_without_names(error: Exception) -> None:
    with pytest.raises(type(error)):
        login_of(Answers(v1=error))


@pytest.mark.parametrize(("status", "reason"), [(404, "NotFound"), (403, "Forbidden")])
def test_serves_and_deletes_its_own_where_the_server_tells_no_name(
    daemon: str, tmp_path: Path, status: int, reason: str
) -> None:
    with FaultyApi(Path(daemon)) as api:
        api.faults.append(Fault(refuse(status, reason), "create", "selfsubjectreviews"))
        place = Settings(kubeconfig=str(api.kubeconfig(tmp_path / "config")), person="alice")
        for _ in range(2):  # as a kernel that was restarted
            with Session(settings=place) as session:
                session.serve(name="asleep", min_replicas=0, **SMOL)
                assert session.cluster.model("asleep")["metadata"]["annotations"][SERVED_BY] == "alice"
        with Session(settings=place) as session:
            session.attach("asleep").delete()
            assert api.count("create", "selfsubjectreviews") == 3 * (3 if status == 404 else 1)


def test_asks_again_who_it_is_after_a_failure_of_the_server(daemon: str, tmp_path: Path) -> None:
    with FaultyApi(Path(daemon)) as api:
        api.faults.append(Fault(refuse(500, "InternalError"), "create", "selfsubjectreviews"))
        place = Settings(kubeconfig=str(api.kubeconfig(tmp_path / "config")), person="alice")
        with Session(settings=place) as session:
            with pytest.raises(ClusterError, match="answered 500"):
                session.serve(name="asleep", min_replicas=0, **SMOL)
            assert "asleep" not in [model["metadata"]["name"] for model in session.cluster.models()]
            api.faults.clear()
            session.serve(name="asleep", min_replicas=0, **SMOL)
            assert session.cluster.model("asleep")["metadata"]["annotations"][SERVED_BY] == session.user != "alice"
            session.delete("asleep")


def test_takes_the_systems_name_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "carol")
    session: Any = connection.Connection(settings=Settings())
    session._parts["cluster"] = type("Nameless", (), {"login": lambda _self: ""})()
    assert session.user == "carol"


def test_writes_who_served_it_and_what_they_said(session: Session) -> None:
    session.serve(name="asleep", min_replicas=0, **SMOL)
    annotations = session.cluster.model("asleep")["metadata"]["annotations"]
    assert annotations[SERVED_BY] == USER
    assert annotations[LAST_SERVED]
