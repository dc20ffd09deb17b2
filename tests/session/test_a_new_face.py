"""A face made by a stranger's hand: a web page's server, of what session, present and calls give to everybody."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from inspect import getsource
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote
from urllib.request import Request, urlopen

import pytest

from kubeai_notebook.calls.stream import ChatStream
from kubeai_notebook.errors import KubeAIError
from kubeai_notebook.present.card import card_of, deleted_card
from kubeai_notebook.session import verbs
from tests.support.daemon import SMOL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeai_notebook.session.live.subscription import Change
    from kubeai_notebook.session.session import Session


class Page(BaseHTTPRequestHandler):
    """``GET /models`` and ``/chat/NAME/PROMPT`` stream events; ``POST /serve``, ``/fix/NAME/ID`` and ``/stop`` act."""

    session: ClassVar[Session]
    chats: ClassVar[list[ChatStream]] = []

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        _, page, *rest = self.path.split("/")
        if page == "models":
            with self.session.subscribe() as changes:
                for change in changes:
                    self.tell(change.revision, self.card(change))
        else:
            with ChatStream(self.session.endpoint, rest[0], [{"role": "user", "content": unquote(rest[1])}]) as chat:
                self.chats.append(chat)
                for number, delta in enumerate(chat):
                    self.tell(number, {"text": delta.text})

    def do_POST(self) -> None:
        _, verb, *rest = self.path.split("/")
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        status, answer = 200, {}
        try:
            if verb == "serve":
                answer = {"note": verbs.serve(self.session, json.loads(body), force=True).note}
            elif verb == "fix":
                answer = {"note": verbs.fix(self.session, *rest).note}
            else:
                self.chats.pop().close()
        except KubeAIError as error:
            status, answer = 400, {"message": error.message, "hint": error.hint}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def card(self, change: Change) -> dict[str, Any]:
        namespace = self.session.cluster.namespace
        view = change.view
        card = card_of(view, namespace=namespace) if view else deleted_card(change.name, namespace=namespace)
        return card.model_dump(mode="json")

    def tell(self, number: int, data: dict[str, Any]) -> None:
        self.wfile.write(f"id: {number}\ndata: {json.dumps(data)}\n\n".encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def page(session: Session) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Page,), {"session": session}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def post(url: str, fields: Any = None) -> Any:
    with urlopen(Request(url, json.dumps(fields).encode(), method="POST")) as answer:
        return json.load(answer)


def events(url: str) -> Iterator[Any]:
    with urlopen(url) as answer:
        for line in answer:
            if line.startswith(b"data:"):
                yield json.loads(line[5:])


def first(cards: Iterator[Any], wanted: Callable[[Any], Any]) -> Any:
    return next(card for card in cards if card["name"] == "faced" and wanted(card))


def test_lists_serves_mends_and_chats(page: str) -> None:
    assert "faced is created" in post(f"{page}/serve", {"name": "faced", "resourceProfile": "cpus:1", **SMOL})["note"]
    cards = events(f"{page}/models")
    blocked = first(cards, lambda card: card["findings"])
    remedy = next(one for one in blocked["findings"][0]["remedies"] if one["kind"] == "change")
    assert "resourceProfile: cpus:1 → cpu:1" in post(f"{page}/fix/faced/{remedy['id']}")["note"]
    assert first(cards, lambda card: card["phase"] == "Ready")["tone"] == "good"
    pieces = events(f"{page}/chat/faced/Count%20to%20a%20thousand.")
    assert "text" in next(pieces)
    post(f"{page}/stop")
    assert len(list(pieces)) < 1000


def test_is_short() -> None:
    assert len(getsource(Page).splitlines()) <= 60
