"""The doctor, on the single-machine KubeAI, and where something is missing."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import yaml

from kubeai_notebook import settings
from kubeai_notebook.cluster.rights import RIGHTS, Rights
from kubeai_notebook.session.doctor import doctor_of
from kubeai_notebook.session.session import Session
from tests.support.http_server import HttpServer, json_answer
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubeai_notebook.present.doctor_report import Doctor


def line(doctor: Doctor, name: str) -> tuple[str, str, str]:
    station = next(one for one in doctor.stations if one.name == name)
    return station.severity, station.message, " ".join(remedy.title for remedy in station.remedies)


@pytest.fixture
def own_settings() -> Iterator[settings.KubeAI]:
    before = settings.configurable()
    settings.install(settings.KubeAI())
    yield settings.configurable()
    settings.install(before)


def test_goes_the_whole_way(session: Session) -> None:
    doctor = doctor_of(session, context="local")
    assert doctor.healthy
    names = [station.name for station in doctor.stations]
    assert names == ["API", "KubeAI", "namespace", "rights", "profiles", "gateway", "this machine"]
    assert 'Chosen by the context that this Session was given, "local".' in line(doctor, "API")[1]
    assert line(doctor, "namespace")[1] == 'Models go into namespace "default".'
    assert "nvidia-gpu-l4" in line(doctor, "profiles")[1]
    assert "answers in 0." in line(doctor, "gateway")[1]
    assert line(doctor, "gateway")[1].endswith(" s. It has no Model to ask yet.")
    assert "KubeAI runs on this machine, with" in line(doctor, "this machine")[1]
    assert "✓ API: " in repr(doctor)
    assert "<strong>API:</strong>" in doctor._repr_html_()


def test_names_what_the_gateway_can_be_asked_for(daemon: str) -> None:
    listed = json_answer({"object": "list", "data": [{"id": f"m{number}\n\u202e"} for number in range(8)]})
    with (
        HttpServer(lambda _request: listed) as gateway,
        Session(context="local", settings=settings.Settings(endpoint=gateway.address)) as session,
    ):
        message = line(session.doctor(), "gateway")[1]
    assert message.endswith(" s. It can be asked for m0 \ufffd, m1 \ufffd, m2 \ufffd, m3 \ufffd, m4 \ufffd and 3 more.")


def test_asks_for_models_of_every_kind(session: Session) -> None:
    for name, feature in (("talks", "TextGeneration"), ("finds", "TextEmbedding")):
        fields = {"url": "ollama://smollm2:135m", "engine": "OLlama", "features": [feature], "min_replicas": 0}
        session.serve(name=name, **fields)
    until(lambda: "finds and talks" in line(session.doctor(), "gateway")[1].replace(", ", " and "))


def test_names_a_gateway_that_does_not_answer(daemon: str) -> None:
    with Session(context="local", settings=settings.Settings(endpoint="127.0.0.1:9")) as session:
        state, message, hint = line(doctor_of(session), "gateway")
    assert (state, message.startswith("The gateway did not answer")) == ("error", True)
    assert hint


def test_shows_the_smallest_role_for_what_is_missing(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tuple(right for right in RIGHTS if right.resource in ("pods", "secrets"))
    monkeypatch.setattr(session.cluster, "rights", lambda: Rights(missing))
    doctor = doctor_of(session)
    assert doctor.healthy
    assert line(doctor, "rights")[:2] == (
        "warning",
        f"You may not list, watch or delete pods here: {missing[0].purpose}; Pods cannot be restarted.",
    )
    role = yaml.safe_load(doctor.role)
    assert role["metadata"] == {"name": "kubeai-notebook", "namespace": "default"}
    assert {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch", "delete"]} in role["rules"]
    assert doctor.role in repr(doctor)


def test_says_in_a_line_that_nothing_is_there(tmp_path: Path, own_settings: settings.KubeAI) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        cluster = {"server": f"http://127.0.0.1:{taken.getsockname()[1]}"}
        own_settings.kubeconfig = str(tmp_path / "config")
        document = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "work", "context": {"cluster": "c", "user": "u", "namespace": "ml"}}],
            "current-context": "work",
        }
        (tmp_path / "config").write_text(yaml.safe_dump(document))
        doctor = doctor_of(Session(context="work"))
    assert not doctor.healthy
    assert [station.name for station in doctor.stations] == ["API", "this machine"]
    assert repr(doctor).startswith("✗ API: The Kubernetes API at http://127.0.0.1:")


def test_says_what_the_cluster_was_chosen_by_in_a_pod(
    session: Session, monkeypatch: pytest.MonkeyPatch, own_settings: settings.KubeAI
) -> None:
    monkeypatch.setattr(settings, "in_cluster", lambda: True)
    own = settings.Settings(kubeconfig=session.cluster.where.kubeconfig)
    with Session(settings=own) as stated:
        assert "Chosen by the kubeconfig's current context." in line(doctor_of(stated), "API")[1]
    monkeypatch.setenv("KUBECONFIG", own.kubeconfig)
    with Session() as stated:
        assert "Chosen by the kubeconfig's current context." in line(doctor_of(stated), "API")[1]
