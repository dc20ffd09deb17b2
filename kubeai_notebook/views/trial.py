"""Where a Model is tried that neither chats nor makes vectors: typed texts are ranked, a recording is written down."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Any

import traitlets

from kubeai_notebook.core.messages import size
from kubeai_notebook.errors import UsageError
from kubeai_notebook.present.code import trial_code
from kubeai_notebook.present.embedding_wire import Row
from kubeai_notebook.present.trial import trial_snapshot, trial_text
from kubeai_notebook.present.trial_wire import MOST_BYTES, TrialRequest, TrialState

from .beside import Snapshots
from .commands import commands, request_or_told
from .static_files import BuiltWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubeai_notebook.session.model import Model

    from .commands import Progress


class Trial(BuiltWidget):
    """The playground of a Model that ranks texts or writes down recordings, by its ``feature``."""

    built = "trial"
    state = traitlets.Dict().tag(sync=True)
    """A `TrialState` as JSON."""

    def __init__(self, model: Model, feature: str) -> None:
        self._model = model
        self._writing = threading.Lock()
        kind = "rank" if feature == "Reranking" else "transcribe"
        self.shown = TrialState(model=model.name, kind=kind, code=trial_code(model.name, feature))
        """What is shown."""
        self.snapshots = Snapshots(self.still)
        super().__init__(state=self.shown.model_dump(mode="json"))
        self.on_msg(lambda _widget, content, buffers: self._take(content, buffers))

    def _take(self, content: object, buffers: Sequence[memoryview]) -> None:
        request = request_or_told(content, TrialRequest, self._tell)
        if request is None or request.verb != self.shown.kind:
            return
        recording = bytes(buffers[0]) if buffers else b""
        commands().hand_off(
            lambda: self._rank(request) if request.verb == "rank" else self._write_down(request.file, recording),
            self._tell,
            # One after the other: each writes what is shown.
            key=(id(self), request.model_dump_json(), recording),
            queue=f"{id(self)}",
        )

    def _rank(self, request: TrialRequest) -> dict[str, Any]:
        texts = [text for text in request.texts if text.strip()]
        if not texts:
            raise UsageError("There is no text to rank.", "Type some, one a line.")
        found = self._model.rerank(request.query, texts)
        rows = zip(found.index.tolist(), found["text"], found["score"], strict=True)
        ranked = tuple(Row(place=place, text=text, score=score) for place, text, score in rows)
        return {"query": request.query, "ranked": ranked}

    def _write_down(self, name: str, recording: bytes) -> dict[str, Any]:
        if len(recording) > MOST_BYTES:
            how = f"{self._model.name}'s transcribe(path) takes longer ones from a cell."
            raise UsageError(f"{name} is larger than the {size(MOST_BYTES)} that a browser can send.", how)
        file = io.BytesIO(recording)
        file.name = name
        return {"file": name, "transcript": str(self._model.transcribe(file))}

    def _tell(self, progress: Progress) -> None:
        doing = "Ranking …" if self.shown.kind == "rank" else "Listening …"
        # A request is queued in the kernel's main thread while another one ends in its own.
        with self._writing:
            self.shown = progress.shown_in(self.shown, doing)
            self.state = self.shown.model_dump(mode="json")
        if progress.state == "done":
            self.snapshots.renew()

    def _ipython_display_(self) -> None:
        self.snapshots.show_beside(self)

    def __repr__(self) -> str:
        return trial_text(self.shown)

    def still(self) -> dict[str, str]:
        """What was found last, which a saved notebook shows."""
        return {"text/plain": repr(self), "text/html": trial_snapshot(self.shown)}
