"""How a Model is reached by what is no method of ours: OpenAI's clients, other programs, code that is copied.

The base of `session.model.Model`. What all of it needs is an address, and where that wants a login, a port that has it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from kubeai_notebook.calls.endpoint import ModelEndpoint
from kubeai_notebook.core.call_checks import checks_calls
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.objects import texts_at
from kubeai_notebook.core.shown_fields import shows
from kubeai_notebook.core.snippets import FEATURES, NO_KEY, SHELL, Target, settings_for, snippet
from kubeai_notebook.core.task_fields import TranscribeFields, checked_transcribe_fields
from kubeai_notebook.errors import ClusterError, UsageError
from kubeai_notebook.loopback.peers import KNOWN
from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from kubeai_notebook.calls.endpoint import AsyncOpenAI, Endpoint, OpenAI
    from kubeai_notebook.calls.forward import Forward
    from kubeai_notebook.calls.transcribe import Recording
    from kubeai_notebook.core.chat_messages import Reply
    from kubeai_notebook.core.view import View
    from kubeai_notebook.present.code import Code

    from .connection import Connection

_SHOWN_DETAIL = 200


@checks_calls
class ModelClients:
    """The ways to a Model for clients of other makers, and the calls that only some Models take."""

    name: str

    @property
    def view(self) -> View:
        """Status, Findings and freshness at this moment."""
        raise NotImplementedError

    @property
    def _open(self) -> Connection:
        raise NotImplementedError

    def _able(self, feature: str) -> Callable[[], Endpoint]:
        raise NotImplementedError

    @property
    def _clients(self) -> Endpoint:
        """The endpoint of a Session that sees its Models where it may: only then do its clients end at once."""
        with suppress(ClusterError):
            _ = self._open.publisher
        return self._open.endpoint

    @property
    def endpoint(self) -> ModelEndpoint:
        """Where this Model answers at this moment: the base url and the model id for any OpenAI client."""
        return ModelEndpoint(self._open.endpoint.base_url, self.name)

    @property
    def base_url(self) -> str:
        """The gateway's address, for any OpenAI client; the model to ask for is `name`."""
        return self.endpoint.base_url

    @property
    def client(self) -> OpenAI:
        """An OpenAI client for the gateway; ask it for ``model=<this Model's name>``.

        A request waits until the Model is ready, as `complete` does, and an answer may then take ten minutes. Where
        the Model cannot become ready, openai's InternalServerError (503) says why.
        """
        return self._clients.client

    @property
    def async_client(self) -> AsyncOpenAI:
        """The same for ``await``."""
        return self._clients.async_client

    def forward(self, port: int = 0) -> Forward:
        """A port of this machine that speaks plain ``/openai/v1`` for other programs, which need no token for it.

        ``with model.forward() as port:`` opens and closes it, and so do ``start()`` and ``close()``; the end of the
        Session closes it too. ``port.base_url`` and ``port.api_key`` are for any OpenAI client. It answers programs
        of your own user only.

        Raises:
            UsageError: the port is taken.
        """
        from kubeai_notebook.calls.forward import Forward

        return Forward(self._clients, self.name, port=port)

    def code(self, kind: str = "python") -> Code:
        """Code that calls this Model and runs as it is shown; no token is in it.

        ``kind``: ``python``, ``requests``, ``curl``, ``async``, ``langchain``, ``litellm``, ``llm`` or ``env``. Where
        the gateway wants a login, Python's opens a `forward`, and a shell's asks one of this Session, which stays
        open until that ends. Where the Model cannot answer as it is, a comment says so.

        Raises:
            UsageError: there is no such kind, or none for what the Model does or for this system.
        """
        from kubeai_notebook.present.code import Code

        features = texts_at(self.view.model, "spec", "features")
        feature = next((known for known in FEATURES if known in features), FEATURES[0])
        target = Target(model=self.name, feature=feature, opening=self._opening)
        snippet(kind, target)  # refuses a kind that cannot be before a port is opened
        address = self._open.plain_address
        if not address and kind in SHELL:
            if not KNOWN:
                raise UsageError(f"Here {kind} needs a key, and no code holds one.", "forward() gives it: its api_key.")
            address = self._open.forward_to(self.name).base_url
        text = "\n".join([*self._caution, snippet(kind, replace(target, base_url=address))])
        return Code(text, "sh" if kind in SHELL else "python")

    @property
    def _caution(self) -> list[str]:
        """A comment for code that nothing answers as things are: KubeAI holds its request without a word."""
        status = self.view.status
        if not status.stopped and status.phase != "Paused":
            return []
        why = one_line(masked(status.detail), _SHOWN_DETAIL).rstrip(".")
        return [f"# {self.name} is {status.phase}, so this waits until somebody acts: {why}."]

    @property
    def _opening(self) -> str:
        """The ``with`` line that opens a port for this Model in another program."""
        cluster = self._open.cluster
        places = {"context": cluster.context, "namespace": cluster.namespace}
        named = ", ".join(f"{name}={value!r}" for name, value in places.items() if value)
        return f"with Session({named}) as session, session.attach({self.name!r}).forward() as port:"

    def settings_for(self, program: str) -> dict[str, str]:
        """What a program is set up with to ask this Model: ``openai``, ``langchain``, ``litellm``, ``llm`` or ``env``.

        ``ChatOpenAI(**model.settings_for("langchain"))``; `core.snippets.settings_for` says what each is for. Where
        the gateway wants a login, the address is a `forward`'s of this Session, which stays open until that ends.

        Raises:
            UsageError: no such program is known.
        """
        settings_for(program, model=self.name, base_url="", api_key="")  # refuses it before a port is opened
        address, key = self._open.plain_address, NO_KEY
        if not address:
            port = self._open.forward_to(self.name)
            address, key = port.base_url, port.api_key
        return settings_for(program, model=self.name, base_url=address, api_key=key)

    @shows(TranscribeFields)
    def transcribe(self, file: Recording, **fields: Unpack[TranscribeFields]) -> Reply:
        """What is said in a recording, up to 256 MiB: a path, bytes, or a file that is open for reading bytes.

        Raises:
            UsageError: a field cannot be; or there is no such file, or it is empty or too large; nothing was sent.
            CallError: the Model was served for something else, or the gateway or the engine refused the request.
            DeployError: the Model cannot become ready as it is.
        """
        from kubeai_notebook.calls.transcribe import transcribe

        given = checked_transcribe_fields(fields)
        return transcribe(self._able("SpeechToText"), self.name, file, **given)

    def rerank(self, query: str, texts: Any, *, top_n: int | None = None) -> pd.DataFrame:
        """The texts in the order in which they answer a question: ``text`` and ``score``, the best first.

        The index is each text's place among ``texts``, or that of a Series of pandas. ``top_n``: the best so many.

        Raises:
            UsageError: the question or a text is missing or empty; nothing was sent.
            CallError: the Model was served for something else, or the gateway or the engine refused the request.
            DeployError: the Model cannot become ready as it is.
        """
        import pandas as pd

        from kubeai_notebook.calls.rerank import checked, listed, rerank

        awake, own = self._able("Reranking"), listed(texts)
        sent = checked(query, own, top_n)
        ranked = rerank(awake(), self.name, sent, query=query, top_n=top_n) if sent else []
        places = [number for number, _ in ranked]
        labels = texts.index[places] if hasattr(texts, "iloc") else pd.Index(places, dtype="int64")
        columns = {"text": [own[number] for number in places], "score": [score for _, score in ranked]}
        return pd.DataFrame(columns, index=labels)
