"""Each kubeconfig of golden/kubeconfigs.yaml beside kubectl: what works there works here; else a sentence says why."""

from __future__ import annotations

import base64
import datetime
import json
import os
import shutil
import socket
import ssl
import subprocess
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import yaml

from kubeai_notebook import settings
from kubeai_notebook.errors import KubeAIError
from kubeai_notebook.session.session import Session
from tests.support.http_server import Answer, HttpServer, Received, json_answer
from tests.support.tunnel import Tunnel

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = yaml.safe_load((Path(__file__).parents[1] / "golden" / "kubeconfigs.yaml").read_text(encoding="utf-8"))
KUBECTL = shutil.which("kubectl")
# Neither may stand in anything that is shown.
SECRETS = ("TOKEN-of-mine", "s3cr3t", "refresh-of-mine")
JWT = "e30.eyJleHAiOiA5OTk5OTk5OTk5fQ.e30"  # {"exp": 9999999999}
VERSION = {"major": "1", "minor": "32", "gitVersion": "v1.32.0", "platform": "linux/amd64"}
GROUP = {"name": "kubeai.org", "versions": [{"groupVersion": "kubeai.org/v1", "version": "v1"}]}
MODELS = {"name": "models", "singularName": "model", "namespaced": True, "kind": "Model", "verbs": ["list", "get"]}
DISCOVERED = {
    "/version": VERSION,
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [GROUP]},
    "/apis/kubeai.org/v1": {"kind": "APIResourceList", "groupVersion": "kubeai.org/v1", "resources": [MODELS]},
    "/apis/kubeai.org/v1/namespaces/team/models": {
        "kind": "ModelList", "apiVersion": "kubeai.org/v1", "metadata": {"resourceVersion": "1"}, "items": [],
    },
}  # fmt: skip
ANONYMOUS = 'models.kubeai.org is forbidden: User "system:anonymous" cannot list resource "models" in API group "kubeai.org" in the namespace "team"'  # noqa: E501 - the API's own line


def status(code: int, reason: str, message: str) -> Answer:
    return json_answer({"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}, code)


def kubernetes(request: Received) -> Answer:
    """Lets in who brings the token, or a certificate."""
    login = request.headers.get("Authorization")
    if login not in ("Bearer TOKEN-of-mine", f"Bearer {JWT}") and not request.certificate:
        return status(401, "Unauthorized", "Unauthorized")
    path = request.path.partition("?")[0]
    return json_answer(DISCOVERED[path]) if path in DISCOVERED else Answer(b"404 page not found\n", 404)


def lets_anybody_in(request: Received) -> Answer:
    """As EKS does: who has no login is somebody, and may nothing."""
    if "Authorization" not in request.headers:
        return status(403, "Forbidden", ANONYMOUS)
    return kubernetes(request)


def without_kubeai(request: Received) -> Answer:
    if "kubeai.org" in request.path:
        return Answer(b"404 page not found\n", 404, {"Content-Type": "text/plain"})
    none = json_answer({**DISCOVERED["/apis"], "groups": []})
    return none if request.path.partition("?")[0] == "/apis" else kubernetes(request)


def issuer(request: Received) -> Answer:
    """An issuer of OpenID Connect that takes one refresh token."""
    if request.path.endswith("/.well-known/openid-configuration"):
        return json_answer({"token_endpoint": f"https://{request.headers['Host']}/token"})
    if b"refresh_token=refresh-of-mine" in request.body:
        return json_answer({"access_token": "a", "token_type": "Bearer", "id_token": JWT, "refresh_token": "s3cr3t-2"})
    refusal = {"error": "invalid_grant", "error_description": "The refresh token s3cr3t has expired"}
    return json_answer(refusal, 400)


PAGE = Answer(b"<html><title>Sign in to Hotel</title></html>", 200, {"Content-Type": "text/html"})
ANSWERS = {
    "plain": kubernetes,
    "tls": kubernetes,
    "anonymous": lets_anybody_in,
    "without-kubeai": without_kubeai,
    "page": lambda _: PAGE,
    "page401": lambda _: Answer(PAGE.body, 401, PAGE.headers),
    "page403": lambda _: Answer(PAGE.body, 403, PAGE.headers),
    "redirect": lambda _: Answer(b"", 302, {"Location": "https://sso.example/login?s3cr3t"}),
    "go": lambda _: Answer(b"404 page not found\n", 404, {"Content-Type": "text/plain"}),
    "fastapi": lambda _: json_answer({"detail": "Not Found"}, 404),
    "openai": lambda _: json_answer({"object": "list", "data": []}),
    "tls-only": lambda _: Answer(b"Client sent an HTTP request to an HTTPS server.\n", 400),
    "issuer": issuer,
    "issuer503": lambda _: Answer(b"", 503),
    **dict.fromkeys(("chain", "expired", "not-yet", "other-name", "mutual", "mutual-other"), kubernetes),
}


class World:
    """The servers, and words that the table uses for what only this run knows."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        root, self.other = trustme.CA(), trustme.CA()
        middle = root.create_child_ca()
        now = datetime.datetime.now(datetime.UTC)
        year = datetime.timedelta(days=365)
        times: dict[str, dict[str, Any]] = {
            "expired": {"not_before": now - 2 * year, "not_after": now - year},
            "not-yet": {"not_before": now + year, "not_after": now + 2 * year},
        }
        self.words: dict[str, str] = {"FOLDER": str(folder), "CA": encoded(root), "OTHER": encoded(self.other)}
        self.words["MIDDLE"] = encoded(middle)
        for state in ("fine", *times):
            mine = root.issue_cert("me", **times.get(state, {}))
            self.words[f"CERT-{state}"] = base64.b64encode(mine.cert_chain_pems[0].bytes()).decode()
            self.words[f"KEY-{state}"] = base64.b64encode(mine.private_key_pem.bytes()).decode()
        for name, answer in ANSWERS.items():
            tls = None
            if name not in ("plain", "page", "page401", "page403", "redirect", "go", "fastapi", "openai", "tls-only"):
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                names = ("other.example",) if name == "other-name" else ("127.0.0.1", "localhost")
                authority = middle if name == "chain" else root
                authority.issue_cert(*names, **times.get(name, {})).configure_cert(tls)
                if name.startswith("mutual"):
                    # In TLS 1.3 who is refused may hear of it only as the end of the connection.
                    tls.maximum_version = ssl.TLSVersion.TLSv1_2
                    tls.verify_mode = ssl.CERT_REQUIRED
                    (self.other if name == "mutual-other" else root).configure_trust(tls)
            server = stack.enter_context(HttpServer(answer, tls=tls))
            self.words[f"SERVER-{name}"] = server.address
        self.words |= {f"HOST-{name}": self.words[f"SERVER-{name}"].partition("://")[2] for name in ("plain", "tls")}
        self.words["PORT-tls"] = self.words["HOST-tls"].rpartition(":")[2]
        self.words["SERVER-closed"] = f"https://127.0.0.1:{closed_port()}"
        self.words["PROXY"] = stack.enter_context(Tunnel({"api.private.example": "127.0.0.1"})).address
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.words["SERVER-silent"] = f"https://127.0.0.1:{silent.getsockname()[1]}"

    def filled(self, value: Any) -> Any:
        """The value of the table, with <WORDS> replaced."""
        text = json.dumps(value)
        for word, meaning in self.words.items():
            text = text.replace(f"<{word}>", json.dumps(meaning)[1:-1])
        return json.loads(text)


def encoded(authority: trustme.CA) -> str:
    return base64.b64encode(authority.cert_pem.bytes()).decode()


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("kubeconfigs")
    (folder / "token").write_text("TOKEN-of-mine\n")
    (folder / "empty").write_text("")
    (folder / "bin").mkdir()
    with ExitStack() as stack:
        yield World(stack, folder)


def written(case: dict[str, Any], world: World, folder: Path) -> str:
    """Write the case's files; the value for KUBECONFIG."""
    for name, text in case.get("files", {}).items():
        (folder / name).write_text(text if isinstance(text, str) else yaml.safe_dump(world.filled(text)))
    if "files" in case:
        return os.pathsep.join(str(folder / name) for name in case.get("joined") or case["files"])
    cluster = {"server": f"<SERVER-{case.get('server', 'tls')}>", **case.get("cluster", {})}
    document = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": case.get("user", {"token": "TOKEN-of-mine"})}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "current-context": "prod",
        **case.get("document", {}),
    }
    filled = world.filled(document)
    for entry in filled["clusters"]:
        if not any(key.startswith("certificate-authority") for key in entry["cluster"]):
            entry["cluster"]["certificate-authority-data"] = world.words["CA"]
    (folder / "config").write_text(yaml.safe_dump(filled))
    return str(folder / "config")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_uses_a_kubeconfig_as_kubectl_does_or_says_why_not(
    case: dict[str, Any], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(case, world, tmp_path)
    monkeypatch.setenv("KUBECONFIG", path)
    session = Session(settings=settings.Settings(kubeconfig=path, **case.get("settings", {})))
    if case.get("works"):
        assert session.cluster.models() == []
    else:
        with pytest.raises(KubeAIError) as raised:
            session.cluster.models()
        shown = str(raised.value)
        assert type(raised.value).__name__ == case.get("error", "UnauthorizedError"), shown
        assert "\n" not in shown
        assert ".." not in shown.replace("...", "")
        assert 'Session(context="local")' in shown
        assert not any(secret in shown for secret in SECRETS), shown
        assert "<html" not in shown
        missing = [words for words in [*world.filled(case["says"]), tmp_path.name] if words not in shown]
        assert not missing, shown
        # Nor do its causes, which an uncaught error would print.
        assert not any(secret in "".join(traceback.format_exception(raised.value)) for secret in SECRETS)
        doctor = repr(session.doctor())
        assert [words for words in case["says"][:1] if world.filled(words) not in doctor] == []
        assert "%kubeai_config context=local" in doctor
    session.close()


@pytest.mark.skipif(KUBECTL is None, reason="no kubectl on PATH")
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_differs_from_kubectl_nowhere_unsaid(case: dict[str, Any], world: World, tmp_path: Path) -> None:
    """``kubectl`` in the table is what it does: ``works``, or words of its refusal."""
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "KUBECONFIG": written(case, world, tmp_path)}
    wanted = [f"--{name}={value}" for name, value in case.get("settings", {}).items()]
    done = subprocess.run(
        [str(KUBECTL), "get", "models.kubeai.org", "--request-timeout=2s", *wanted],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    expected = case.get("kubectl", "works" if case.get("works") else "")
    if expected == "works":
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode != 0
        assert expected in done.stderr
