"""A dialogue as a playground keeps it: a tree of exchanges, each one prompt and the answer of every column to it.

A list of turns forgets: whoever edits the second prompt loses what was answered to the first wording. So nothing is
ever changed in place. An edited prompt, and an answer that is asked for again, is another exchange beside the one that
it replaces; which of them is shown is a choice that can be changed. A node holds a prompt with all its answers, and is
no single turn, because columns are compared on the same prompt: one choice then moves all of them.

What is kept are the user's and the models' own words. They pass the border where they are shown.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kubeai_notebook.errors import UsageError

from .chat_messages import Reply, Usage, answer_in, words_of
from .chat_request import turns_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .chat_request import Turn

MOST_COLUMNS = 4
_STALE = "Run the cell again to see the dialogue as it is."
_BEGINNING = -1
"""Stands for the exchange before the first one."""
_ASKING = ("system", "developer", "user")


class Answer(BaseModel):
    """What a column answered to a prompt."""

    model_config = ConfigDict(frozen=True)

    model: str
    """Who was asked: the Model, with ``_adapter`` behind it where one was chosen."""
    state: Literal["waiting", "streaming", "asking", "done", "stopped", "failed"] = "waiting"
    """``asking``: the model wants functions called, and waits for the user's word."""
    system: str | None = None
    fields: dict[str, Any] | None = None
    """The instruction and the fields that it was asked with; None where that is not known, as of imported turns."""
    turns: tuple[dict[str, Any], ...] = ()
    """What came after the prompt, as the OpenAI API has it; of tools, calls and results before the last answer."""
    reasoning: str = ""
    note: str = ""
    """What it waits for, why it failed, or why it is less than a whole answer."""
    time_to_first_token_seconds: float | None = None
    tokens_per_second: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @property
    def text(self) -> str:
        """The words of all its turns of the assistant's, without reasoning."""
        texts = (words_of(turn.get("content")) for turn in self.turns if turn.get("role") == "assistant")
        return "\n\n".join(filter(None, map(answer_in, texts)))

    def with_reply(self, reply: Reply, **changes: Any) -> Answer:
        """The same with what the model said behind its turns."""
        usage = reply.usage or Usage(0, 0)
        said = (dict(reply.message),) if reply or reply.tool_calls or reply.finish_reason else ()
        return self.model_copy(
            update={
                "turns": (*self.turns, *said),
                "reasoning": "\n\n".join(filter(None, (self.reasoning, reply.reasoning))),
                "note": reply.note,
                "time_to_first_token_seconds": reply.time_to_first_token_seconds,
                "tokens_per_second": reply.tokens_per_second,
                "prompt_tokens": usage.prompt_tokens or None,
                "completion_tokens": usage.completion_tokens or None,
                **changes,
            }
        )


class Exchange(BaseModel):
    """A prompt, and what each column answered."""

    number: int
    """Its place among all exchanges of the dialogue, from 0."""
    after: int = _BEGINNING
    asked: tuple[dict[str, Any], ...]
    """The turns of the prompt: mostly one."""
    answers: dict[int, Answer] = Field(default_factory=dict)
    """By the column, from 0."""
    vote: int | None = None
    """The column whose answer is the better one."""

    @property
    def prompt(self) -> str:
        """The text of what was asked."""
        return "\n\n".join(filter(None, (words_of(turn.get("content")) for turn in self.asked)))


class Dialogue(BaseModel):
    """The exchanges, which of them are shown, and what holds for all that are still to come."""

    id: str
    columns: tuple[str, ...] = Field(min_length=1, max_length=MOST_COLUMNS)
    """Who answers, by the ids that the gateway knows: a Model's name, or ``name_adapter``."""
    system: str = ""
    fields: dict[str, Any] = Field(default_factory=dict)
    """What the user has changed of how it is answered: only that is sent."""
    exchanges: list[Exchange] = Field(default_factory=list)
    chosen: dict[int, int] = Field(default_factory=dict)
    """The exchange that is shown after another one, by numbers."""

    @model_validator(mode="after")
    def _is_a_tree(self) -> Dialogue:
        """What comes from a file is what we wrote there: no circle, and nothing that is not there."""
        numbers = range(len(self.exchanges))
        if [exchange.number for exchange in self.exchanges] != [*numbers]:
            raise ValueError("the exchanges are not in their order")
        if any(not _BEGINNING <= exchange.after < exchange.number for exchange in self.exchanges):
            raise ValueError("an exchange stands after one that came later")
        if any(chosen not in numbers or self.exchanges[chosen].after != after for after, chosen in self.chosen.items()):
            raise ValueError("an exchange is chosen that is not there")
        return self

    def path(self) -> list[Exchange]:
        """The exchanges that are shown, the oldest first."""
        return list(self._path())

    def _path(self, end: int | None = None) -> Iterator[Exchange]:
        """Those up to ``end``, which is left out."""
        number = self.chosen.get(_BEGINNING)
        while number is not None and number != end:
            yield self.exchanges[number]
            number = self.chosen.get(number)

    def siblings(self, number: int) -> list[int]:
        """The numbers of the exchanges that stand in one place, one of which is shown."""
        after = self._at(number).after
        return [exchange.number for exchange in self.exchanges if exchange.after == after]

    def ask(self, prompt: str | Sequence[Turn]) -> Exchange:
        """Add a prompt behind what is shown.

        Raises:
            UsageError: it is empty, or is no prompt.
        """
        shown = self.path()
        return self._add(turns_of(prompt, "ask"), after=shown[-1].number if shown else _BEGINNING)

    def edit(self, number: int, prompt: str | Sequence[Turn]) -> Exchange:
        """Add a prompt in the place of an exchange, which stays beside it. Errors as `ask`."""
        return self._add(turns_of(prompt, "edit"), after=self._at(number).after)

    def regenerate(self, number: int, column: int | None = None) -> Exchange:
        """Add the same prompt beside an exchange, to be answered anew by one column or all; others' answers stay."""
        before = self._at(number)
        again = self._add(before.asked, after=before.after)
        if column is not None:
            again.answers = {place: answer for place, answer in before.answers.items() if place != column}
        return again

    def choose(self, number: int) -> None:
        """Show this exchange in its place, with what came after it."""
        self.chosen[self._at(number).after] = number

    def vote(self, number: int, column: int | None) -> None:
        """Say which column answered better; None takes that back."""
        exchange = self._at(number)
        if column is not None and column not in exchange.answers:
            raise UsageError(f"Column {column + 1} has no answer there to vote for.", _STALE)
        exchange.vote = column

    def turns(self, number: int, column: int) -> list[dict[str, Any]]:
        """What a column is sent to answer this exchange, or to go on with its answer.

        Where a column has no answer, as one that was added later, it is told the first column's; where that has none
        either, as it failed, the prompt is left out too.
        """
        turns = self._system_turns()
        for exchange in self._path(number):
            turns += _turns_of(exchange, column)
        exchange, own = self._at(number), self._at(number).answers.get(column)
        return [*turns, *exchange.asked, *(own.turns if own else ())]

    def messages(self, column: int = 0) -> list[dict[str, Any]]:
        """What is shown of a column, as the OpenAI API has it; a last prompt without an answer is part of it."""
        shown = self.path()
        return self.turns(shown[-1].number, column) if shown else self._system_turns()

    def asked_with(self, number: int, column: int) -> tuple[str, dict[str, Any]]:
        """The instruction and the fields that this answer was asked with; where that is not known, those of now."""
        answers = self._at(number).answers
        answer = answers.get(column) or answers.get(0)
        if answer is None or answer.fields is None:
            return self.system, self.fields
        return answer.system or "", answer.fields

    def _system_turns(self) -> list[dict[str, Any]]:
        return [{"role": "system", "content": self.system}] if self.system else []

    def take(self, messages: Sequence[Turn]) -> None:
        """Go on from these turns, in place of all that was; their answers are the first column's.

        Raises:
            UsageError: they are no turns.
        """
        turns = turns_of(messages, "messages") if messages else []
        has_system = bool(turns) and turns[0]["role"] == "system"
        self.system = words_of(turns.pop(0).get("content")) if has_system else ""
        self.exchanges, self.chosen = [], {}
        for asked, answered in _grouped(turns):
            shown = self.path()
            exchange = self._add(asked, after=shown[-1].number if shown else _BEGINNING)
            if answered:
                exchange.answers[0] = Answer(model=self.columns[0], state="done", turns=tuple(answered))

    def votes(self) -> list[dict[str, Any]]:
        """A row for each answer to a prompt that was voted on, ``preferred`` or not."""
        return [
            {
                "exchange": exchange.number,
                "prompt": exchange.prompt,
                "model": answer.model,
                "answer": answer.text,
                "preferred": column == exchange.vote,
                "time_to_first_token_seconds": answer.time_to_first_token_seconds,
                "tokens_per_second": answer.tokens_per_second,
                "completion_tokens": answer.completion_tokens,
            }
            for exchange in self.exchanges
            if exchange.vote is not None
            for column, answer in sorted(exchange.answers.items())
        ]

    def jsonl(self) -> str:
        """A line of JSON for each column: its ``model`` and its ``messages``, as data sets of chats have them."""
        rows = ({"model": name, "messages": self.messages(column)} for column, name in enumerate(self.columns))
        return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)

    def _at(self, number: int) -> Exchange:
        if not 0 <= number < len(self.exchanges):
            raise UsageError(f"There is no exchange {number} in this dialogue.", _STALE)
        return self.exchanges[number]

    def _add(self, asked: Sequence[Mapping[str, Any]], *, after: int) -> Exchange:
        exchange = Exchange(number=len(self.exchanges), after=after, asked=tuple(map(dict, asked)))
        self.exchanges.append(exchange)
        self.chosen[after] = exchange.number
        return exchange


def _turns_of(exchange: Exchange, column: int) -> list[dict[str, Any]]:
    answer = exchange.answers.get(column) or exchange.answers.get(0)
    return [*exchange.asked, *answer.turns] if answer and answer.turns else []


def _grouped(turns: Sequence[dict[str, Any]]) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Prompts with what was answered to each."""
    asked: list[dict[str, Any]] = []
    answered: list[dict[str, Any]] = []
    for turn in turns:
        if turn["role"] in _ASKING and answered:
            yield asked, answered
            asked, answered = [], []
        (asked if turn["role"] in _ASKING else answered).append(turn)
    if asked or answered:
        yield asked, answered
