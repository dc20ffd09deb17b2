"""A kubeconfig that cannot be used is one sentence that names the file and what is wrong, never a value in it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubeai_notebook.errors import KubeAIError, KubeconfigError
from kubeai_notebook.session.session import Session
from tests.support.garbage import Handler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = yaml.safe_load((Path(__file__).parents[1] / "golden" / "damaged_kubeconfigs.yaml").read_text(encoding="utf-8"))


class Empty(Handler):
    """An API with an empty list, which writes down what it was sent."""

    sent: list[str]

    def handle(self) -> None:
        head = b""
        while (line := self.rfile.readline()).strip():
            head += line
        self.sent.append(head.decode("latin-1"))
        data = b'{"metadata": {"resourceVersion": "1"}, "items": []}'
        self.say(b"HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(data) + data)


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[str, list[str]]]:
    sent: list[str] = []
    with serving(type("Bound", (Empty,), {"sent": sent})) as url:
        yield url, sent


def sound(server: str) -> dict[str, Any]:
    return {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "TOKEN"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "team"}}],
        "current-context": "x",
    }


def put(document: Any, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for key in way:
        document = document[int(key) if key.isdigit() else key]
    if value is None and last not in ("cluster", "user"):
        document.pop(last)
    else:
        document[last] = value


def written(case: dict[str, Any], folder: Path, server: str) -> Path:
    path = folder / "config"
    for name, content in {"empty": "", "token": "TOKEN\n", "two": "TOKEN\nTWO\n"}.items():
        (folder / name).write_text(content)
    if "set" in case:
        document = sound("https" + server[4:] if "certificate" in str(case["set"]) else server)
        for key, value in case["set"].items():
            put(document, key, value)
        path.write_text(yaml.safe_dump(document, allow_unicode=True))
    elif case["text"] == "FOLDER":
        path.mkdir()
    else:
        made = {"BINARY": bytes(range(256)), "DEEP": b"[" * 5_000}
        path.write_bytes(made.get(case["text"], case["text"].encode()))
    return path


@pytest.mark.finding("L3")
@pytest.mark.parametrize("case", TABLE, ids=[case["name"] for case in TABLE])
def test_says_what_is_wrong_with_a_kubeconfig(
    case: dict[str, Any], api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, sent = api
    sent.clear()
    path = written(case, tmp_path, url)
    monkeypatch.setenv("KUBECONFIG", str(path))
    session = Session()
    if case.get("works"):
        assert session.cluster.models() == []
        assert any("authorization: bearer token\r\n" in one.lower() for one in sent)
        session.close()
        return
    with pytest.raises(KubeAIError) as raised:
        session.cluster.models()
    said = str(raised.value)
    assert "TOKEN" not in said
    assert "SECRET" not in said
    assert "kubeconfig" in said
    assert "\n" not in said
    for words in case["says"]:
        assert words in said
    # The value stands in no cause behind it either, which an uncaught error would print.
    assert raised.value.__suppress_context__ or raised.value.__cause__ is None
    assert sent == []


@pytest.mark.finding("L3")
def test_shows_no_token_that_cannot_be_sent(api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the error, not in its causes, and not in the log."""
    import traceback

    path = written({"set": {"users.0.user": {"tokenFile": "two"}}}, tmp_path, api[0])
    monkeypatch.setenv("KUBECONFIG", str(path))
    try:
        Session().cluster.models()
    except Exception:  # noqa: BLE001 - whatever it is, what it shows is judged
        assert "TWO" not in traceback.format_exc()
    else:
        raise AssertionError


def test_names_what_a_way_through_a_socks_proxy_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socks", None)  # as where it is not installed
    monkeypatch.delitem(sys.modules, "urllib3.contrib.socks", raising=False)
    document = sound("https://127.0.0.1:9")
    document["clusters"][0]["cluster"]["proxy-url"] = "socks5://user:PASSWORD@127.0.0.1:8"
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(KubeconfigError, match="PySocks is not installed") as raised, Session() as session:
        session.models()
    assert "pip install pysocks" in raised.value.hint
    assert "PASSWORD" not in str(raised.value)
