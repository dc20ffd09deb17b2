"""Model: the live handle on one Model of a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kubeai_notebook import settings
from kubeai_notebook.calls import chat as calls_chat
from kubeai_notebook.calls.endpoint import Endpoint, access_of
from kubeai_notebook.core.manifest import to_yaml
from kubeai_notebook.core.turns import Delta, Reply, reply_of
from kubeai_notebook.errors import DeployError, NotFoundError, WaitInterruptedError, WaitTimeoutError

from . import display

if TYPE_CHECKING:
    import openai

    from kubeai_notebook.core.diagnosis import Finding
    from kubeai_notebook.core.status import ModelStatus

    from .observer import View
    from .session import Session

Prompt = str | Sequence[calls_chat.Turn]


class Model:
    """A Model of the cluster, by its name: nothing of it lives in this process.

    Made by ``serve`` or ``attach``; methods that change something return the Model itself.
    """

    def __init__(self, session: Session, name: str, *, note: str = "") -> None:
        self.session = session
        self.name = name
        self.note = note
        """What the last verb did, in a sentence."""

    @property
    def view(self) -> View:
        """Status, Findings and freshness at this moment."""
        return self.session.observer.view(self.name)

    @property
    def status(self) -> ModelStatus:
        """What the Model is doing at this moment."""
        return self.view.status

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Why the Model is not ready, each with its fixes."""
        return self.view.findings

    @property
    def yaml(self) -> str:
        """The Manifest as ``kubectl apply -f`` takes it."""
        return to_yaml(self.view.model)

    def listen(self, listener: Callable[[View | None], None]) -> Callable[[], None]:
        """Call ``listener`` with every new View, in another thread; returns a function that ends this."""
        return self.session.observer.listen(self.name, listener)

    def wait(self, timeout_seconds: float | None = None) -> Model:
        """Wait until the Model is Ready or Asleep.

        Raises:
            DeployError: it cannot become ready as it is; ``findings`` say why.
            WaitTimeoutError: it is still starting after ``timeout_seconds``.
            WaitInterruptedError: interrupted; the Model keeps starting.
        """
        limit = settings.current().wait_timeout_seconds if timeout_seconds is None else timeout_seconds
        arrived = threading.Event()
        last: list[View | None] = []

        def listener(view: View | None) -> None:
            last[:] = [view]
            if view is None or view.status.settled:
                arrived.set()

        stop = self.listen(listener)
        try:
            settled = arrived.wait(limit)
        except KeyboardInterrupt:
            message = f"Stopped waiting; {self.name} keeps starting."
            raise WaitInterruptedError(message, f"%kubeai_delete {self.name} ends it.") from None
        finally:
            stop()
        return self._arrived(last[0] if last else self.view, settled=settled, limit=limit)

    def _arrived(self, view: View | None, *, settled: bool, limit: float) -> Model:
        if view is None:
            raise NotFoundError(f'"{self.name}" was deleted meanwhile.', "Serve it again.")
        if view.status.phase in ("Ready", "Asleep"):
            return self
        if settled:
            raise self._failed(view)
        raise WaitTimeoutError(
            f"{self.name} is still {view.status.phase} after {limit:.0f} s: {view.status.detail}",
            "It keeps starting; wait() waits on.",
        )

    def _failed(self, view: View) -> DeployError:
        finding = next(iter(view.findings), None)
        if finding is None:
            return DeployError(f"{self.name} is {view.status.phase}: {view.status.detail}")
        seen = [f"  {evidence.text}" for evidence in finding.evidence[:1]]
        steps = [f"{number}. {fix.title}" for number, fix in enumerate(finding.fixes, 1)]
        return DeployError(
            f"{self.name} is {view.status.phase}: {finding.title}", "\n".join([*seen, *steps]), findings=view.findings
        )

    @cached_property
    def endpoint(self) -> Endpoint:
        """Where this Model answers."""
        cluster = self.session.cluster
        return Endpoint(access_of(cluster.access(), cluster.namespace), self.name)

    @property
    def client(self) -> openai.OpenAI:
        """An OpenAI client for the gateway; ask it for ``model=<this Model's name>``."""
        return self.endpoint.client

    def complete(self, prompt: str, **options: Any) -> Reply:
        """Continue a text; options as in the OpenAI API (``max_tokens``, ``temperature`` …).

        Waits first if the Model is still starting.

        Raises:
            DeployError: the Model cannot become ready as it is.
            CallError: the gateway or the engine refused the request.
        """
        return calls_chat.complete(self.wait().endpoint, prompt, options)

    def stream(self, prompt: Prompt, **options: Any) -> Iterator[Delta]:
        """The Model's next turn, piece by piece; options and errors as `complete`."""
        turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        return calls_chat.stream(self.wait().endpoint, turns, options)

    def chat(self, prompt: Prompt, **options: Any) -> Reply:
        """The Model's next turn, to a text or to a list of turns; options and errors as `complete`."""
        return reply_of(self.stream(prompt, **options))

    def scale(self, replicas: int) -> Model:
        """Ask for a number of replicas; with autoscaling on, KubeAI may change it again."""
        self.session.cluster.scale_model(self.name, replicas)
        return self

    def delete(self, timeout_seconds: float = 60.0) -> Model:
        """Delete the Model and its Pods, and wait until it is gone.

        Raises:
            NotFoundError: there is no such Model.
            WaitTimeoutError: something still holds it after ``timeout_seconds``.
        """
        gone = threading.Event()
        stop = self.listen(lambda view: gone.set() if view is None else None)
        try:
            self.session.cluster.delete_model(self.name)
            if not gone.wait(timeout_seconds):
                raise WaitTimeoutError(f"{self.name} is being deleted, but is not gone after {timeout_seconds:.0f} s.")
        except KeyboardInterrupt:
            raise WaitInterruptedError(f"Stopped waiting; {self.name} is being deleted all the same.") from None
        finally:
            stop()
        self.note = f"{self.name} is deleted."
        return self

    def __repr__(self) -> str:
        try:
            view = self.view
        except NotFoundError:
            return f"Model({self.name!r}, Deleted)"
        status, spec = view.status, view.model["spec"]
        counts = f"{status.ready}/{status.desired}"
        profile = spec.get("resourceProfile", "no profile")
        return f"Model({self.name!r}, {status.phase} {counts}, {spec['engine']}, {profile})"

    def _ipython_display_(self) -> None:
        display.face().show(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        del include, exclude
        return display.face().bundle(self)
