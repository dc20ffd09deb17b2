"""What is said in a recording, as text."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kubeai_notebook.core.chat_messages import Reply, usage_of, words_of
from kubeai_notebook.core.messages import size
from kubeai_notebook.core.objects import NOTHING
from kubeai_notebook.errors import UsageError

from .errors import explained, object_of, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .endpoint import Endpoint

MOST_BYTES = 256 << 20
"""Of one recording."""
NAME = "recording"
"""What one is called that has no name: engines look at the sound itself."""

Recording = str | os.PathLike[str] | bytes | IO[bytes]


def transcribe(endpoint: Callable[[], Endpoint], model: str, recording: Recording, **options: Any) -> Reply:
    """Write down a recording; ``options`` are those of the OpenAI API.

    ``endpoint`` is asked for once the recording is known to be one, since it may wake the Model.

    Raises:
        UsageError: there is no such file, it is empty, or larger than `MOST_BYTES`; nothing was sent.
        CallError: the gateway or the engine refused it, or answered something that cannot be read.
    """
    if options.get("stream"):
        raise UsageError("transcribe() gives the whole text.", "Leave stream= out, or use model.client.")
    with ExitStack() as opened:
        sent = _sent(recording, opened)
        way = endpoint()
        with explained(model, way):
            audio: Any = way.thread_client.audio.transcriptions.with_raw_response
            response = audio.create(model=model, file=sent, **options)
            if options.get("response_format") in ("text", "srt", "vtt"):
                return _from(model, Reply(response.content.decode(errors="replace")))
            answer = object_of(response.content, model)
    if not isinstance(answer.get("text"), str):
        raise unreadable(model, "it holds no text")
    return _from(model, Reply(words_of(answer["text"]), usage=usage_of(answer)), answer)


def _from(model: str, reply: Reply, answer: Mapping[str, Any] = NOTHING) -> Reply:
    """The Reply with who was asked and what came; subtitles come as no object."""
    reply.model, reply.raw = model, answer
    return reply


def _sent(recording: Recording, opened: ExitStack) -> tuple[str, bytes | IO[bytes]]:
    """The recording with its name, as a form takes it; a file that is opened here is closed with ``opened``."""
    if isinstance(recording, bytes | bytearray):
        return NAME, _bounded(bytes(recording), len(recording), "The recording")
    if isinstance(recording, str | os.PathLike):
        path = Path(os.path.expanduser(recording))  # noqa: PTH111 - Path raises where no such user is
        try:
            file = opened.enter_context(path.open("rb"))
            length = path.stat().st_size
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no path"
            raise UsageError(
                f"{path.name} cannot be read: {why}.", "transcribe() takes a path, bytes or a file."
            ) from None
        return path.name, _bounded(file, length, path.name)
    if not hasattr(recording, "read"):
        kind = type(recording).__name__
        raise UsageError(f"transcribe() takes a path, bytes or a file that is open, not {kind}.")
    # A file of any kind is read here, since only so is known how long it is.
    data = recording.read(MOST_BYTES + 1)
    if not isinstance(data, bytes):
        raise UsageError("The file is open as text.", 'Open it as open(path, "rb").')
    name = getattr(recording, "name", NAME)
    return Path(name).name if isinstance(name, str) else NAME, _bounded(data, len(data), "The recording")


def _bounded(content: Any, length: int, called: str) -> Any:
    if not length:
        raise UsageError(f"{called} is empty; nothing was sent.")
    if length > MOST_BYTES:
        raise UsageError(f"{called} is larger than {size(MOST_BYTES)}; nothing was sent.", "Cut it into pieces.")
    return content
