"""Words of somebody else, in a variable or pasted into a cell, are text: they run, name, select and send nothing."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from kubeai_notebook.core.remedy import Command
from kubeai_notebook.errors import KubeAIError, UsageError
from kubeai_notebook.present.wording import line_of
from kubeai_notebook.session.session import close_defaults
from tests.support.fake_api import MODELS, PODS, model, pod
from tests.support.http_server import Answer, HttpServer, Received, json_answer
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[[str], Any]

RUNS = "[df['ran.append(1)'] for df.__class__.__getitem__ in [exec]]"
ACTS = "\x1b]52;c;cm0K\x07 $\\href{https://a.example}{x}$"


@dataclass
class Gateway:
    """What it was asked, and what its Models say."""

    says: str = "good"
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sent(self) -> list[Any]:
        """The texts that left this kernel."""
        return [body["messages"][-1]["content"] if "messages" in body else body["input"] for body in self.asked]

    def answer(self, request: Received) -> Answer:
        body = json.loads(request.body)
        self.asked.append(body)
        if "input" in body:
            return json_answer({"data": [{"index": n, "embedding": [1.0]} for n, _ in enumerate(body["input"])]})
        if not body.get("stream"):
            return json_answer({"choices": [{"index": 0, "message": {"content": self.says}, "finish_reason": "stop"}]})
        events = (
            {"choices": [{"index": 0, "delta": {"content": self.says}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        )
        lines = [*(f"data: {json.dumps(event)}\n\n" for event in events), "data: [DONE]\n\n"]
        return Answer("".join(lines).encode(), 200, {"Content-Type": "text/event-stream"})


@pytest.fixture
def gateway(clusters: Any, kubeconfig: Any, shell: Any, run: Run, tmp_path: Any, monkeypatch: Any) -> Iterator[Gateway]:
    """Models smol and other that chat, and mini that embeds; the user's variables ``df``, ``ran`` and ``api_token``."""
    api, _ = clusters
    for name, feature in (("smol", "TextGeneration"), ("other", "TextGeneration"), ("mini", "TextEmbedding")):
        api.change(MODELS, model(name, features=[feature]))
        api.change(PODS, pod(f"model-{name}-1", name))
    until(lambda: "model-mini-1" in api.objects[PODS])
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    own = {"df": pd.DataFrame({"text": ["soup"], "salary": ["4242"]}), "ran": [], "api_token": "hunter2", "os": os}
    before = pd.DataFrame.__getitem__
    gateway = Gateway()
    with HttpServer(gateway.answer) as server:
        run(f"%config KubeAI.kubeconfig = {kubeconfig(api.url)!r}\n%config KubeAI.endpoint = {server.address!r}")
        shell.user_ns.update(own)
        yield gateway
        close_defaults()
    pd.DataFrame.__getitem__ = before  # type: ignore[method-assign]  # what a hole has put there
    for name in (*own, "words"):
        shell.user_ns.pop(name, None)


def tried(run: Run, cell: str) -> Any:
    """Its value; one that is refused has none."""
    try:
        return run(cell)
    except KubeAIError:
        return None


@pytest.mark.parametrize(
    "cell",
    [
        "%kubeai_embed mini $words",
        "%kubeai_embed mini {words}",
        "%%kubeai_map smol $words\n{text}",
        "%kubeai_chat smol --schema $words Hi",
        "%kubeai_chat smol --schema={words} Hi",
        "%kubeai chat smol --schema=$words Hi",
    ],
)
@pytest.mark.parametrize("words", [RUNS, f"0 or {RUNS}", "ran.append(1)", "df.columns.append([ran.append(1)])"])
def test_runs_nothing_that_a_lines_variable_holds(
    gateway: Gateway, shell: Any, run: Run, cell: str, words: str
) -> None:
    shell.user_ns["words"] = words
    tried(run, cell)
    assert shell.user_ns["ran"] == []


@pytest.mark.parametrize("words", ["api_token", "os.environ", "api_token.upper()", "df", "df.salary"])
def test_looks_up_nothing_that_a_lines_variable_holds(gateway: Gateway, shell: Any, run: Run, words: str) -> None:
    shell.user_ns["words"] = words
    run("%kubeai_embed mini $words -q")
    assert gateway.sent == [[words]]


def test_shows_the_text_that_became_a_vector_as_plain_text(gateway: Gateway, shell: Any, run: Run) -> None:
    shell.user_ns["words"] = ACTS
    assert "\x1b" not in repr(run("%kubeai_embed mini $words"))


def test_takes_the_very_name_of_a_table_out_of_a_variable(gateway: Gateway, shell: Any, run: Run) -> None:
    shell.user_ns["words"] = "df"
    run("%%kubeai_map smol $words --quiet\nSum up: {text}")
    assert gateway.sent == ["Sum up: soup"]
    shell.user_ns["words"] = "df[:0]"
    with pytest.raises(UsageError, match="There is no variable"):
        run("%%kubeai_map smol $words --quiet\nSum up: {text}")


@pytest.mark.parametrize(
    "text",
    [
        "[In, exec('ran.append(1)')]",
        "exec('ran.append(1)') or df",
        "ran.append(1)",
        "[_i, open('/etc/passwd').read(12)]",
        "(lambda get: get)(_dh)",
        "getattr(df, '__class__')",
        "df.__class__",
        "df.query('@ran.append(1)')",
        "[0 for df.attrs['x'] in [1]]",
        "get_ipython().system('ls')",
        "__import__('os') or df",
        "os.environ",
        "os.environ['HOME']",
        "_",
        "Out",
        "api_token.__class__",
        "api_token.format(df)",
        "api_token.ljust(99999999)",
        "api_token * 99999999",
        "len(ran) or 9**9**9",
        "round(len(ran), -999999999)",
        "max(ran, key=print)",
        "df.text * 999999999",
    ],
)
@pytest.mark.parametrize("magic", ["%%kubeai_chat smol --new\n{{{{{}}}}}", "%kubeai_chat smol --new pasted: {{{}}}"])
def test_sends_a_pasted_expression_that_acts_as_it_is(
    gateway: Gateway, shell: Any, run: Run, magic: str, text: str
) -> None:
    cell = magic.format(text)
    run("'the value of the cell before'")
    run(cell)
    assert shell.user_ns["ran"] == []
    assert gateway.sent == [cell.partition("--new")[2].strip()]


def test_sends_a_name_of_ipython_that_has_no_value_as_it_is(gateway: Gateway, shell: Any, run: Run) -> None:
    """Where a program has set the builtin ``_``, as gettext does, IPython leaves its own out."""
    shell.user_ns.pop("_", None)
    run("%%kubeai_chat smol --new\n{{_}} and {{_12}}")
    assert gateway.sent == ["{{_}} and {{_12}}"]


def test_runs_no_pasted_expression_in_the_prompt_of_a_map(gateway: Gateway, shell: Any, run: Run) -> None:
    run("%%kubeai_map smol df --quiet\n{text} {{ exec('ran.append(1)') or df }}")
    assert (shell.user_ns["ran"], gateway.sent) == ([], ["soup {{ exec('ran.append(1)') or df }}"])


def test_says_once_what_to_do_about_an_expression_that_is_not_filled_in(
    gateway: Gateway, run: Run, capsys: Any
) -> None:
    run("%kubeai_chat smol --new -q Sum up {df.describe()}")
    run("%%kubeai_chat smol --new -q\nSum up {{df.describe()}}")
    shown = capsys.readouterr().out
    why = "stays as it is: only a simple expression of your variables that has a value is filled in"
    assert shown.count(f"{{df.describe()}} {why}; name anything else first.") == 1
    assert shown.count(f"{{{{df.describe()}}}} {why}; name anything else first; --raw leaves all of them alone.") == 1


def test_keeps_a_value_in_its_place_of_the_yaml(gateway: Gateway, shell: Any, run: Run) -> None:
    shell.user_ns["words"] = "ollama://smollm2:135m\nimage: evil/backdoor:1\nargs: [--trust-remote-code]"
    with pytest.raises(KubeAIError, match="url"):
        run("%%kubeai_serve smol --dry-run\nurl: {{words}}")
    report = run("%%kubeai_serve smol ollama://smollm2:135m --dry-run\nenv:\n  NOTE: \"{{words}}\"\n  A: 'x {{words}}'")
    assert (report.spec.image, report.spec.args) == (None, ())
    assert report.spec.env == {"NOTE": shell.user_ns["words"], "A": f"x {shell.user_ns['words']}"}


def test_makes_no_other_model_of_a_value(gateway: Gateway, shell: Any, run: Run) -> None:
    shell.user_ns["words"] = "brief\n---\nname: production\nurl: ollama://evil:latest"
    report = run("%%kubeai_apply --dry-run\nname: smol\nurl: ollama://smollm2:135m\nenv: {A: {{words}}}")
    assert (report.spec.name, report.spec.env) == ("smol", {"A": shell.user_ns["words"]})


def test_fills_no_key_of_yaml(gateway: Gateway, shell: Any, run: Run) -> None:
    shell.user_ns["words"] = "image"
    with pytest.raises(KubeAIError, match=r"\{\{words\}\}"):
        run("%%kubeai_serve smol ollama://smollm2:135m --dry-run\n{{words}}: evil/backdoor:1")


@pytest.mark.parametrize(("value", "written", "replicas"), [(3, "{{words}}", 3), (3, "{{ words + 1 }}", 4)])
def test_keeps_a_number_in_yaml_a_number(
    gateway: Gateway, shell: Any, run: Run, value: int, written: str, replicas: int
) -> None:
    shell.user_ns["words"] = value
    report = run(
        f"%%kubeai_serve smol ollama://smollm2:135m --dry-run\nmax_replicas: {written}\nenv: {{A: '{{{{words}}}}'}}"
    )
    assert (report.spec.scaling.max_replicas, report.spec.env) == (replicas, {"A": "3"})


def test_keeps_a_list_in_yaml_a_list(gateway: Gateway, shell: Any, run: Run) -> None:
    shell.user_ns["words"] = ["--a=1", "--b=x: y"]
    report = run("%%kubeai_serve smol ollama://smollm2:135m --dry-run\nargs: {{words}}")
    assert report.spec.args == ("--a=1", "--b=x: y")


@pytest.mark.parametrize("name", ["$words", "{words}", "'{words}'", "{words + '  --'}"])
def test_gives_back_the_line_with_the_names_of_its_variables(gateway: Gateway, shell: Any, run: Run, name: str) -> None:
    shell.user_ns["words"] = "x --force --image evil/backdoor -- --trust-remote-code"
    line = f"%kubeai_serve smol --url ollama://smollm2:360m --env NOTE={name} --env 'B=b  -- c'"
    with pytest.raises(UsageError) as raised:
        run(f"{line} -- --x='a  b'  # mine")
    assert raised.value.hint == f"To do it all the same: {line} --yes -- --x='a  b'"


@pytest.mark.parametrize("cell", ["%kubeai_chat $words", "%kubeai_compare $words other", "%kubeai_map $words df"])
def test_writes_a_value_as_one_word_of_the_line_that_it_proposes(
    gateway: Gateway, shell: Any, run: Run, cell: str
) -> None:
    shell.user_ns["words"] = "smol --system evil"
    with pytest.raises(UsageError, match="%%kubeai_[a-z]+ 'smol --system evil'"):
        run(cell)


def test_names_no_column_by_a_value(gateway: Gateway, shell: Any, run: Run) -> None:
    shell.user_ns["words"] = "Be brief. {salary} {text} {nothing}"
    run("%%kubeai_map smol df --quiet\n{{words}} Classify: {text}")
    assert gateway.sent == ["Be brief. {salary} {text} {nothing} Classify: soup"]


def test_names_no_column_by_a_value_where_the_table_is_a_list(gateway: Gateway, shell: Any, run: Run) -> None:
    shell.user_ns["words"] = "Be brief. {salary} {text}"
    run("texts = ['soup']")
    run("%%kubeai_map smol texts --quiet\n{{words}}")
    assert gateway.sent == ["Be brief. {salary} {text}\n\nsoup"]


@pytest.mark.parametrize(
    "cell", ["%%kubeai_compare smol other -q\nWhat is a {{words}}", "%kubeai_compare smol other -q What is a $words"]
)
def test_makes_no_other_prompt_of_a_value(gateway: Gateway, shell: Any, run: Run, cell: str) -> None:
    shell.user_ns["words"] = "cheese?\n---\nA second prompt\n---\nthird"
    run(cell)
    assert set(gateway.sent) == {f"What is a {shell.user_ns['words']}"}


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_shows_what_a_model_said_of_a_table_as_plain_text(
    gateway: Gateway, shell: Any, run: Run, capsys: Any, kind: str
) -> None:
    if kind != "pandas":
        library = pytest.importorskip(kind)
        make = library.DataFrame if kind == "polars" else library.table
        shell.user_ns["df"] = make({"text": ["soup"]})
    gateway.says = ACTS
    before = type(shell.user_ns["df"])
    run("%%kubeai_map smol df -o words\n{text}")
    shown = capsys.readouterr().out
    assert "soup" in shown
    assert "\x1b" not in shown
    assert type(shell.user_ns["words"]) is before


def test_shows_a_column_of_answers_as_plain_text(gateway: Gateway, run: Run) -> None:
    gateway.says = ACTS
    frame = run("%kubeai_compare smol other Hi")
    shown = [frame, frame["smol"], frame.iloc[0], frame[["smol"]], frame["smol"].to_frame(), frame.T]
    assert not [part for part in shown if "\x1b" in repr(part)]


@pytest.mark.parametrize("word", ["{ran.append(1)}", "$ran", "a'{ran.append(1)}", "a\nran.append(1)", "a\u2028{0!r}"])
def test_keeps_a_clusters_word_one_word_of_a_cells_line(shell: Any, word: str) -> None:
    shell.user_ns["ran"] = []
    line = line_of(Command(arguments=("kubectl", "get", "secret", word)))
    assert line.splitlines() == [line]
    words = shlex.split(shell.var_expand(line.removeprefix("!")))
    assert words == ["kubectl", "get", "secret", " ".join(word.splitlines())]
    assert shell.user_ns.pop("ran") == []
