"""Model: the live handle on one Model of a cluster."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Unpack

from kubeai_notebook.core.call_checks import checks_calls
from kubeai_notebook.core.chat_fields import ChatFields
from kubeai_notebook.core.embedding_prefixes import Prefixes, prefixes_of
from kubeai_notebook.core.manifest import cleaned, spec_of_manifest, to_yaml
from kubeai_notebook.core.map_fields import MapFields
from kubeai_notebook.core.objects import map_at, text_at
from kubeai_notebook.core.shown_fields import shows
from kubeai_notebook.core.task_fields import EmbedFields, checked_embed_fields
from kubeai_notebook.errors import ConflictError, KubeAIError, NotFoundError, SessionClosedError, UsageError
from kubeai_notebook.text import one_line

from . import presenter as display
from . import verbs
from .calling import awaken, check_serves
from .logs import follow, log_of
from .model_chats import ModelChats
from .model_clients import ModelClients
from .software import software
from .waiting import look_at, views_until_ready, wait_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from kubeai_notebook.calls.endpoint import Endpoint
    from kubeai_notebook.calls.question import Target
    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Finding
    from kubeai_notebook.core.phase import ModelStatus
    from kubeai_notebook.core.plan import Outcome
    from kubeai_notebook.core.remedy import Remedy
    from kubeai_notebook.core.view import View
    from kubeai_notebook.present.comparison_frame import ComparisonFrame
    from kubeai_notebook.present.explanation import Explanation
    from kubeai_notebook.present.log import Log

    from .connection import Connection
    from .embedding import Embedder
    from .embedding_map import EmbeddingMap
    from .live.subscription import Subscription
    from .mapper import Mapper
    from .projection import Projection


@checks_calls
class Model(ModelChats, ModelClients):
    """A Model of the cluster, by its name: nothing of it lives in this process.

    Made by ``serve`` or ``attach``. A method that changes something returns a handle that holds its `Outcome`; this
    one stays as it is. As a context manager it deletes at the end what it created, and only that. When its Session
    is closed, every use says so: a handle never acts on another cluster than the one it was made for.

    What changes the Model raises `NotYoursError` where somebody else served it; ``yes=True`` does it all the same.
    """

    def __init__(
        self, session: Connection, name: str, *, outcome: Outcome | None = None, created_uid: str = ""
    ) -> None:
        self.session = session
        self.name = name
        self.outcome = outcome
        """What the verb did that made this handle; ``None`` where none did."""
        self._created_uid = created_uid

    def __eq__(self, other: object) -> bool:
        """Whether it is the same Model: of the same name in the same place; what either handle did is no matter."""
        if not isinstance(other, Model):
            return NotImplemented
        return self.name == other.name and self.session.place == other.session.place

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        """Its name and its Session's place: whoever unpickles it connects with a login of their own."""
        return Model, (self.session, self.name)

    @property
    def created(self) -> bool:
        """Whether the ``serve`` that this handle comes from created the Model."""
        return bool(self._created_uid)

    @property
    def note(self) -> str:
        """What the verb did that made this handle, in sentences."""
        return self.outcome.note if self.outcome else ""

    @property
    def view(self) -> View:
        """Status, Findings and freshness at this moment."""
        return look_at(self._open.publisher, self.name)

    @property
    def _open(self) -> Connection:
        """The Session, as long as it is open."""
        if self.session.closed:
            message = f"This handle on {self.name} is of a Session that is closed: {self.session.closed}."
            raise SessionClosedError(f"{message} Nothing was done.", "attach() finds the Models of where you work now.")
        return self.session

    def _after(self, outcome: Outcome) -> Model:
        return Model(self.session, self.name, outcome=outcome, created_uid=self._created_uid)

    @property
    def status(self) -> ModelStatus:
        """What the Model is doing at this moment."""
        return self.view.status

    @property
    def ready(self) -> bool:
        """Whether as many Pods are ready as are wanted, and one at least."""
        return self.status.phase == "Ready"

    @property
    def url(self) -> str:
        """Where its weights come from."""
        return text_at(self.view.model, "spec", "url")

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

    def subscribe(self, *, looks: bool = True) -> Subscription:
        """Hear of every new View: iterate, or wait with `Subscription.until`; ``close`` it, or use it in a ``with``."""
        return self._open.publisher.subscribe([self.name], looks=looks)

    def wait(self, timeout_seconds: float | None = None) -> Model:
        """Wait until the Model is Ready, Asleep or Paused.

        Raises:
            DeployError: it cannot become ready as it is; ``findings`` say why.
            WaitTimeoutError: it is still starting after ``timeout_seconds``.
            WaitInterruptedError: interrupted; the Model keeps starting.
        """
        wait_ready(self._open, self.name, self._limit(timeout_seconds))
        return self

    def waiting(self, timeout_seconds: float | None = None) -> Iterator[View]:
        """The Views on the way to Ready, as they come; ends, and raises, as `wait` does."""
        return views_until_ready(self._open, self.name, self._limit(timeout_seconds))

    def _limit(self, timeout_seconds: float | None) -> float:
        return self._open.settings.wait_timeout_seconds if timeout_seconds is None else timeout_seconds

    def why(self) -> Explanation:
        """Why the Model is not ready: every Finding with its evidence, and the fixes numbered.

        Where nothing is wrong: why it has the replicas that it has, and when KubeAI changes that.
        """
        from .idle import why_scaled

        view = self.view
        why = self._why(view)
        if why.findings or view.link.lost:
            return why
        return replace(why, scaling=why_scaled(self._open.cluster, view))

    def _why(self, view: View) -> Explanation:
        from kubeai_notebook.present.explanation import Explanation

        why = Explanation(self.name, view.status, view.findings, view.where, link=view.link, remark=view.remark)
        self.session.remember_shown(view.uid, why.remedies)
        return why

    def fix(self, remedy: str | int = 1, *, yes: bool = False) -> Model:
        """Make the change of a Remedy, by its id or by the number under which `why` last showed it.

        Raises:
            UsageError: what is wrong has changed since, there is no such Remedy, or it is no change of the Model.
        """
        remedy_id = self.shown_remedy(remedy).id if isinstance(remedy, int) else remedy
        return self._after(verbs.fix(self._open, self.name, remedy_id, yes=yes))

    def shown_remedy(self, number: int) -> Remedy:
        """The Remedy of this number, if the one that `why` last showed under it is still the same.

        Raises:
            UsageError: it is another one now, or there is none.
        """
        view = self.view
        shown = self._open.shown_remedies.get(view.uid, ())
        stays = shown and not view.findings and self._open.remedies_of(view)
        now = shown if stays else self._why(view).remedies
        if not 1 <= number <= max(len(now), len(shown)):
            hint = f"why() shows the {len(now)} that there are." if now else "Nothing is wrong with it."
            raise UsageError(f"{self.name} has no fix {number}.", hint)
        remedy = dict(enumerate(now, 1)).get(number)
        if remedy is None or (shown and [remembered.id for remembered in shown[number - 1 : number]] != [remedy.id]):
            is_now = f"Fix {number} is now: {remedy.title}" if remedy else f"There is no fix {number} any more."
            message = f"What is wrong with {self.name} has changed since it was shown. {is_now}"
            raise UsageError(f"{message} Nothing was changed.", "Run this again to apply it; why() shows all.")
        return remedy

    def scale(self, replicas: int, *, yes: bool = False) -> Model:
        """Ask for a number of replicas, and keep it: with autoscaling on, the lower bound moves with it.

        0 lets the Model sleep until a request comes; any other number ends a pause.
        """
        return self._after(verbs.scale(self._open, self.name, replicas, yes=yes))

    def pause(self, *, yes: bool = False) -> Model:
        """Take all Pods away until `resume`; unlike sleep, no request wakes the Model meanwhile."""
        return self._after(verbs.pause(self._open, self.name, yes=yes))

    def resume(self, *, yes: bool = False) -> Model:
        """Take `pause` back."""
        return self._after(verbs.resume(self._open, self.name, yes=yes))

    def restart(self, timeout_seconds: float | None = None, *, yes: bool = False) -> Model:
        """Replace the Model's Pods, one by one.

        Raises:
            ForbiddenError: the right to delete Pods is missing.
            WaitTimeoutError: a new Pod is not ready in time; the others were left alone.
        """
        return self._after(verbs.restart(self._open, self.name, timeout_seconds=timeout_seconds, yes=yes))

    def rollback(self, *, yes: bool = False) -> Model:
        """Go back to the spec that was applied before the present one; ``note`` says what changed.

        Raises:
            NotFoundError: nothing was changed so far.
        """
        return self._after(verbs.rollback(self._open, self.name, yes=yes))

    def _awake(self) -> Endpoint:
        """The endpoint of a Model that answers: one replica that is ready is enough."""
        awaken(self._open, self.name, self._limit(None))
        return self._open.endpoint

    def _able(self, feature: str) -> Callable[[], Endpoint]:
        """What wakes the Model, which was served for this: another is refused before anything else is looked at."""
        check_serves(self._open, self.view, feature)
        return self._awake

    @shows(MapFields)
    def map(self, table: Any, prompt: str, *, block: bool = True, **fields: Unpack[MapFields]) -> Any:
        """Ask the Model something about each row, and get the table back with the answers in new columns.

        ``table`` is a DataFrame of pandas, polars or pyarrow, which comes back in the same kind with its order and
        index, or the path of a Parquet file; texts alone, in a list, an array or a Series, become one. A name in single
        braces is a column: ``"Classify: {text}"``; every other brace is text, and without a name a list's text stands
        below the prompt. As many requests are in flight as the server takes. A row that fails has no value, and the
        reason in the column ``error``, with what the model said in ``raw``; a text that ``max_tokens`` cut is a value,
        and ``error`` says so. Labels are the likeliest each time (``temperature=0``), unless a ``temperature`` is
        given. Answers are kept on this machine, so the same call asks for new rows only; `store.clear` forgets them.
        An interrupt gives the part that is there.

        ``block=False`` returns at once, with a Job that has ``progress``, ``stop()`` and ``result()``.

        Raises:
            UsageError: the prompt, the table or an argument cannot be; nothing was sent.
            CallError: a row failed, and ``errors="raise"``; or the Model was served for something else.
            DeployError: the Model cannot become ready as it is.
        """
        from .mapping import map_rows, target_of

        def target() -> Target:
            return target_of(self.view, fields.get("adapter") or "", cluster=self._open.cluster.identity)

        job = map_rows(target, self._able("TextGeneration"), table, prompt=prompt, fields=fields)
        return job.finished() if block else job

    @shows(MapFields)
    def mapper(self, prompt: str, *, like: Any = None, **fields: Unpack[MapFields]) -> Mapper:
        """`map` as one callable that Dask, Ray or Spark run on other machines: DataFrame → DataFrame.

        It holds no login: a worker connects to where this Session is by its own. ``like`` is a frame with the columns
        that it will get, for ``mapper.meta``: ``ddf.map_partitions(mapper, meta=mapper.meta)``.

        Raises:
            UsageError: the prompt or an argument cannot be.
        """
        from .mapping import mapper_of

        return mapper_of(self._open, self.view, prompt=prompt, like=like, fields=fields)

    @shows(EmbedFields)
    def embed(self, texts: Any, **fields: Unpack[EmbedFields]) -> Any:
        """The vectors of texts, float32, one row each; for a Series of pandas a DataFrame with its index.

        Texts go in batches, several at once. Families that want a prefix (e5, bge, nomic …) get theirs: that of a text
        to be found or, ``role="query"``, of a question; `embedding_prefixes` tells them, and ``prefix`` sets another.

        Raises:
            CallError: a text was refused; the sentence names its number.
            UsageError: a field cannot be, or a text of a list is missing or empty; nothing was sent.
        """
        given = checked_embed_fields(fields)
        return self._embedder.embed(texts, given.pop("role", "passage"), given.pop("prefix", None), **given)

    def embed_column(
        self, frame: Any, column: str, *, role: str = "passage", prefix: str | None = None, into: str = "embedding"
    ) -> Any:
        """The frame, of pandas, polars or pyarrow, with a column of vectors, and one of reasons where there is none.

        Raises:
            UsageError: the frame has no such column, or has one where the vectors go.
            CallError: no text was embedded.
        """
        return self._embedder.embed_column(frame, column, role=role, prefix=prefix, into=into)

    def similarity(self, left: Any, right: Any) -> Any:
        """The cosine of each text on the left with each on the right, n x m; vectors are taken as they are."""
        from .embedding import similarity

        sides = (side if getattr(side, "ndim", 0) == 2 else self.embed(side) for side in (left, right))
        return similarity(*sides)

    def search(self, query: str, texts: Any, *, k: int = 5, vectors: Any = None) -> Any:
        """The ``k`` texts that are nearest to a question, as a DataFrame with their ``score``, the best first.

        ``vectors``: those of the texts, from `embed`, so that they are not made anew for each question.
        """
        return self._embedder.search(query, texts, k=k, vectors=vectors)

    def embedding_map(
        self,
        frame: Any,
        column: str,
        *,
        color: str | None = None,
        vectors: Any = None,
        projection: Projection = "pca",
    ) -> EmbeddingMap:
        """The texts of a column as a map, on which a lasso selects rows that `EmbeddingMap.selection` gives back.

        ``frame`` is of pandas, polars or pyarrow. ``color`` is a column whose values colour the points. ``vectors`` are
        those of the texts, from `embed`, or the column of `embed_column`, so that they are not made again.
        ``projection="umap"`` needs umap-learn.

        Raises:
            UsageError: the frame has no such column, or umap-learn is not installed; nothing was sent.
            CallError: no text was embedded, or the Model was served for something else.
        """
        from .embedding_map import embedding_map

        return embedding_map(
            frame, column, model=self.name, embedder=self._embedder, color=color, vectors=vectors, projection=projection
        )

    def compare_neighbours(self, other: Model | str, frame: Any, column: str, *, k: int = 10) -> Any:
        """How far another Model finds the same neighbours: the frame with ``overlap``, ``lost`` and ``new`` behind it.

        ``other`` is a Model, or the name of one in this Session. ``overlap`` is the share of a text's ``k`` nearest, by
        cosine, that both agree on, from 0 to 1; its mean is overlap@k. ``lost`` are the places of the rows that only
        this Model has near, ``new`` of those that only ``other`` has. A text without a vector of both has none of them.

        Raises:
            UsageError: the frame has no such column, has one of these names, or has too few texts.
            CallError: no text was embedded, or a Model was served for something else.
        """
        from .neighbours import compare_neighbours

        beside: Model = Model(self._open, other) if isinstance(other, str) else other
        return compare_neighbours(frame, column, (self._embedder, beside._embedder), k=k)

    @property
    def embedding_prefixes(self) -> Prefixes:
        """What `embed` puts before a question and before a text to be found, by the Model's family."""
        return prefixes_of(text_at(map_at(self.view.model, "spec"), "url"))

    @property
    def _embedder(self) -> Embedder:
        from .embedding import Embedder

        return Embedder(self.view, self._able("TextEmbedding"))

    @shows(ChatFields)
    def compare(
        self, other: Model | str, prompts: str | Sequence[str], **fields: Unpack[ChatFields]
    ) -> ComparisonFrame:
        """The answers of this Model and of another side by side, with seconds and tokens/s: one row a prompt.

        ``other`` is a Model, or the id that is asked for: ``"qwen"``, or ``"smol_terse"`` for an adapter. ``adapter``
        is one of this Model; the other fields are those of both chats. A prompt that fails has the reason in its row;
        an interrupt gives what has come.

        Raises:
            UsageError: there is no prompt, or both sides are the same, or there is no such adapter.
            NotFoundError: there is no such Model.
            CallError: one of them was served for something else.
            DeployError: one of them cannot become ready as it is.
        """
        from .comparison import Side, compare

        other_side = Side(other.session, other.name) if isinstance(other, Model) else Side.of(self._open, other)
        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        adapter = fields.pop("adapter", "")
        return compare((Side(self._open, self.name, adapter), other_side), texts, fields)

    def delete(
        self, timeout_seconds: float = verbs.DELETE_SECONDS, *, missing_ok: bool = False, yes: bool = False
    ) -> Model:
        """Delete the Model and its Pods, and wait until it is gone.

        Raises:
            NotFoundError: there is no such Model, and ``missing_ok`` is not said.
            NotYoursError: somebody else served it, and ``yes`` is not said.
            WaitTimeoutError: something still holds it after ``timeout_seconds``.
        """
        (done,) = verbs.delete_all(
            self._open, [self.name], missing_ok=missing_ok, timeout_seconds=timeout_seconds, yes=yes
        )
        return self._after(done)

    def logs(self, *, tail_lines: int = 200, previous: bool = False, pod: str = "", container: str = "") -> Log:
        """The end of the engine's log; ``previous``: of the run before the present one.

        Without ``pod``: of a Pod that is broken, else of the newest. Without ``container``: the engine's, or the
        loader's in a Pod that fills the cache.

        Raises:
            NotFoundError: the Model has no Pod.
        """
        return log_of(self._open, self.name, tail_lines=tail_lines, previous=previous, pod=pod, container=container)

    def follow_logs(self, *, tail_lines: int = 20, pod: str = "", container: str = "") -> Iterator[str]:
        """The engine's log line by line, as it is written; ends with the container."""
        return follow(self._open, self.name, tail_lines=tail_lines, pod=pod, container=container)

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
            # By its uid: it may be gone by now, and its name another's, which somebody else has made.
            with contextlib.suppress(NotFoundError, ConflictError):
                verbs.delete(self._open, self.name, yes=True, uid=self._created_uid)

    def __repr__(self) -> str:
        from kubeai_notebook.present.card import line_of

        try:
            return line_of(self.name, self.view)
        except NotFoundError:
            return line_of(self.name, None)
        except KubeAIError as error:
            return one_line(f"Model({self.name!r}, not seen: {error.message})")

    def _may_be_seen(self) -> bool:
        """Whether there is a status to show; where there is none, one line says why."""
        try:
            return bool(self.view)
        except NotFoundError:
            return True  # every face has a way to show that it is gone
        except KubeAIError:
            return False

    def _ipython_display_(self) -> None:
        if not self._may_be_seen():
            raise NotImplementedError
        display.face().show(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        del include, exclude
        if not self._may_be_seen():
            return {"text/plain": "\n".join(filter(None, [repr(self), self.note]))}
        return display.face().bundle(self)

    def _display_(self) -> Any:
        """What marimo shows, which runs no IPython: it takes the card as a widget."""
        return display.face().widget(self) if self._may_be_seen() else repr(self)
