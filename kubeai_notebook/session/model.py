"""Model: the live handle on one Model of a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kubeai_notebook import deploy, settings
from kubeai_notebook.calls import chat as calls_chat
from kubeai_notebook.calls import embed as calls_embed
from kubeai_notebook.calls.endpoint import Endpoint
from kubeai_notebook.core.chat_messages import Delta, Reply, reply_of
from kubeai_notebook.core.manifest import cleaned, spec_of_manifest, to_yaml
from kubeai_notebook.core.objects import number_at
from kubeai_notebook.deploy import scaling
from kubeai_notebook.errors import CallError, NotFoundError, UsageError

from . import presenter as display
from .live.readiness_probe import access_to
from .logs import follow, log_of
from .software import software
from .waiting import delete, restart_pods, wait_ready

if TYPE_CHECKING:
    import openai
    import pandas as pd

    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.phase import ModelStatus
    from kubeai_notebook.present.explanation import Explanation
    from kubeai_notebook.present.log import Log

    from .live.publisher import View
    from .session import Session

Prompt = str | Sequence[calls_chat.Turn]


class Model:
    """A Model of the cluster, by its name: nothing of it lives in this process.

    Made by ``serve`` or ``attach``; methods that change something return the Model itself.
    As a context manager it deletes at the end what it created, and only that.
    """

    def __init__(self, session: Session, name: str, *, note: str = "", created: bool = False) -> None:
        self.session = session
        self.name = name
        self.note = note
        """What the last verb did, in a sentence."""
        self.created = created
        """Whether the call that made this handle created the Model."""
        self._endpoint: Endpoint | None = None

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

    @property
    def spec(self) -> ModelSpec:
        """What is asked of KubeAI, as a ModelSpec."""
        return spec_of_manifest(cleaned(self.view.model))

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
        wait_ready(self, self._limit(timeout_seconds))
        return self

    def why(self) -> Explanation:
        """Why the Model is not ready: every Finding with its evidence, and the fixes numbered."""
        from kubeai_notebook.present.explanation import Explanation

        view = self.view
        return Explanation(self.name, view.status, view.findings)

    def fix(self, number: int = 1) -> Model:
        """Apply one of the fixes that `why` numbers; ``note`` then says what was changed.

        Raises:
            UsageError: there is no fix of this number, or it is nothing that the Model itself can change.
        """
        fix = self.why().remedy(number)
        if not fix.changes:
            line = fix.command.line if fix.command else ""
            hint = f"Run in a terminal: {line}" if line else fix.title
            raise UsageError(f"Fix {number} is not a change of the Model, so it cannot be applied from here.", hint)
        return self._change(fix.patch(self.view.model), fix.title)

    def scale(self, replicas: int) -> Model:
        """Ask for a number of replicas, and keep it: with autoscaling on, the lower bound moves with it.

        0 lets the Model sleep until a request comes.
        """
        said = (
            f"{self.name} is scaled to {replicas}." if replicas else f"{self.name} goes to sleep; a request wakes it."
        )
        return self._change(scaling.scaled(self.view.model, replicas), said, remember=False)

    def pause(self) -> Model:
        """Take all Pods away until `resume`; unlike sleep, no request wakes the Model meanwhile."""
        return self._change(scaling.paused(self.view.model), f"{self.name} is paused.", remember=False)

    def resume(self) -> Model:
        """Take `pause` back."""
        return self._change(scaling.resumed(self.view.model), f"{self.name} is resumed.", remember=False)

    def restart(self, timeout_seconds: float | None = None) -> Model:
        """Replace the Model's Pods, one by one.

        Raises:
            ForbiddenError: the right to delete Pods is missing.
            WaitTimeoutError: a new Pod is not ready in time; the others were left alone.
        """
        count = restart_pods(self, self._limit(timeout_seconds))
        self.note = (
            f"{count} {'Pod is' if count == 1 else 'Pods are'} replaced." if count else "It has no Pod to restart."
        )
        return self

    def rollback(self) -> Model:
        """Go back to the spec that was applied before the present one; ``note`` says what changed.

        Raises:
            NotFoundError: nothing was changed so far.
        """
        done = deploy.rollback(self.session.cluster, self.name)
        return self._changed(done.generation, f"{self.name} goes back: {done.diff}")

    def _change(self, patch: Mapping[str, Any], said: str, *, remember: bool = True) -> Model:
        return self._changed(deploy.change(self.session.cluster, self.name, patch, remember=remember), said)

    def _changed(self, generation: int, said: str) -> Model:
        self.session.observer.wait_for(self.name, generation)
        self.note = said
        return self

    def _limit(self, timeout_seconds: float | None) -> float:
        return settings.current().wait_timeout_seconds if timeout_seconds is None else timeout_seconds

    @property
    def endpoint(self) -> Endpoint:
        """Where this Model answers at this moment."""
        if self._endpoint is None or not self._endpoint.current:
            self._endpoint = Endpoint(access_to(self.session.cluster), self.name)
        return self._endpoint

    @property
    def client(self) -> openai.OpenAI:
        """An OpenAI client for the gateway; ask it for ``model=<this Model's name>``."""
        return self.endpoint.client

    @property
    def async_client(self) -> openai.AsyncOpenAI:
        """The same for ``await``."""
        return self.endpoint.async_client

    def _awake(self) -> Endpoint:
        """The endpoint of a Model that answers, or that the request wakes; one replica that is ready is enough."""
        view = self.view if self.status.ready else self.wait().view
        spec = view.model["spec"]
        if spec.get("autoscalingDisabled") is True and not number_at(spec, "replicas"):
            message = f"{self.name} has no replicas and autoscaling is off, so a request would wait for ever."
            raise CallError(message, "resume() or scale(1) brings it back.")
        return self.endpoint

    def complete(self, prompt: str, **options: Any) -> Reply:
        """Continue a text; options as in the OpenAI API (``max_tokens``, ``temperature`` …).

        Waits first if the Model is still starting.

        Raises:
            DeployError: the Model cannot become ready as it is.
            CallError: the gateway or the engine refused the request.
        """
        return calls_chat.complete(self._awake(), prompt, options)

    def embed(self, texts: str | Sequence[str], **options: Any) -> list[list[float]]:
        """One vector for each text, in the texts' order; options and errors as `complete`."""
        return calls_embed.embed(self._awake(), texts, options)

    def stream(self, prompt: Prompt, **options: Any) -> Iterator[Delta]:
        """The Model's next turn, piece by piece; options and errors as `complete`."""
        turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        return calls_chat.stream(self._awake(), turns, options)

    def chat(self, prompt: Prompt, **options: Any) -> Reply:
        """The Model's next turn, to a text or to a list of turns; options and errors as `complete`."""
        return reply_of(self.stream(prompt, **options))

    def delete(self, timeout_seconds: float = 60.0) -> Model:
        """Delete the Model and its Pods, and wait until it is gone.

        Raises:
            NotFoundError: there is no such Model.
            WaitTimeoutError: something still holds it after ``timeout_seconds``.
        """
        delete(self, timeout_seconds)
        self.note = f"{self.name} is deleted."
        return self

    def logs(self, *, tail_lines: int = 200, previous: bool = False, pod: str = "", container: str = "") -> Log:
        """The end of the engine's log; ``previous``: of the run before the present one.

        Without ``pod``: of a Pod that is broken, else of the newest. Without ``container``: the engine's, or the
        loader's in a Pod that fills the cache.

        Raises:
            NotFoundError: the Model has no Pod.
        """
        return log_of(self, tail_lines=tail_lines, previous=previous, pod=pod, container=container)

    def follow_logs(self, *, tail_lines: int = 20, pod: str = "", container: str = "") -> Iterator[str]:
        """The engine's log line by line, as it is written; ends with the container."""
        return follow(self, tail_lines=tail_lines, pod=pod, container=container)

    def events(self) -> pd.DataFrame:
        """What happened to the Model's Pods, the newest last; Kubernetes forgets it after an hour."""
        from kubeai_notebook.present.events_frame import events_frame

        return events_frame(self.view)

    def report(self) -> str:
        """Status, Findings, spec, Pods, Events and logs as Markdown, secrets masked: for somebody who is to help."""
        from kubeai_notebook.present.support_report import support_report

        return support_report(self.view, software=software(), now=datetime.now(UTC))

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        if self.created:
            with contextlib.suppress(NotFoundError):
                self.delete()

    def __repr__(self) -> str:
        from kubeai_notebook.present.card import line_of

        try:
            return line_of(self.name, self.view)
        except NotFoundError:
            return line_of(self.name, None)

    def _ipython_display_(self) -> None:
        display.face().show(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        del include, exclude
        return display.face().bundle(self)
