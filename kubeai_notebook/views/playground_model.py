"""A playground without its widget: who is asked, what is coming, and what is kept of it.

Each answer is read by a thread of its own: it waits for its Model, which may sleep, and then for words that may take
minutes. The kernel's main thread would be no place for that, since a page's Stop is heard there. What is kept is kept
when an answer begins, every few seconds of it and at its end, so a kernel that ends in between loses little.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.chat_messages import Delta
from kubeai_notebook.core.chat_request import chat_request
from kubeai_notebook.core.context_length import logged_context, stated_context
from kubeai_notebook.core.dialogue import MOST_COLUMNS, Answer, Dialogue, Exchange
from kubeai_notebook.core.messages import did_you_mean, what_it_does
from kubeai_notebook.core.naming import name_and_adapter, request_name
from kubeai_notebook.core.objects import maps_at, text_at, texts_at, uid_of
from kubeai_notebook.core.phase_times import newest_pod
from kubeai_notebook.core.pictures import pictures_in, prompt_with, reads_pictures
from kubeai_notebook.core.tool_calls import (
    MOST_CALLS,
    arguments_of,
    calls_id_of,
    calls_of,
    check_shown,
    not_shown,
    shown_arguments,
)
from kubeai_notebook.errors import CallError, KubeAIError, SessionClosedError, UsageError
from kubeai_notebook.present.card import broken_line, waking_line
from kubeai_notebook.present.playground_figures import figures_of, figures_so_far
from kubeai_notebook.present.playground_settings import fields_of, in_labels, settings_of
from kubeai_notebook.present.playground_wire import (
    PROMPT,
    AnswerLine,
    CallLine,
    ExchangeLine,
    PlaygroundState,
    Text,
)
from kubeai_notebook.present.wording import in_magics
from kubeai_notebook.session.calling import TICK_SECONDS, look_after_break, until_callable
from kubeai_notebook.session.chatting import stream

from .playground_run import AnswerRun, Keeping, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kubeai_notebook.core.chat_messages import ToolCall
    from kubeai_notebook.core.view import View
    from kubeai_notebook.session.connection import Connection

    from .playground_run import Place

LOG_LINES = 2_000
"""In which an engine's first words are looked for."""
KEEP_SECONDS = 5.0
"""How often an answer that is coming is kept."""
_CUT_OFF = "The kernel ended before the answer did."
_SESSION_CLOSED = "The connection to the cluster was closed before the answer ended."
_logger = logging.getLogger(__name__)


class PlaygroundModel:
    """A dialogue with up to four Models or adapters; every method returns at once, from any thread.

    ``keep`` keeps the dialogue and says why it could not; ``on_change`` hears that the `state` is another, and
    ``on_text`` gets each piece of an answer; both are called in any thread.
    """

    def __init__(
        self,
        session: Connection,
        dialogue: Dialogue,
        *,
        tools: Sequence[Callable[..., Any]] = (),
        keep: Callable[[Dialogue], str] = lambda _dialogue: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session, self.dialogue, self.tools = session, dialogue, list(tools)
        self.on_change: Callable[[], None] = lambda: None
        self.on_text: Callable[[Text], None] = lambda _text: None
        self._clock = clock
        self._keeping = Keeping(lambda: keep(self.kept()), self._tell_problem)
        self._lock = threading.RLock()
        self._runs: dict[Place, AnswerRun] = {}
        self._sent: dict[Place, Sent] = {}
        self._problem = ""
        self._contexts: dict[str, int] = {}
        """How many tokens are read at once, by the Pod's uid, as its log says; 0 where it does not."""

    # What a user does.

    def ask(self, prompt: str, pictures: Sequence[str] = (), *, sure: bool = False) -> None:
        """Ask all columns. ``pictures`` are data URLs; ``sure``: the Models read them, whatever is known of them.

        Raises:
            UsageError: it is empty, an answer is still coming, or a setting or a picture cannot be sent.
        """
        with self._changing():
            asked = prompt_with(prompt, pictures)
            if blind := () if sure or not pictures else self._blind():
                message = f"{' and '.join(blind)} {'are' if blind[1:] else 'is'} not known to read pictures."
                raise UsageError(message, "Take them away, or tick the box to send them all the same.")
            self._check(asked)
            self._answer(self.dialogue.ask(asked))

    def edit(self, number: int, prompt: str) -> None:
        """Ask all columns another prompt with the pictures of this one, which stays beside it. Errors as `ask`."""
        with self._changing():
            asked = prompt_with(prompt, pictures_in(self.dialogue.exchanges[number].asked))
            self._check(asked)
            self._answer(self.dialogue.edit(number, asked))

    def regenerate(self, number: int, column: int | None = None) -> None:
        """Ask a column, or all, the same prompt again; the answer before stays beside the new one. Errors as `ask`."""
        with self._changing():
            self._check("again")
            self._answer(self.dialogue.regenerate(number, column))

    def choose(self, number: int) -> None:
        """Show another exchange in its place."""
        with self._changing():
            self.dialogue.choose(number)

    def vote(self, number: int, column: int | None) -> None:
        """Say which column's answer is the better one."""
        with self._lock:
            self.dialogue.vote(number, column)
            self._changed(keeps=True)

    def set_columns(self, names: Sequence[str]) -> None:
        """Have these Models and adapters answer from now on, by the ids that the gateway knows.

        Raises:
            UsageError: there is none of these names, or there are too many.
        """
        choices = (*self.choices(), *self.dialogue.columns)
        for name in names:
            if name not in choices:
                if does := next((what_it_does(_features(view)) for view in self._views() if view.name == name), ""):
                    beside = f"{name} {does}; it cannot answer beside a Model that chats."
                    raise UsageError(beside, "Open them one at a time.")
                raise UsageError(f'No Model or adapter that chats is called "{name}".{did_you_mean(name, choices)}')
        if not 1 <= len(names) <= MOST_COLUMNS:
            raise UsageError(f"A playground has 1 to {MOST_COLUMNS} columns.")
        with self._changing():
            self.dialogue.columns = tuple(names)

    def set_settings(self, settings: Mapping[str, str]) -> None:
        """Take the settings as they were written; an empty one is left to the engine.

        Raises:
            UsageError: one of them cannot be sent; all stay as they were.
        """
        system, fields = fields_of(settings)
        chat_request("any", {**fields, "system": system or None})
        with self._changing():
            self.dialogue.system, self.dialogue.fields = system, fields

    def take(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Go on from these turns in place of the dialogue that is there. Errors as `Dialogue.take`."""
        with self._changing():
            self.dialogue.take(messages)
            self._sent.clear()

    def stop(self) -> None:
        """End the answers that are coming; what has come stays."""
        for run in list(self._runs.values()):
            run.stop()

    def call(self, number: int, column: int, calls_id: str, *, allowed: bool) -> None:
        """Call the functions that an answer asks for and let it go on, or tell the model that they may not be called.

        Raises:
            UsageError: it asks for none, or for others by now.
        """
        with self._lock:
            answer = self.dialogue.exchanges[number].answers.get(column)
            if answer is None or answer.state != "asking":
                raise UsageError("No function waits to be called there.")
            if calls_id != calls_id_of(answer.turns):
                raise UsageError("The Model asks for something else by now.", "Read it again.")
            calls = calls_of(answer.turns[-1])
            if unknown := {call.name for call in calls} - self._functions.keys():
                how = "Show the playground again with tools=[…]."
                raise UsageError(f"The playground has no function {', '.join(sorted(unknown))}.", how)
            if allowed:
                check_shown(calls)
            self._start((number, column), answer.model_copy(update={"state": "waiting", "note": ""}), allowed=allowed)
            self._changed()

    # What a page shows.

    def choices(self) -> tuple[str, ...]:
        """Who could answer: all Models that generate text, each with its adapters."""
        chats = [view for view in self._views() if "TextGeneration" in _features(view)]
        return tuple(
            request_name(view.name, adapter)
            for view in chats
            for adapter in ("", *(text_at(listed, "name") for listed in maps_at(view.model, "spec", "adapters")))
        )

    def _blind(self) -> tuple[str, ...]:
        """The Models that answer and are not known to read pictures."""
        names = dict.fromkeys(name_and_adapter(column)[0] for column in self.dialogue.columns)
        return tuple(
            view.name for view in self._views() if view.name in names and not reads_pictures(view.model, view.stand_in)
        )

    def _views(self) -> tuple[View, ...]:
        """What is known of all Models: nothing any more once the Session is closed, while the dialogue stays."""
        with suppress(SessionClosedError):
            publisher = self.session.known("publisher")
            return publisher.views() if publisher else ()
        return ()

    def state(self) -> PlaygroundState:
        """All that is shown beside texts."""
        with self._lock:
            path = self.dialogue.path()
            context_of, context_tokens, context_length = self._fullest(path[-1].answers if path else {})
            return PlaygroundState(
                columns=self.dialogue.columns,
                choices=tuple(dict.fromkeys((*self.dialogue.columns, *self.choices()))),
                exchanges=tuple(map(self._exchange_line, path)),
                busy=bool(self._runs),
                reads_pictures=not self._blind(),
                settings=settings_of(self.dialogue.system, self.dialogue.fields),
                context_of=context_of,
                context_tokens=context_tokens,
                context_length=context_length,
                problem=self._problem,
            )

    def text(self, number: int, column: int) -> Text:
        """The whole of a prompt or an answer, as far as it was sent."""
        with self._lock:
            if column == PROMPT:
                exchange = self.dialogue.exchanges[number]
                pictures = tuple(pictures_in(exchange.asked))
                return Text(exchange=number, column=column, whole=True, text=exchange.prompt, pictures=pictures)
            sent = self._sent_of((number, column))
            text, reasoning = "".join(sent.texts), "".join(sent.reasonings)
            return Text(exchange=number, column=column, seq=sent.pieces, whole=True, text=text, reasoning=reasoning)

    def kept(self) -> Dialogue:
        """The dialogue with what has come of the answers that are still coming."""
        with self._lock:
            kept = self.dialogue.model_copy(deep=True)
            for (number, column), run in self._runs.items():
                answers = kept.exchanges[number].answers
                answers[column] = answers[column].with_reply(run.reply, state="stopped", note=_CUT_OFF)
            return kept

    def _exchange_line(self, exchange: Exchange) -> ExchangeLine:
        lines = (self._answer_line(exchange, column) for column in sorted(exchange.answers))
        return ExchangeLine(
            number=exchange.number,
            siblings=tuple(self.dialogue.siblings(exchange.number)),
            vote=exchange.vote,
            answers=tuple(lines),
        )

    def _answer_line(self, exchange: Exchange, column: int) -> AnswerLine:
        answer, run = exchange.answers[column], self._runs.get((exchange.number, column))
        calls = calls_of(answer.turns[-1]) if answer.turns else []
        return AnswerLine(
            column=column,
            model=answer.model,
            state=answer.state,
            pieces=self._sent_of((exchange.number, column)).pieces,
            note=run.note if run else answer.note,
            calls=tuple(CallLine(name=call.name, arguments=shown_arguments(call)) for call in calls[:MOST_CALLS]),
            calls_not_shown=not_shown(calls),
            calls_id=calls_id_of(answer.turns) if calls else "",
            figures=figures_of(answer),
        )

    def _sent_of(self, place: Place) -> Sent:
        """What was sent of an answer; of one that came before this kernel, or was imported, the whole."""
        if place not in self._sent:
            answer = self.dialogue.exchanges[place[0]].answers.get(place[1])
            self._sent[place] = Sent([answer.text], [answer.reasoning], 1) if answer and answer.text else Sent()
        return self._sent[place]

    def _fullest(self, answers: Mapping[int, Answer]) -> tuple[str, int, int]:
        """The column with the least room left, where there are several; its tokens, and how many are read at once."""
        views, columns = {view.name: view for view in self._views()}, list[tuple[str, int, int]]()
        for column, name in enumerate(self.dialogue.columns):
            answer, view = answers.get(column), views.get(name_and_adapter(name)[0])
            tokens = (answer.prompt_tokens or 0) + (answer.completion_tokens or 0) if answer else 0
            columns.append((name if self.dialogue.columns[1:] else "", tokens, self._context_length(view)))
        # One of which it is not known how much it reads is told where nothing else is.
        return max(columns, key=lambda column: (column[1] / column[2] if column[2] else 0, column[1]))

    def _context_length(self, view: View | None) -> int:
        """What the Model reads at once; 0 where that is not known."""
        if view is None:
            return 0
        pod = newest_pod(view.observation)
        return stated_context(view.model) or (self._contexts.get(uid_of(pod.raw), 0) if pod else 0)

    def _learn_context(self, name: str) -> None:
        """Read in the log what the Model's engine reads at once, where its arguments do not tell; once a Pod."""
        with suppress(KubeAIError):
            view = self.session.publisher.view(name)
            pod = None if stated_context(view.model) else newest_pod(view.observation)
            if pod is None or uid_of(pod.raw) in self._contexts:
                return
            self._contexts[uid_of(pod.raw)] = 0  # a log that may not be read is not asked for again
            log = self.session.cluster.pod_log(pod.name, tail_lines=LOG_LINES)
            self._contexts[uid_of(pod.raw)] = logged_context(log)
            self._changed()

    # How an answer comes.

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Change what may not change while an answer is coming; it is kept and told in the end."""
        with self._lock:
            if self._runs:
                raise UsageError("An answer is still coming.", "Stop it, or wait for its end.")
            yield
            self._changed(keeps=True)

    def _check(self, prompt: Any) -> None:
        """Raise where the next request could not be sent: before anything is changed, and anybody is woken."""
        chat_request(prompt, self._fields(""))

    def _fields(self, adapter: str) -> dict[str, Any]:
        return {**self.dialogue.fields, "adapter": adapter or None, "tools": self.tools or None}

    @property
    def _functions(self) -> dict[str, Callable[..., Any]]:
        return {tool.__name__: tool for tool in self.tools}

    def _answer(self, exchange: Exchange) -> None:
        """Have each column answer that has not."""
        for column, name in enumerate(self.dialogue.columns):
            if column not in exchange.answers:
                asked_with = {"system": self.dialogue.system, "fields": dict(self.dialogue.fields)}
                self._start((exchange.number, column), Answer(model=name, **asked_with))

    def _start(self, place: Place, answer: Answer, *, allowed: bool | None = None) -> None:
        self.dialogue.exchanges[place[0]].answers[place[1]] = answer
        run = self._runs[place] = AnswerRun(place, begun_seconds=self._clock(), allowed=allowed)
        threading.Thread(target=self._run, args=(run, answer), name="kubeai-playground", daemon=True).start()

    def _run(self, run: AnswerRun, answer: Answer) -> None:
        state, note = "failed", ""
        try:
            try:
                if run.allowed is not None:
                    answer = self._with_results(run, answer)
                self._read(run, answer)
                state = "stopped" if run.stopped.is_set() else "done"
            except SessionClosedError:  # as its kernel ends
                state, note = "stopped", _SESSION_CLOSED
            except KubeAIError as error:
                note = self._why(run, answer.model, error)
        except Exception as error:  # the thread's outermost frame: who waits for the answer is told
            _logger.exception("An answer of a playground failed.")
            note = f"This is a mistake of kubeai_notebook ({type(error).__name__}); the kernel's log has the traceback."
        self._end(run, state, note)
        self._learn_context(name_and_adapter(answer.model)[0])

    def _read(self, run: AnswerRun, answer: Answer) -> None:
        """Wait until the Model can be asked, and take its words."""
        name, adapter = name_and_adapter(answer.model)
        with closing(until_callable(self.session, name)) as views:
            for view in views:
                self._note(run, waking_line(view, self._clock() - run.begun_seconds))
                if run.stopped.wait(TICK_SECONDS):
                    return
        turns = self.dialogue.turns(*run.place)
        with stream(self.session, name, turns, fields=self._fields(adapter), shown=False) as deltas:
            run.deltas, run.begun_seconds = deltas, self._clock()
            run.known = frozenset(finding.code for finding in self.session.publisher.view(name).findings)
            if run.stopped.is_set():  # before there was a stream to close
                return
            self._note(run, "")
            for burst in deltas.bursts():
                self._take(run, burst)

    def _why(self, run: AnswerRun, request_name: str, error: KubeAIError) -> str:
        """Why an answer failed, in words; of one that broke off, what became of its Model."""
        name, _ = name_and_adapter(request_name)
        seen = ""
        if run.reply and isinstance(error, CallError) and error.retryable and error.kind != "engine":
            with suppress(KubeAIError):  # deleted, or its Session was closed while it was looked at
                seen = broken_line(look_after_break(self.session, name, run.known), run.known)
        return in_magics("\n".join(filter(None, (error.message, seen or error.hint))), name)

    def _note(self, run: AnswerRun, note: str) -> None:
        """Say what an answer waits for; nothing: it is coming."""
        with self._lock:
            if note != run.note or not note:  # (without one it streams, also where there was none before)
                run.note = note
                number, column = run.place
                answers = self.dialogue.exchanges[number].answers
                answers[column] = answers[column].model_copy(update={"state": "waiting" if note else "streaming"})
                self._changed()

    def _take(self, run: AnswerRun, deltas: Sequence[Delta]) -> None:
        now = self._clock()
        if said := [delta for delta in deltas if delta.text or delta.reasoning]:
            run.pieces += len(said)
            run.first_seconds = run.first_seconds or now
            self._send(run, said)
        if now - run.kept_seconds >= KEEP_SECONDS:
            run.kept_seconds = now
            self._keeping.soon()

    def _send(self, run: AnswerRun, deltas: Sequence[Delta]) -> None:
        """Send these pieces, as far as all of the answer may be shown."""
        number, column = run.place
        figures = figures_so_far(
            run.pieces,
            first_seconds=run.first_seconds - run.begun_seconds,
            since_first_seconds=self._clock() - run.first_seconds,
        )
        with self._lock:
            sent = self._sent_of(run.place)
            text = "".join(delta.text for delta in deltas)[: sent.room]
            reasoning = "".join(delta.reasoning for delta in deltas)[: sent.room - len(text)]
            sent.room -= len(text) + len(reasoning)
            sent.texts.append(text)
            sent.reasonings.append(reasoning)
            piece = Text(
                exchange=number,
                column=column,
                seq=sent.pieces,
                text=text,
                reasoning=reasoning,
                figures=figures,
            )
            sent.pieces += 1
            self.on_text(piece)

    def _end(self, run: AnswerRun, state: str, note: str) -> None:
        with self._lock:
            del self._runs[run.place]
            number, column = run.place
            exchange, reply = self.dialogue.exchanges[number], run.reply
            if state == "done" and reply.tool_calls:
                state = "asking"
            answer = exchange.answers[column].with_reply(reply, state=state)
            exchange.answers[column] = answer.model_copy(update={"note": in_labels(note or answer.note)})
            self._changed(keeps=True)

    def _with_results(self, run: AnswerRun, answer: Answer) -> Answer:
        """The answer with what its functions gave, or that they were not allowed."""
        results = [
            call.result(_result(self._functions[call.name], call) if run.allowed else "The user did not allow this.")
            for call in calls_of(answer.turns[-1])
        ]
        answer = answer.model_copy(update={"turns": (*answer.turns, *results)})
        with self._lock:
            self.dialogue.exchanges[run.place[0]].answers[run.place[1]] = answer
        if answer.text:
            self._send(run, [Delta(text="\n\n")])
        return answer

    def _tell_problem(self, problem: str) -> None:
        with self._lock:
            if problem != self._problem:
                self._problem = problem
                self._changed()

    def _changed(self, *, keeps: bool = False) -> None:
        # Whoever hears of it takes a lock of its own: always after this one, else two threads wait for each other.
        with self._lock:
            if keeps:
                self._keeping.soon()
            self.on_change()


def _features(view: View) -> tuple[str, ...]:
    return texts_at(view.model, "spec", "features")


def _result(function: Callable[..., Any], call: ToolCall) -> Any:
    """What the user's function gives; its error too is told to the model, which may call it otherwise."""
    try:
        return function(**arguments_of(call))
    except Exception as error:  # noqa: BLE001 - the function is the user's own
        return f"{type(error).__name__}: {error}"
