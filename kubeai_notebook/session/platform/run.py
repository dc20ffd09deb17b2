"""Run: one Model that a function is served as."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kubeai_notebook.calls.request import send
from kubeai_notebook.errors import NotFoundError
from kubeai_notebook.session import presenter as display

from .invocation import request_of
from .status import ended_status, status_of_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.session.model import Model

    from .fields import Fields
    from .function import Function


class Run:
    """One run of a function: a Model, by its name. Nothing of it lives in this process."""

    def __init__(self, function: Function, model: Model, manifest: Mapping[str, Any]) -> None:
        self.function = function
        self.model = model
        """The Model's own handle: status card, logs, events, scaling."""
        self.name = model.name
        self._last = manifest
        self._ended = ""

    @property
    def status(self) -> Fields:
        """``state``, ``message``, ``openai``, ``service`` and ``k8s`` as they are now, by attribute or by key."""
        try:
            view = self.model.view
        except NotFoundError:
            return ended_status(self._last, self._ended, self._base_url())
        self._last = view.model
        return status_of_run(view, self._base_url())

    def refresh(self) -> Run:
        """Return this run: its status is always that of this moment."""
        return self

    def wait(self, timeout_seconds: float | None = None) -> Run:
        """Wait until it answers, or sleeps until a request; errors as `Model.wait`."""
        self.model.wait(timeout_seconds)
        return self

    def stop(self) -> Run:
        """End it: its Model and its own secrets are deleted. A run is not resumed; run the function again."""
        return self._end("STOPPED")

    def delete(self) -> None:
        """End it if it is there, as `stop` does."""
        self._end("DELETED")

    def _end(self, state: str) -> Run:
        with suppress(NotFoundError):
            self.model.delete()
        self._ended = state
        return self

    def list_endpoints(self) -> list[str]:
        """The urls of the gateway that this run answers at."""
        return list(self.status["service"]["urls"])

    def invoke(self, method: str = "POST", url: str | None = None, **content: Any) -> Any:
        """Send a request, as soon as the Model is ready, and return the answer (``.json()``, ``.status_code`` …).

        ``json={"prompt": …}``, ``{"messages": …}``, ``{"input": …}`` or ``{"query": …, "documents": …}`` finds its
        route and gets the model's name; ``files={"file": …}`` is transcribed. ``adapter=`` asks one of the adapters,
        ``headers=`` and ``params=`` go along. Without content it lists the models.

        Raises:
            DeployError: the Model cannot become ready as it is.
            CallError: no route fits, or the gateway or the engine refused it.
        """
        request = request_of(self.status, method, url, **content)
        model = self.model if request.body is None else self.model.wait()
        return send(model.session.endpoint, model.name, request)

    def _base_url(self) -> str:
        return self.model.endpoint.base_url

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {self.status.state})"

    def _ipython_display_(self) -> None:
        display.face().show(self.model)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        del include, exclude
        return display.face().bundle(self.model)
