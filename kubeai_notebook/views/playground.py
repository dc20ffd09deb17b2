"""The chat playground: a widget over `playground_model`, with its transcript as the next output of the cell.

A notebook saves no widget's state by default, so the transcript is what it shows when it is opened again; style sheets
hide it while the playground lives. It is renewed soon after an answer has begun, so that its first word does not wait
behind the whole dialogue, and when it has ended; not in between: that would send the whole dialogue with each word.
"""

from __future__ import annotations

import threading
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import traitlets
from pydantic import ValidationError

from kubeai_notebook import settings
from kubeai_notebook.core.chat_request import tool_fields
from kubeai_notebook.core.dialogue import Dialogue
from kubeai_notebook.errors import KubeAIError, UsageError
from kubeai_notebook.present.playground_settings import in_labels
from kubeai_notebook.present.playground_wire import PROMPT, PlaygroundMessage, PlaygroundRequest, Text
from kubeai_notebook.present.transcript import cells_of, transcript_bundle, transcript_text
from kubeai_notebook.store import Dialogues
from kubeai_notebook.views.beside import Snapshots

from .commands import request_in
from .playground_model import PlaygroundModel
from .static_files import BuiltWidget, static_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from kubeai_notebook.session.connection import Connection
    from kubeai_notebook.session.model import Model


class Playground(BuiltWidget):
    """A chat with a Model, or with up to four Models and adapters side by side. Made by `Model.playground`."""

    built = "playground"
    state = traitlets.Dict().tag(sync=True)
    """A ``PlaygroundState`` as JSON, written here only."""

    def __init__(self, playground: PlaygroundModel) -> None:
        super().__init__(state=playground.state().model_dump(mode="json"))
        self._playground = playground
        self.snapshots = Snapshots(self.still)
        self._lock = threading.RLock()
        playground.on_change, playground.on_text = self._show, self._tell
        self.on_msg(lambda _widget, content, _buffers: self._take(content))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What is shown of the first column, as the OpenAI API has it; set it to go on from elsewhere.

        Raises, when it is set:
            UsageError: they are no turns, or an answer is still coming.
        """
        return self._playground.dialogue.messages()

    @messages.setter
    def messages(self, turns: Sequence[Mapping[str, Any]]) -> None:
        self._playground.take(turns)

    def renew(self, session: Connection, tools: Sequence[Callable[..., Any]]) -> None:
        """Go on with the Session that is open now, and with these functions where there are any."""
        self._playground.session = session
        self._playground.tools = list(tools) or self._playground.tools

    def votes(self) -> pd.DataFrame:
        """A row for each answer to a prompt that was voted on, in the order of the prompts.

        Columns: ``exchange`` (a number), ``prompt``, ``model``, ``answer``, ``preferred`` (bool),
        ``time_to_first_token_seconds``, ``tokens_per_second`` and ``completion_tokens`` (empty where not counted).
        ``votes().groupby("model").preferred.mean()`` is how often each was preferred.
        """
        import pandas as pd

        columns = ["exchange", "prompt", "model", "answer", "preferred"]
        figures = ["time_to_first_token_seconds", "tokens_per_second", "completion_tokens"]
        return pd.DataFrame(self._playground.dialogue.votes(), columns=[*columns, *figures])

    def jsonl(self) -> str:
        """A line of JSON for each column: ``{"model": …, "messages": […]}``."""
        return self._playground.dialogue.jsonl()

    def cells(self, column: int = 0) -> list[str]:
        """Sources of cells that ask a column's Model the same again; ``column`` counts from 0."""
        return cells_of(self._playground.dialogue, column)

    def still(self) -> dict[str, str]:
        """The transcript, which a saved notebook shows."""
        return transcript_bundle(self._playground.dialogue)

    def _show(self) -> None:
        with self._lock:
            state = self._playground.state()
            begins_or_ends = state.busy != self.state.get("busy")
            self.state = state.model_dump(mode="json")
            if begins_or_ends or not state.busy:
                self.snapshots.renew(soon=state.busy)

    def _tell(self, *texts: Text, problem: str = "", taken: bool = False, formulas: str = "") -> None:
        message = PlaygroundMessage(texts=texts, problem=problem, taken=taken, formulas=formulas)
        self.send(message.model_dump(mode="json"))

    def _take(self, content: object) -> None:
        """Do what the page asks; nothing here waits for a Model."""
        try:
            request = request_in(content, PlaygroundRequest)
            formulas = static_text("formulas.js") if request.verb == "formulas" else ""
            texts = () if formulas else self._do(request)
        except KubeAIError as error:
            self._tell(problem=in_labels(f"{error.message} {error.hint}".strip()), taken=True)
        except (LookupError, ValueError, RecursionError):  # of a page that is older than what it shows
            self._tell(problem="This is no longer there, or cannot be read. Run the cell again.", taken=True)
        else:
            self._tell(*texts, taken=True, formulas=formulas)

    def _do(self, request: PlaygroundRequest) -> tuple[Text, ...]:
        model, number = self._playground, request.exchange
        column = PROMPT if request.column is None else request.column
        does: dict[str, Callable[[], Any]] = {
            "ask": partial(model.ask, request.text, request.pictures, sure=request.sure),
            "edit": partial(model.edit, number, request.text),
            "regenerate": partial(model.regenerate, number, request.column),
            "choose": partial(model.choose, number),
            "vote": partial(model.vote, number, request.column),
            "stop": model.stop,
            "columns": partial(model.set_columns, request.columns),
            "settings": partial(model.set_settings, request.settings),
            "allow": partial(model.call, number, column, request.calls_id, allowed=True),
            "refuse": partial(model.call, number, column, request.calls_id, allowed=False),
            "clear": partial(model.take, []),
            "text": lambda: model.text(number, column),
        }
        done = does[request.verb]()
        return (done,) if isinstance(done, Text) else ()

    def _ipython_display_(self) -> None:
        with self._lock:
            self.snapshots.show_beside(self)

    def __repr__(self) -> str:
        return transcript_text(self._playground.dialogue)


def chat_playground(
    model: Model, columns: Sequence[str] = (), *, tools: Sequence[Callable[..., Any]] = (), new: bool = False
) -> Playground:
    """The playground of this Model in this notebook, with what was said in it; ``new`` begins another dialogue.

    It is kept by the notebook, the place and the Model's name, so a kernel that was restarted goes on with it.

    Raises:
        UsageError: ``tools`` are no list of functions.
    """
    if tools:
        tool_fields(tools, None)
        if not all(map(callable, tools)):
            raise UsageError("A playground calls the functions of tools=, and a mapping is none.", "Give the function.")
    names = tuple(dict.fromkeys((model.name, *columns)))
    key = "\n".join((settings.notebook(), repr(model.session.place), *names))
    if new or key not in _playgrounds():
        kept = None if new else _kept(key)
        dialogue = kept or Dialogue(id=key, columns=(model.name,))
        playground = PlaygroundModel(model.session, dialogue, keep=_keep)
        if kept is None and names != dialogue.columns:
            playground.set_columns(names)
        _playgrounds()[key] = Playground(playground)
    shown = _playgrounds()[key]
    shown.renew(model.session, tools)
    return shown


def _kept(key: str) -> Dialogue | None:
    try:
        return Dialogue.model_validate_json(Dialogues().get(key) or "")
    except ValidationError:
        return None


def _keep(dialogue: Dialogue) -> str:
    return Dialogues().put(dialogue.id, dialogue.model_dump_json())


@cache
def _playgrounds() -> dict[str, Playground]:
    """Those of this kernel: a cell that runs again shows the same."""
    return {}
