"""A namespace that is not there: an API server lists it as an empty one, so whoever misspelt it saw no Models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook import settings
from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.session.session import Session
from tests.support.faults import denied
from tests.support.faulty_api import FaultyApi
from tests.support.http_server import HttpServer, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS: dict[str, Callable[[Session], Any]] = {
    "models": lambda session: session.models(),
    "attach": lambda session: session.attach("smol"),
    "delete": lambda session: session.delete("smol"),
}


@pytest.mark.parametrize("call", CALLS)
def test_is_told_from_an_empty_one(call: str, daemon: str) -> None:
    with Session(context="local", namespace="nosuch") as session, pytest.raises(NotFoundError) as raised:
        CALLS[call](session)
    assert str(raised.value) == (
        'There is no namespace "nosuch" on this machine. Models on this machine are in "default".'
    )


def test_is_a_line_of_the_doctor(daemon: str) -> None:
    with Session(context="local", namespace="nosuch") as session:
        said = [station.message for station in session.doctor().stations]
    assert 'There is no namespace "nosuch" on this machine.' in said


def test_is_told_of_a_cluster_with_who_can_make_it(kubeconfig: Callable[..., str]) -> None:
    missing = {"kind": "Status", "code": 404, "details": {"kind": "namespaces", "name": "nosuch"}}
    with HttpServer(lambda _request: json_answer(missing, 404)) as server:
        stated = settings.Settings(kubeconfig=kubeconfig(server.address, namespace="nosuch"))
        with Session(settings=stated) as session, pytest.raises(NotFoundError) as raised:
            session.cluster.check_namespace()
    assert raised.value.message.startswith('There is no namespace "nosuch" on')
    assert raised.value.hint == "Name another one with -n, or ask an administrator to create it."


def test_is_nobodys_claim_where_it_may_not_be_asked(daemon: str, tmp_path: Path) -> None:
    with FaultyApi(Path(daemon)) as api:
        api.faults += [denied("get", "namespaces")]
        stated = settings.Settings(kubeconfig=str(api.kubeconfig(tmp_path / "config")))
        with Session(namespace="nosuch", settings=stated) as session:
            assert 'There are no Models in namespace "nosuch"' in repr(session.models())
