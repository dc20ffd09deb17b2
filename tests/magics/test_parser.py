from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kubeai_notebook.core.marked_text import MarkedText, Place
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.errors import KubeAIError, UsageError
from kubeai_notebook.magics.chat import chat_parser
from kubeai_notebook.magics.parser import Help, MagicParser
from kubeai_notebook.magics.registry import VERBS, Verb, parser_of
from kubeai_notebook.magics.serve import serve_parser
from kubeai_notebook.magics.spec_options import fields_of_line, laid_over
from kubeai_notebook.magics.templating import expand_line

if TYPE_CHECKING:
    from pathlib import Path


def fields(line: str) -> dict[str, object]:
    options = serve_parser().read(line)
    assert not isinstance(options, Help)
    return fields_of_line(options)


def test_reads_the_line_of_the_tour() -> None:
    assert fields("smol --engine OLlama --url ollama://smollm2:135m") == {
        "name": "smol",
        "engine": "OLlama",
        "url": "ollama://smollm2:135m",
    }


def test_takes_a_lone_url_as_the_model() -> None:
    assert fields("hf://Qwen/Qwen2.5-0.5B-Instruct") == {"url": "hf://Qwen/Qwen2.5-0.5B-Instruct"}


@pytest.mark.parametrize("url", ["org/model", "qwen3:0.6b", "hf:/org/model", "https://huggingface.co/org/model", "b"])
def test_takes_the_second_word_for_the_url_in_any_spelling(url: str) -> None:
    assert fields(f"a {url}") == {"name": "a", "url": url}


def test_reads_repeated_and_paired_options() -> None:
    line = (
        "t --url hf://a/b --adapter colorist=hf://c/d --arg=--max-model-len=8192 --arg=--enforce-eager "
        "--env A=1 --env B=x=y --min-replicas 0 --max-replicas 3"
    )
    read = fields(line)
    assert read["adapters"] == [{"name": "colorist", "url": "hf://c/d"}]
    assert read["args"] == ["--max-model-len=8192", "--enforce-eager"]
    assert read["env"] == {"A": "1", "B": "x=y"}
    assert read["scaling"] == {"min_replicas": 0, "max_replicas": 3}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a --enginee VLLM", "%kubeai_serve does not know --enginee. Did you mean --engine?"),
        ("a --eng VLLM", "%kubeai_serve does not know --eng. Did you mean --engine?"),
        ("a --zzz", "%kubeai_serve does not know --zzz. %kubeai_serve --help lists its options."),
        ("a --max-model-len=8", "An argument of the engine stands behind a bare --: … -- --max-model-len=8"),
        ("a --engine", "%kubeai_serve: --engine needs a value."),
        ("a 'b", "A quotation mark in this line is not closed"),
        ("a --min-replicas x", '--min-replicas needs a whole number, not "x".'),
        ("a -name b", "%kubeai_serve does not know -name. Did you mean --name?"),
        ("a --arg --seed=1", '--arg needs a value. If the value starts with "-", write --arg=VALUE.'),
        ("a --url hf://a/b -n", "%kubeai_serve: --namespace needs a value."),
        ("a --quiet=yes", "%kubeai_serve: --quiet takes no value."),
        ("a --timeout soon", '%kubeai_serve: --timeout needs a time such as 90, 5m or 1h, not "soon".'),
        ("a --timeout -5", '--timeout needs a time such as 90, 5m or 1h, not "-5".'),
        ("a --min-replicas 1.5", '--min-replicas needs a whole number, not "1.5".'),
        ("a b --name c", 'The line has two names, "a" and "c".'),
        ("a ollama://a b", '%kubeai_serve: unexpected argument "b".'),
        ("a ollama://a --url ollama://b", "The line has two urls."),
        ("a --file /x=y", "--file needs PATH=@LOCAL."),
        ("ollama://a --url ollama://b", "The line has two urls."),
        ("a --name b", 'The line has two names, "a" and "b".'),
        ("a --env NAME", "--env needs NAME=VALUE."),
    ],
)
def test_answers_a_mistake_with_one_sentence(line: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        fields(line)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("name", "line", "sentence"),
    [
        ("delete", "", "%kubeai_delete: NAME is missing. %kubeai_delete --help shows how it is written."),
        ("local", "", "%kubeai_local: ACTION is missing. %kubeai_local --help shows how it is written."),
        ("compare", "", "%kubeai_compare: A and B are missing. %kubeai_compare --help shows how it is written."),
        ("delete", "--yes", "%kubeai_delete: NAME is missing."),
        ("delete", "--zzz", "%kubeai_delete: NAME is missing."),
        ("scale", "smol many", '%kubeai_scale: REPLICAS needs a whole number, not "many".'),
        ("scale", "smol 1 2", '%kubeai_scale: unexpected argument "2".'),
    ],
)
def test_names_the_argument_that_is_missing_or_wrong(name: str, line: str, sentence: str) -> None:
    (verb,) = (verb for verb in VERBS if verb.name == name)
    with pytest.raises(UsageError) as raised:
        parser_of(verb).read(line)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    "line",
    ["t --min-replicas hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "t hf://a/b hf_abcdefghijklmnopqrstuvwxyzABCDEFGH"],
)
def test_repeats_no_token_that_stands_in_a_wrong_place(line: str) -> None:
    with pytest.raises(UsageError) as raised:
        fields(line)
    assert "abcdefgh" not in str(raised.value)


def test_shows_examples_in_its_help() -> None:
    shown = serve_parser().read("--help")
    assert isinstance(shown, Help)
    assert "Examples:\n  %kubeai_serve ollama://smollm2:135m" in repr(shown)


def test_refuses_abbreviated_options() -> None:
    parser = MagicParser("%x", "x", ())
    parser.add_argument("--verbose", action="store_true")
    with pytest.raises(UsageError, match="Did you mean --verbose"):
        parser.read("--verb")


def test_hands_everything_after_two_dashes_to_the_engine() -> None:
    read = fields("t --url hf://a/b --arg=--seed=1 -- --max-model-len=8192 --name 'x y' -q;")
    assert read["args"] == ["--seed=1", "--max-model-len=8192", "--name", "x y", "-q"]


def test_says_everything_that_a_model_can_be(tmp_path: Path) -> None:
    template = tmp_path / "chat.jinja"
    template.write_text("{{ messages }}")
    line = (
        "t --url hf://a/b --engine vllm --feature TextGeneration --profile 1xa100 --processors 2 --secret hub-keys "
        f"--secret TOKEN=hub:token --file /config/chat.jinja=@{template} --no-autoscaling --replicas 0 "
        "--target-requests 5 --scale-down-delay 60 --load-balancing PrefixHash --mean-load-factor 125 "
        "--replication 20 --prefix-char-length 200 --caching-profile efs --image x/y:1 --priority-class high "
        "--label team=nlp"
    )
    spec = spec_of(fields(line))
    assert (spec.engine, spec.resource_profile, spec.cache_profile) == ("VLLM", "1xa100:2", "efs")
    assert (spec.image, spec.priority_class_name, spec.labels) == ("x/y:1", "high", {"team": "nlp"})
    assert [file.content for file in spec.files] == ["{{ messages }}"]
    assert (spec.scaling.autoscaling_disabled, spec.scaling.replicas, spec.scaling.target_requests) == (True, 0, 5)
    assert spec.scaling.scale_down_delay_seconds == 60
    assert spec.scaling.load_balancing.model_dump() == {
        "strategy": "PrefixHash",
        "mean_load_factor": 125,
        "replication": 20,
        "prefix_char_length": 200,
    }
    assert len(spec.secrets) == 2


def test_chooses_a_profile_for_resources() -> None:
    spec = spec_of(fields("t --url hf://a/b --resource gpu=1 --resource memory=20Gi"))
    assert spec.resource_profile == "nvidia-gpu-l4:1"


def test_lays_a_cells_yaml_over_the_line() -> None:
    line = fields("t --url hf://a/b --env A=1 --env B=1 --min-replicas 0 --profile 1xa100 --arg=--x")
    body = "env: {B: 2}\nmaxReplicas: 3\nprocessors: 2\nargs: [--y]\nurl: hf://c/d"
    assert laid_over(line, body) == {
        "name": "t",
        "url": "hf://c/d",
        "env": {"A": "1", "B": "2"},
        "scaling": {"min_replicas": 0, "max_replicas": 3},
        "resource_profile": "1xa100:2",
        "args": ["--y"],
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a", "The cell's YAML is no mapping"),
        ("a: [", "The cell's YAML cannot be read: it has a mistake in line 1, column 5."),
        ("kind: Model", "%%kubeai_apply takes it as it is"),
    ],
)
def test_answers_a_wrong_body_with_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(KubeAIError) as raised:
        laid_over({}, text)
    assert sentence in str(raised.value)


def test_repeats_no_value_that_may_be_a_secret() -> None:
    with pytest.raises(UsageError) as raised:
        fields("a --env hf_secret_value")
    assert "hf_secret_value" not in str(raised.value)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_gives_examples_that_can_be_read(verb: Verb) -> None:
    parser = parser_of(verb)
    shown = repr(parser.read("--help"))
    examples = re.findall(rf"^  (?:\w+ = )?%?{re.escape(verb.magic)}(?!_)(.*)$", shown, re.MULTILINE)
    assert len(examples) >= 3
    for line in examples:
        assert not isinstance(parser.read(line), Help)
    assert shown.index("Examples:") < shown.index("--namespace")
    assert max(map(len, shown.splitlines())) <= 112


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("90s", 90), ("5m", 300), ("5min", 300), ("1h", 3600), ("1h30m", 5400), ("1H30", 3630)],
)
def test_reads_a_time_as_people_write_it(text: str, seconds: float) -> None:
    options = serve_parser().read(f"a --timeout {text}")
    assert not isinstance(options, Help)
    assert options.timeout_seconds == seconds


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("smol --engine VLLM # the small one", {"name": "smol", "engine": "VLLM"}),
        ("smol # it's --engine VLLM;", {"name": "smol"}),
        ("# smol", {}),
        ("smol; # quiet", {"name": "smol"}),
        ("smol --env COLOR=#fff --label 'a=# b'", {"name": "smol", "env": {"COLOR": "#fff"}, "labels": {"a": "# b"}}),
        ('smol --env "A=x \\" # y"', {"name": "smol", "env": {"A": 'x " # y'}}),
        ("smol hf://org/model#main", {"name": "smol", "url": "hf://org/model#main"}),
    ],
)
def test_leaves_a_comment_at_the_end_alone(line: str, read: dict[str, object]) -> None:
    assert fields(line) == read


@pytest.mark.parametrize(
    ("line", "name", "text", "more"),
    [
        ("smol What is AI?", "smol", "What is AI?", {}),
        ("smol  What's up,  # Bob;", "smol", "What's up,  # Bob", {}),
        ('smol "What is AI?"', "smol", "What is AI?", {}),
        ('smol "a" or "b"', "smol", '"a" or "b"', {}),
        ('smol --max-tokens 5 --system "Be brief." Why --not?', "smol", "Why --not?", {"system": "Be brief."}),
        ("--max-tokens=5 -q smol hi", "smol", "hi", {"max_tokens": 5, "quiet": True}),
        ("smol", "smol", "", {}),
        ("smol --max-tokens 5", "smol", "", {"max_tokens": 5}),
    ],
)
def test_takes_what_stands_behind_the_name_as_it_is(line: str, name: str, text: str, more: dict[str, object]) -> None:
    options = chat_parser().read(line)
    assert not isinstance(options, Help)
    assert (options.name, options.text) == (name, text)
    assert {key: getattr(options, key) for key in more} == more


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("%kubeai_chat smol hi --max-tokens 5", "--max-tokens"),
        ("%kubeai_chat smol hi --max-tokens=5", "--max-tokens"),
        ("%kubeai_chat smol What's up? -o answer", "-o"),
        ("%kubeai_compare a b text --max-tokens 20", "--max-tokens"),
    ],
)
def test_refuses_an_option_behind_the_text(run, line: str, option: str) -> None:
    with pytest.raises(UsageError) as raised:
        run(line)
    assert str(raised.value) == (
        f"{option} stands behind the text. "
        "Options come before it; in a cell, or in quotation marks, the text may hold anything."
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('smol "What is --max-tokens?"', "What is --max-tokens?"),
        ("smol Why --max-token and --not?", "Why --max-token and --not?"),
        (MarkedText("smol \ue0000\ue001", [Place("$words", "", "a --new b")]), "a --new b"),
    ],
)
def test_takes_what_only_looks_like_an_option_as_text(line: str, text: str) -> None:
    options = chat_parser().read(line)
    assert not isinstance(options, Help)
    assert options.text == text


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_shows_its_help_in_80_columns(verb: Verb) -> None:
    lines = repr(parser_of(verb).read("--help")).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles[-1] == "common options:"


def test_groups_the_options_of_a_model() -> None:
    shown = repr(serve_parser().read("--help"))
    titles = ["what is served:", "how it runs:", "replicas:", "load balancing among replicas:", "common options:"]
    places = [shown.index(f"\n{title}\n") for title in titles]
    assert places == sorted(places)
    assert places[2] < shown.index("--min-replicas") < places[3] < shown.index("--replication") < places[4]


@pytest.mark.parametrize(
    ("verb", "line", "quiet"),
    [
        ("serve", "smol --wait;", True),
        ("serve", "smol --wait ; # soon", True),
        ("serve", "smol --env A=a;b", False),
        ("chat", "smol hello;", True),
        ("chat", "smol;", True),
        ("chat", "smol hello", False),
        ("chat", "-q smol hello", True),
        ("delete", "smol", False),
    ],
)
def test_is_quiet_by_an_option_as_by_a_semicolon(verb: str, line: str, quiet: bool) -> None:
    parser = parser_of(next(one for one in VERBS if one.name == verb))
    assert parser.read(line).quiet is quiet


@pytest.mark.parametrize("line", ["'' ollama://smollm2:135m", "smol ''"])
def test_drops_no_empty_name_in_silence(line: str) -> None:
    with pytest.raises(UsageError, match="is an empty text"):
        fields(line)


WORDS = "smol \"quoted' -o out --yes -n prod ; # end"
"""What a model may say."""


@pytest.mark.parametrize(
    ("verb", "line", "dest", "value"),
    [
        ("delete", "$words", "names", [WORDS]),
        ("delete", "mine $words --missing-ok", "names", ["mine", WORDS]),
        ("chat", "smol --system $words Hello", "system", WORDS),
        ("chat", 'smol --system "Say: $words" Hello', "system", f"Say: {WORDS}"),
        ("chat", "smol Sum up: {words}", "text", f"Sum up: {WORDS}"),
        ("map", "smol $words", "table", WORDS),
        ("serve", "smol --url=$words", "url", WORDS),
        ("serve", "smol -- --chat-template={words}", "rest", [f"--chat-template={WORDS}"]),
        ("serve", "smol -- $option", "rest", ["--yes"]),
        ("scale", "smol $below", "replicas", -1),
    ],
)
def test_takes_what_a_variable_holds_for_one_word(verb: str, line: str, dest: str, value: object) -> None:
    marked = expand_line(line, {"words": WORDS, "option": "--yes", "below": "-1"})
    options = parser_of(next(known for known in VERBS if known.name == verb)).read(marked)
    assert getattr(options, dest) == value
    assert not getattr(options, "yes", False)
    assert (options.out, options.namespace, options.quiet) == (None, None, False)


@pytest.mark.parametrize("line", ["mine $option", "mine {option}", "-n $option mine"])
def test_lets_no_variable_be_an_option(line: str) -> None:
    marked = expand_line(line, {"option": "--yes"})
    with pytest.raises(UsageError, match='a variable holds "--yes", which would be an option'):
        parser_of(next(known for known in VERBS if known.name == "delete")).read(marked)
