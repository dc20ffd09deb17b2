"""What a Model is asked to say: a text that goes on, one turn, a conversation; whole or streamed, also for ``await``.

A base of `session.model.Model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from kubeai_notebook.core.call_checks import checks_calls
from kubeai_notebook.core.chat_fields import ChatFields, CompleteFields
from kubeai_notebook.core.chat_request import Turn, chat_request
from kubeai_notebook.core.objects import texts_at
from kubeai_notebook.core.shown_fields import shows

from . import chatting, presenter
from .waiting import look_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubeai_notebook.calls.stream import ChatStream
    from kubeai_notebook.core.chat_messages import Reply

    from .connection import Connection
    from .conversation import Conversation

Prompt = str | Sequence[Turn]


@checks_calls
class ModelChats:
    """The ways to an answer of a Model that generates text."""

    name: str

    @property
    def _open(self) -> Connection:
        raise NotImplementedError

    @shows(CompleteFields)
    def complete(self, prompt: str, **fields: Unpack[CompleteFields]) -> Reply:
        """Continue a text.

        Waits first until the Model is ready, wakes it where it sleeps, and shows meanwhile what it is doing: in the
        cell, or in a line on stderr (the setting ``show_waiting`` turns that off).

        Raises:
            UsageError: a field or the text cannot be sent; nothing was.
            DeployError: the Model cannot become ready as it is; ``findings`` say why.
            CallError: the Model was served for something else, or the gateway or the engine refused the request.
            WaitTimeoutError: it is still starting after the setting ``wait_timeout_seconds``.
            WaitInterruptedError: interrupted.
        """
        return chatting.complete(self._open, self.name, prompt, fields=fields)

    @shows(ChatFields)
    def chat(self, prompt: Prompt, **fields: Unpack[ChatFields]) -> Reply:
        """The Model's answer to a text, or to a list of turns as ``{"role": "user", "content": "Hi"}``.

        It waits for the Model, and wakes it, as `complete` does, and says how far an answer is that takes long.
        Nothing is remembered: `conversation` does that.
        The Reply is a str. Beside the text it has

        - ``usage``: ``prompt_tokens`` and ``completion_tokens``; None where the engine counts none,
        - ``time_to_first_token_seconds`` and ``tokens_per_second``,
        - ``finish_reason``, and ``note``: a sentence where this is less than a whole answer, else ``""``,
        - ``reasoning``: what the model thought before it answered,
        - ``parsed``: what ``schema`` asks for,
        - ``tool_calls``: what the model wants called; nothing calls it by itself,
        - ``message``: the answer as a turn, and ``raw``: the answer as the OpenAI API has it.

        ::

            reply = model.chat("Is Brie soft?", max_tokens=30, temperature=0)
            print(reply, reply.usage)
            turns = [{"role": "user", "content": "Is Brie soft?"}, reply.message]
            model.chat([*turns, {"role": "user", "content": "And Gouda?"}], max_tokens=30)
            model.chat("It was sour.", schema=["good", "bad"], max_tokens=30)

        Raises:
            UsageError: a field or a turn cannot be sent; nothing was.
            CallError: the Model was served for something else; or the gateway or the engine refused, broke off, or
                gave no answer within ``timeout_seconds``.
            DeployError: the Model cannot become ready as it is; ``findings`` say why.
            WaitTimeoutError: it is still starting after the setting ``wait_timeout_seconds``.
            WaitInterruptedError: interrupted; the engine's work is ended. `stream` keeps what has come.
        """
        return chatting.whole(self._open, self.name, self.stream(prompt, **fields))

    @shows(ChatFields)
    def stream(self, prompt: Prompt, **fields: Unpack[ChatFields]) -> ChatStream:
        """`chat` piece by piece: each Delta prints as its text, and ``.reply`` is what has come, at the end the Reply.

        A Delta is a piece as the engine sends it, which may be several tokens or none; it has ``text``, ``reasoning``
        and ``tool_calls``. The request is sent with the first one. ``close()``, from any thread, ends the request and
        the engine's work, and so does the end of a ``with`` block; ``whole()`` reads the rest and gives the Reply.

        ::

            with model.stream("Name three cheeses.", max_tokens=50) as deltas:
                for delta in deltas:
                    print(delta, end="")
            deltas.reply.usage

        Raises:
            UsageError, DeployError, WaitTimeoutError: here, as `chat`.
            CallError, WaitInterruptedError: while it is read, as `chat`.
        """
        return chatting.stream(self._open, self.name, prompt, fields=fields)

    @shows(ChatFields)
    async def achat(self, prompt: Prompt, **fields: Unpack[ChatFields]) -> Reply:
        """`chat` for ``await``, in any event loop; many at once by ``asyncio.gather``. Errors as `chat`.

        ::

            reply = await model.achat("Is Brie soft?", max_tokens=30)
            first, second = await asyncio.gather(model.achat("Brie?"), model.achat("Gouda?"))
        """
        return await self.astream(prompt, **fields).whole()

    @shows(ChatFields)
    def astream(self, prompt: Prompt, **fields: Unpack[ChatFields]) -> chatting.AsyncChatStream:
        """`stream` for ``async for``; cancelling the task that reads it ends the engine's work.

        Nothing is sent, and the Model is not waited for, before the first Delta is awaited. Errors as `chat`, a
        UsageError here and the others while it is read.

        ::

            async with model.astream("Name three cheeses.", max_tokens=50) as deltas:
                async for delta in deltas:
                    print(delta, end="")
            deltas.reply.usage
        """
        return chatting.AsyncChatStream(self._open, self.name, chat_request(prompt, fields))

    @shows(ChatFields)
    def conversation(self, **fields: Unpack[ChatFields]) -> Conversation:
        """A conversation, which remembers: it sends all its turns each time. The fields hold for each of them.

        ``say`` and ``stream`` are `chat` and `stream` (``asay``, ``astream``), ``messages`` are the turns so far, a
        list that can be set; ``undo()`` forgets the last question, and ``branch()`` gives another conversation that
        goes on from here.

        ::

            talk = model.conversation(system="Be brief.", max_tokens=30)
            talk.say("My name is Bob.")
            talk.say("What is my name?", temperature=0)

        Raises:
            UsageError: a field cannot be sent.
        """
        from .conversation import Conversation

        return Conversation(self._open, self.name, fields)

    def playground(
        self,
        *columns: str,
        tools: Sequence[Callable[..., Any]] = (),
        new: bool = False,
        data: Any = None,
        column: str = "",
        color: str = "",
    ) -> Any:
        """Try the Model in the notebook: a chat with its answers side by side, or for one of embeddings its vectors.

        ``columns`` are the Models and adapters (``NAME_ADAPTER``) that answer beside it, up to three; ``tools`` are
        functions that the model may ask for and that are called when the user allows it; ``new`` begins another
        dialogue. What was said is kept for this notebook, also when the kernel is restarted. Of what is returned,
        ``messages`` are the first column's turns (it can be set), ``votes()`` is a DataFrame, and of each column there
        are ``jsonl()``, with the system prompt of now, and ``cells()``, which ask as it was asked.

        An embedding Model takes ``data``, a DataFrame that is searched and mapped, ``column``, the one of its texts
        (needless where there is but one), and ``color``, the one that colours the map; ``selection()`` are the rows
        that were chosen there. For a Model that ranks or transcribes, typed texts are ranked, a recording written down.

        Raises:
            UsageError: no notebook shows it, a column is unknown, what is given is for another kind of Model, or there
                is no playground for what the Model does.
            NotFoundError: there is no such Model.
        """
        features = texts_at(look_at(self._open.publisher, self.name).model, "spec", "features")
        given: dict[str, Any] = {} if data is None else {"data": data}  # whether a frame is empty is no question
        options = {"columns": columns, "tools": tools, "new": new, "column": column, "color": color}
        given |= {name: value for name, value in options.items() if value}
        return presenter.face().playground(self, features, **given)
