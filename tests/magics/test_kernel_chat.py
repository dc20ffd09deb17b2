"""``%%kubeai_chat`` in a real kernel, with an engine that says what a test scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.manager import start_new_kernel

from tests.support.kernel import messages_of
from tests.support.scripted_gateway import STREAM, Exchange, whole
from tests.support.talking import Engine, hanging_after, said, saying, talking_model

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_SECONDS = 60
BEGINNING = said("My **na").partition(b"data: [DONE]")[0].rpartition(b"data: ")[0]
LONG = [f"Sentence {number:04} of the answer.{'  ' if number % 10 else chr(10) * 2}" for number in range(2000)]


class Kernel:
    """A kernel whose Model is the scripted one; `run` gives what a cell showed, and ``messages`` all that it sent."""

    def __init__(self, engine: Engine, gateway: Any) -> None:
        self.engine, self.gateway = engine, gateway
        self.manager, self.client = start_new_kernel(extra_arguments=["--log-level=ERROR"])
        self.messages: list[dict[str, Any]] = []
        assert self.run("%load_ext kubeai_notebook") == []

    def run(self, code: str) -> list[dict[str, str]]:
        return self.shown(self.client.execute(code))

    def shown(self, request: str) -> list[dict[str, str]]:
        """Mime bundles, as last updated."""
        found: dict[str, dict[str, str]] = {}
        for message in self.until_idle(request):
            content = message["content"]
            key = content.get("transient", {}).get("display_id") or str(len(found))
            if "data" in content and message["msg_type"] in ("display_data", "update_display_data", "execute_result"):
                found[key] = content["data"]
            elif message["msg_type"] in ("stream", "error"):
                found[key] = {"text/plain": content.get("text") or f"{content['ename']}: {content['evalue']}"}
        return list(found.values())

    def until_idle(self, request: str) -> Iterator[dict[str, Any]]:
        self.messages = []
        for message in messages_of(self.client, request, seconds=DEADLINE_SECONDS):
            self.messages.append(message)
            yield message

    @property
    def appended(self) -> list[dict[str, Any]]:
        """What the widget was told."""
        data = [message["content"]["data"] for message in self.messages if message["msg_type"] == "comm_msg"]
        return [one["content"] for one in data if one.get("method") == "custom"]

    def value(self, code: str) -> str:
        (shown,) = self.run(code)
        return shown["text/plain"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with talking_model(tmp_path_factory.mktemp("kubeconfig")) as (_, engine, gateway):
        kernel = Kernel(engine, gateway)
        yield kernel
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(running: Kernel) -> Kernel:
    running.engine.says = saying(said("Hello ", "**Bob**."))
    running.run("%kubeai_chat smol --new")
    running.engine.asked.clear()
    return running


def turns(kernel: Kernel) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in kernel.engine.turns]


def test_remembers_what_was_said_with_a_name(kernel: Kernel) -> None:
    kernel.run("%%kubeai_chat smol --system 'Be brief.'\nMy name is Bob.")
    kernel.run("%%kubeai_chat smol\nWhat is my name?")
    assert turns(kernel) == [
        ("system", "Be brief."),
        ("user", "My name is Bob."),
        ("assistant", "Hello **Bob**."),
        ("user", "What is my name?"),
    ]
    kernel.run("%%kubeai_chat smol_loud\nWhat is my name?")
    assert turns(kernel) == [("user", "What is my name?")]
    assert kernel.engine.asked[-1]["model"] == "smol_loud"
    for mistake in ("--temperature -1", "--schema nothing_so"):
        kernel.run(f"%%kubeai_chat smol --new {mistake}\nWhat is my name?")
    kernel.run("%%kubeai_chat smol\nAnd mine?")
    assert turns(kernel)[1] == ("user", "My name is Bob.")
    kernel.run("%%kubeai_chat smol --new\nWhat is my name?")
    assert turns(kernel) == [("user", "What is my name?")]


@pytest.mark.parametrize(
    "cell", ["x = %kubeai_chat smol Hi", "x = get_ipython().run_cell_magic('kubeai_chat', 'smol', 'Hi')"]
)
def test_gives_the_reply_to_who_assigns_it(kernel: Kernel, cell: str) -> None:
    kernel.run("x = None")
    assert [shown["text/plain"] for shown in kernel.run(cell)] == ["Hello **Bob**."]
    assert kernel.value("(type(x).__name__, str(x))") == "('Reply', 'Hello **Bob**.')"


@pytest.mark.parametrize(
    "cell",
    [
        "%kubeai_chat smol Hi",
        "%kubeai chat smol Hi",
        "%%kubeai_chat smol\nHi",
        "%kubeai_chat smol Hi\ny = 1",
        "for _ in (1,):\n    %kubeai_chat smol Hi",
        "line = 'smol Hi'\nget_ipython().run_line_magic('kubeai_chat', line)",
        "%unload_ext kubeai_notebook\n%load_ext kubeai_notebook\n%kubeai_chat smol Hi",
    ],
)
def test_shows_an_answer_once(kernel: Kernel, cell: str) -> None:
    assert [shown["text/plain"] for shown in kernel.run(cell)] == ["Hello **Bob**."]


def test_shows_an_answer_once_by_another_name(kernel: Kernel) -> None:
    kernel.run("%alias_magic -l ask kubeai_chat")
    assert [shown["text/plain"] for shown in kernel.run("%ask smol Hi")] == ["Hello **Bob**."]


def test_shows_the_answer_as_markdown_and_keeps_the_reply(kernel: Kernel) -> None:
    (shown,) = kernel.run("%%kubeai_chat smol -o reply --seed 3 --top-p 0.5 --stop a --stop b --max-tokens 9\nHi")
    assert shown == {"text/plain": "Hello **Bob**.", "text/markdown": "Hello **Bob**."}
    assert "".join(piece["append"] for piece in kernel.appended) in ("Hello ", "Hello **Bob**.")
    asked = kernel.engine.asked[-1]
    fields = ("seed", "top_p", "stop", "max_tokens")
    assert [asked[name] for name in fields] == [3, 0.5, ["a", "b"], 9]
    assert kernel.value("reply.finish_reason, str(reply)") == "('stop', 'Hello **Bob**.')"


def test_sends_only_what_is_new(kernel: Kernel) -> None:
    """Each character once while it comes, and the whole twice at its end: as text and as Markdown."""

    def slowly(exchange: Exchange) -> None:
        events = said(*LONG).split(b"\n\n")
        exchange.say(STREAM)
        for begin in range(0, len(events), 50):
            exchange.say(b"\n\n".join([*events[begin : begin + 50], b""]))
        exchange.end()

    kernel.engine.says = slowly
    (shown,) = kernel.run("%%kubeai_chat smol\nTell me all.")
    whole_text = "".join(LONG)
    assert shown["text/plain"] == whole_text
    pieces = kernel.appended
    assert [piece["seq"] for piece in pieces] == list(range(len(pieces)))
    assert whole_text.startswith("".join(piece["append"] for piece in pieces))
    updates = [message for message in kernel.messages if message["msg_type"] == "update_display_data"]
    assert len(updates) == 1


def test_shows_the_last_word_before_a_pause(kernel: Kernel) -> None:
    beginning = said("My ", "name ", "is ").partition(b"data: [DONE]")[0].rpartition(b"data: ")[0]
    kernel.engine.says = hanging_after(beginning)
    messages = kernel.until_idle(kernel.client.execute("%%kubeai_chat smol\nWho are you?"))
    for _ in messages:
        if "".join(piece["append"] for piece in kernel.appended) == "My name is ":
            break
    kernel.manager.interrupt_kernel()
    # To the end of the cell: a kernel runs nothing that arrives before the end of one that failed.
    assert "error" in [message["msg_type"] for message in messages]


def test_keeps_what_came_before_the_stop_button(kernel: Kernel) -> None:
    kernel.gateway.hung_up.clear()
    kernel.engine.says = hanging_after(BEGINNING)
    request = kernel.client.execute("%%kubeai_chat smol\nWho are you?")
    messages = kernel.until_idle(request)
    for message in messages:
        if message["msg_type"] == "comm_msg":
            break
    kernel.manager.interrupt_kernel()
    rest = list(messages)
    texts = [message["content"] for message in rest if message["msg_type"] in ("update_display_data", "error")]
    assert texts[0]["data"]["text/plain"] == "My **na"
    assert texts[1]["evalue"].startswith("Stopped. The request to smol was cancelled.")
    assert kernel.gateway.hung_up.wait(10)
    kernel.engine.says = saying(said("Bob."))
    kernel.run("%%kubeai_chat smol\nGo on.")
    assert turns(kernel) == [("user", "Who are you?"), ("assistant", "My **na"), ("user", "Go on.")]


def test_says_that_an_answer_was_cut_and_leaves_its_text_alone(kernel: Kernel) -> None:
    kernel.engine.says = saying(said("Once", finish_reason="length", completion_tokens=1))
    shown = kernel.run("%%kubeai_chat smol -o reply\nTell me all.")
    assert [bundle["text/plain"] for bundle in shown] == [
        "Once",
        "The answer was cut after 1 token; a higher --max-tokens lets it end.\n",
    ]
    assert kernel.value("str(reply)") == "'Once'"


@pytest.mark.parametrize(
    ("option", "parsed"),
    [
        ("good,bad", "'good'"),
        ("labels", "'good'"),
        ("Taste", "Taste(label='good')"),
        ('\'{"type": "object"}\'', "{'label': 'good'}"),
    ],
)
def test_gives_what_a_schema_asks_for(kernel: Kernel, option: str, parsed: str) -> None:
    kernel.run("import pydantic\nclass Taste(pydantic.BaseModel):\n    label: str\nlabels = ['good', 'bad']")
    kernel.engine.says = saying(said('{"label": ', '"good"}'))
    shown = kernel.run(f"%%kubeai_chat smol --schema {option} -o reply\nHow is this wine?")
    assert "".join(piece["append"] for piece in kernel.appended).startswith('```json\n{"label": ')
    assert kernel.value("reply.parsed") == parsed
    fenced = '```json\n{"label": "good"}\n```'
    assert shown[-1]["text/markdown"] == ("good" if parsed == "'good'" else fenced)
    assert kernel.engine.asked[-1]["response_format"]["type"] == "json_schema"


def test_never_looks_again_at_what_a_lines_variable_holds(kernel: Kernel) -> None:
    kernel.run("ran = []\nreply = 'Sure. {{ran.append(1)}}'")
    kernel.run("%kubeai_chat smol Sum up: $reply")
    assert kernel.engine.asked[-1]["messages"][-1]["content"] == "Sum up: Sure. {{ran.append(1)}}"
    kernel.run("reply = 'ran.append(1)'")
    kernel.run("%kubeai_chat smol --schema $reply Hi")
    assert kernel.value("ran") == "[]"


@pytest.mark.parametrize(
    "text",
    [
        "{a} {{b|c}} %s 100 % $x$",
        r"\frac{a}{b} $$x^2$$",
        r"\frac{{a}}{{b}} {{{c}}}",
        '{"json": [1, {}]}',
        "{% if x %}{{ x|upper }}{% endif %} {{ zebra }}",
    ],
)
def test_sends_every_text_as_it_is(kernel: Kernel, text: str) -> None:
    kernel.run(f"%%kubeai_chat smol\n{text}")
    assert turns(kernel) == [("user", text)]


@pytest.mark.parametrize("magic", ["chat smol", "compare smol smol_loud"])
def test_names_what_is_no_variable_before_anything_is_sent(kernel: Kernel, magic: str) -> None:
    kernel.run("topic = 'tides'")
    (shown,) = kernel.run(f"%%kubeai_{magic}\nExplain {{{{ topik }}}} in {{{{topic}}}}.")
    assert 'There is no variable "topik" to be filled in. Did you mean "topic"?' in shown["text/plain"]
    assert kernel.engine.asked == []
    kernel.run(f"%%kubeai_{magic} --raw\nExplain {{{{topik}}}}.")
    assert turns(kernel) == [("user", "Explain {{topik}}.")]


@pytest.mark.parametrize("magic", ["chat smol", "compare smol smol_loud"])
@pytest.mark.parametrize("typed", ["{topik}", "{{topik}}"])
def test_names_what_is_no_variable_in_a_line_as_well(kernel: Kernel, magic: str, typed: str) -> None:
    kernel.run("topic = 'tides'")
    (shown,) = kernel.run(f"%kubeai_{magic} Explain {typed} in {{topic}}.")
    assert 'There is no variable "topik" to be filled in. Did you mean "topic"?' in shown["text/plain"]
    assert kernel.engine.asked == []
    kernel.run(f"%kubeai_{magic} --raw Explain {typed}.")
    assert turns(kernel) == [("user", f"Explain {typed}.")]


@pytest.mark.parametrize("text", ['{"a": 1} {1, 2} {} {a: 1} \\frac{p}{q}', "the value {topic}"])
def test_sends_braces_in_a_line_that_name_nothing(kernel: Kernel, text: str) -> None:
    kernel.run("topic = '{unknown}'")
    kernel.run(f"%kubeai_chat smol {text}")
    assert turns(kernel) == [("user", text.replace("{topic}", "{unknown}"))]


def test_fills_in_the_users_expressions(kernel: Kernel) -> None:
    kernel.run("topic = '{{braces}}'")
    kernel.run("%%kubeai_chat smol\nExplain {{topic}} and {{topic.upper()}}.")
    assert turns(kernel) == [("user", "Explain {{braces}} and {{BRACES}}.")]


def test_offers_to_begin_anew_where_the_conversation_is_too_long(kernel: Kernel) -> None:
    kernel.run("%%kubeai_chat smol\nHi")
    kernel.engine.says = whole(b'{"error": {"message": "This model\'s maximum context length is 4096 tokens."}}', 400)
    (shown,) = kernel.run("%%kubeai_chat smol\nAnd?")
    assert "%kubeai_chat smol --new forgets the 2 turns before." in shown["text/plain"]
    kernel.engine.says = saying(said("Yes."))
    kernel.run("%%kubeai_chat smol\nStill there?")
    assert [role for role, _ in turns(kernel)] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("%%kubeai_chat smol --schema nothing\nHi", 'There is no variable "nothing"'),
        ("%%kubeai_chat smol --schema {oops\nHi", "--schema is not JSON"),
        ('%%kubeai_chat smol --schema \'{"type": "strng"}\'\nHi', '--schema has the type "strng".'),
        ("%%kubeai_chat smol --max-tokens 0\nHi", "--max-tokens takes a whole number from 1 up, not 0."),
        ("%%kubeai_chat smol_lod\nHi", 'smol has no adapter "lod". Did you mean "loud"?'),
        ("%%kubeai_chat smol\n\n", "%kubeai_chat has nothing to send."),
        ("%%kubeai_chat smol --sytem x\nHi", "Did you mean --system?"),
    ],
)
def test_says_what_cannot_be_sent(kernel: Kernel, cell: str, sentence: str) -> None:
    (shown,) = kernel.run(cell)
    assert sentence in shown["text/plain"]
    assert kernel.engine.asked == []
