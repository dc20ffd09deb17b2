"""Speech, on answers in the wire format of OpenAI's audio API, as FasterWhisper's server documents it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.calls import transcribe as room
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.calls.probe import SILENCE
from kubeai_notebook.calls.transcribe import transcribe
from kubeai_notebook.core.access import Access
from kubeai_notebook.errors import CallError, UsageError
from tests.support.http_server import Answer, HttpServer, json_answer

if TYPE_CHECKING:
    from pathlib import Path

    from kubeai_notebook.core.chat_messages import Reply

SUBTITLES = "1\n00:00:00,000 --> 00:00:01,000\nhello\n"


def written(recording: object, answer: object = None, **options: object) -> tuple[Reply, HttpServer]:
    given = answer if isinstance(answer, Answer) else json_answer({"text": "hello"} if answer is None else answer)
    with HttpServer(lambda _: given) as server, Endpoint(Access(base_url=f"{server.address}/openai/v1")) as endpoint:
        return transcribe(lambda: endpoint, "ears", recording, **options), server


def not_asked() -> Endpoint:
    raise AssertionError("the Model would have been woken")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "talk.wav"
    file.write_bytes(SILENCE)
    return file


@pytest.mark.parametrize("kind", ["path", "text", "home", "bytes", "file", "memory"])
def test_sends_a_recording_as_a_form(kind, path, monkeypatch):
    monkeypatch.setenv("HOME", str(path.parent))
    texts = {"text": str(path), "home": f"~/{path.name}"}
    with path.open("rb") as file:
        given = {"path": path, **texts, "bytes": SILENCE, "file": file, "memory": io.BytesIO(SILENCE)}[kind]
        text, server = written(given, language="en", prompt="Ada Lovelace")
    assert text == "hello"
    [received] = server.received
    assert received.path == "/openai/v1/audio/transcriptions"
    assert SILENCE in received.body
    assert (b'filename="talk.wav"' in received.body) == (kind in ("path", "text", "home", "file"))
    for name, value in {b"model": b"ears", b"language": b"en", b"prompt": b"Ada Lovelace"}.items():
        assert b'name="' + name + b'"\r\n\r\n' + value in received.body


def test_says_who_was_asked_and_what_came():
    reply, _ = written(SILENCE, {"text": "hello", "language": "en"})
    assert (reply.model, reply.raw) == ("ears", {"text": "hello", "language": "en"})
    subtitles, _ = written(SILENCE, Answer(SUBTITLES.encode()), response_format="srt")
    assert (subtitles.model, subtitles.raw) == ("ears", {})


def test_gives_subtitles_as_they_come():
    assert written(SILENCE, Answer(SUBTITLES.encode()), response_format="srt")[0] == SUBTITLES


@pytest.mark.parametrize("answer", [{}, {"text": None}, {"text": 3}, []])
def test_believes_no_answer_without_a_text(answer):
    with pytest.raises(CallError, match="ears answered something that cannot be read"):
        written(SILENCE, answer)


def test_tells_what_the_engine_refuses():
    with pytest.raises(CallError, match="unsupported audio"):
        written(b"no sound", json_answer({"detail": "unsupported audio"}, 415))


@pytest.mark.parametrize(
    ("recording", "sentence"),
    [
        ("/nowhere/talk.wav", "talk.wav cannot be read: No such file or directory"),
        ("/", " cannot be read: Is a directory"),
        ("a\0b", "cannot be read: it is no path"),
        (b"", "The recording is empty"),
        (io.StringIO("text"), "The file is open as text"),
        (3, "takes a path, bytes or a file that is open, not int"),
    ],
)
def test_refuses_what_is_no_recording_before_a_model_is_woken(recording, sentence):
    with pytest.raises(UsageError, match=sentence):
        transcribe(not_asked, "ears", recording)


def test_refuses_a_recording_that_is_too_large(tmp_path):
    large = tmp_path / "night.wav"
    with large.open("wb") as file:
        file.truncate(room.MOST_BYTES + 1)
    with pytest.raises(UsageError, match=r"night.wav is larger than 268 MB; nothing was sent"):
        transcribe(not_asked, "ears", large)
