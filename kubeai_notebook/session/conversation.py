"""A conversation: its turns, kept here and sent each time, since an engine remembers nothing.

A turn is kept when its answer has ended, or was stopped with something there: what a user saw is what the model is
told later. Where the request fails nothing is kept, so the same cell can be run again.
"""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from kubeai_notebook.core.call_checks import checks_calls
from kubeai_notebook.core.chat_fields import ChatFields, checked_fields
from kubeai_notebook.core.chat_request import chat_request, turns_of
from kubeai_notebook.core.shown_fields import shows
from kubeai_notebook.errors import UsageError
from kubeai_notebook.text import LONGEST, ShownAsText

from .chatting import AsyncChatStream, stream, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubeai_notebook.calls.stream import ChatStream
    from kubeai_notebook.core.chat_messages import Reply
    from kubeai_notebook.core.chat_request import Turn

    from .connection import Connection


@checks_calls
class Conversation(ShownAsText):
    """A conversation with a Model: `say` asks and remembers, `messages` is what was said.

    Made by `Model.conversation`; its fields hold for each turn, and `say` may set others for one. Ask one
    turn after the other: two at once would miss each other.
    """

    def __init__(self, session: Connection, name: str, fields: ChatFields) -> None:
        given = checked_fields(fields, "conversation")
        system = given.pop("system", None)
        self.session, self.name = session, name
        self.fields = given
        """What holds for each turn."""
        self._messages: list[Turn] = [{"role": "system", "content": system}] if system else []

    @property
    def messages(self) -> list[Turn]:
        """What was said, the oldest first, as the OpenAI API has it; set it to go on from elsewhere."""
        return self._messages

    @messages.setter
    def messages(self, turns: Sequence[Turn]) -> None:
        self._messages = list(turns_of(turns, "conversation")) if turns else []

    @property
    def system(self) -> str:
        """The instruction that stands before all turns; set it to change it from now on."""
        first = self._messages[0] if self._messages else {}
        return str(first["content"]) if first.get("role") == "system" else ""

    @system.setter
    def system(self, text: str) -> None:
        turns = self._messages[1:] if self.system else self._messages
        self._messages = [*([{"role": "system", "content": text}] if text else []), *turns]

    @shows(ChatFields)
    def say(self, prompt: str | Sequence[Turn], **fields: Unpack[ChatFields]) -> Reply:
        """The Model's answer to a text, or to several turns, as the next turn. Errors as `Model.chat`.

        Both are kept in ``messages`` when the answer has ended, and as far as it came where it was interrupted; where
        the request fails nothing is. A field holds for this turn only.
        """
        return whole(self.session, self.name, self.stream(prompt, **fields))

    __call__ = say

    @shows(ChatFields)
    def stream(self, prompt: str | Sequence[Turn], **fields: Unpack[ChatFields]) -> ChatStream:
        """The same, piece by piece; the turn is kept when the stream has ended, or is stopped."""
        return self.begin(prompt, fields)

    def begin(self, prompt: str | Sequence[Turn], fields: ChatFields, *, shown: bool = True) -> ChatStream:
        """`stream`; ``shown`` says meanwhile what the Model is doing while it is not ready."""
        asked = self._asked(prompt, fields)
        turns, kept = [*self._messages, *asked], partial(self._keep, asked)
        return stream(self.session, self.name, turns, fields=self._all(fields), shown=shown, on_end=kept)

    @shows(ChatFields)
    async def asay(self, prompt: str | Sequence[Turn], **fields: Unpack[ChatFields]) -> Reply:
        """`say` for ``await``."""
        return await self.astream(prompt, **fields).whole()

    @shows(ChatFields)
    def astream(self, prompt: str | Sequence[Turn], **fields: Unpack[ChatFields]) -> AsyncChatStream:
        """`stream` for ``async for``."""
        asked = self._asked(prompt, fields)
        request = chat_request([*self._messages, *asked], self._all(fields))
        return AsyncChatStream(self.session, self.name, request, on_end=partial(self._keep, asked))

    def undo(self) -> Conversation:
        """Forget the last question and what came after it.

        Raises:
            UsageError: there is none.
        """
        asked = [number for number, turn in enumerate(self._messages) if turn["role"] == "user"]
        if not asked:
            raise UsageError("This conversation has no turn to undo.")
        self._messages = self._messages[: asked[-1]]
        return self

    def branch(self) -> Conversation:
        """Another conversation that begins as this one stands; what is said there changes nothing here."""
        branch = Conversation(self.session, self.name, {})
        branch.fields, branch._messages = dict(self.fields), deepcopy(self._messages)
        return branch

    def _asked(self, prompt: Any, fields: ChatFields) -> list[Turn]:
        if fields.get("system") is not None:
            raise UsageError("A conversation has one instruction for all its turns.", "Set conversation.system.")
        return list(turns_of(prompt, "say"))

    def _all(self, fields: ChatFields) -> dict[str, Any]:
        return {**self.fields, **{name: value for name, value in fields.items() if value is not None}}

    def _keep(self, asked: Sequence[Turn], reply: Reply) -> None:
        if reply or reply.tool_calls or reply.finish_reason:
            self._messages = [*self._messages, *asked, reply.message]

    def __len__(self) -> int:
        return len(self._messages)

    def __bool__(self) -> bool:
        return True

    def _text(self) -> str:
        words = [f"{turn['role']}: {_words(turn.get('content'))}" for turn in self._messages]
        return "\n".join([f"Conversation with {self.name}, {len(self)} turns", *words])[:LONGEST]


def _words(content: Any) -> str:
    """A turn's text; of its other parts their kind."""
    if not isinstance(content, list | tuple):
        return str(content or "…")
    return " ".join(part["text"] if part.get("type") == "text" else f"[{part.get('type')}]" for part in content)
