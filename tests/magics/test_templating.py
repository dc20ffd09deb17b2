from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeai_notebook.errors import UsageError
from kubeai_notebook.magics.templating import expand, expand_line

if TYPE_CHECKING:
    from collections.abc import Mapping

BROKEN = {"topic": "tides", "sizes": {"a": 7}, "text": "{{topic}}", "braces": "}} {{ {topic} $topic"}


def filled(text: str, variables: Mapping[str, Any]) -> str:
    """A cell's text with its values."""
    marked, _ = expand(text, variables)
    return marked.fill()


class Moody:
    """A value of the user's whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("Explain {{topic}}.", "Explain tides."),
        ("{{ topic.upper() }}", "TIDES"),
        ("{{\n  topic\n}}", "tides"),
        ('{"json": {"topic": 1}}', '{"json": {"topic": 1}}'),
        ("{{unknown}} stays", "{{unknown}} stays"),
        ("{{len(topic)}}", "5"),
        ("{{ sum(sizes.values()) * 2 - 1 }}", "13"),
        ("{{ 'high ' + topic if sizes else '' }}", "high tides"),
        ("{{ ', '.join(sorted(sizes)) or topic }} {{ round(sizes['a'] / 3, 1) }}", "a 2.3"),
        ("{{ topic[:2] }} {{ topic.replace('i', 'I')[-1] }} {{ not topic }}", "ti s False"),
        ("{{sizes['a']}} {{ {'b': sizes}['b'] }}", "7 {'a': 7}"),
        ("{{ one two {{topic}}", "{{ one two tides"),
        ("{{text}} {{braces}}", "{{topic}} }} {{ {topic} $topic"),
    ],
)
def test_expands_double_braces_only(text: str, expanded: str) -> None:
    assert filled(text, BROKEN) == expanded


@pytest.mark.parametrize(
    "text",
    [
        "{{- bos_token }}",
        "{{- topic }}",
        "{{'a': 1}}",
        '{{"image": {"w": 2}}}',
        "{{x | upper}}",
        "{{topic | upper}}",
        "{{ topic | tojson(indent=2) }}",
        "{{- m['content'] -}}",
        "{{ message['role'] + topic }}",
        r"\frac{{1}}{2}",
        r"\frac{{x}}{{y}}",
        "{{'{{'}}",
        "{{{topic}}}",
        "{{ sizes['b'] }}",
        "{{ topic.nope }}",
        "{{ 1 / len(sizes['a']) }}",
        "{{ moody }}",
        "{{ topic + [word for word in words] }}",
        "{{ [topic for topic in 'ab'] }}",
        "{{ (lambda topic: topic)(1) }}",
        "{{ [size * 2 for size in sizes.values()] }}",
        "{{ (lambda word: word + topic)('high ') }}",
        "{{ topic.upper }}",
        "{{ topic \x00 }}",
        "{{" + "(" * 1000 + "topic" + ")" * 1000 + "}}",
        "{{ topic is 'a\\d' }",
        "{{}} {{ }} {{\n}}",
        "{% for message in messages %}{{ message['content'] }}{% endfor %}",
    ],
)
def test_leaves_templates_formulas_and_json_as_they_are(text: str) -> None:
    assert filled(text, {**BROKEN, "moody": Moody()}) == text


@pytest.mark.parametrize(
    "text",
    [
        "{{ get_ipython().system('ls') }}",
        "{{ open('/etc/passwd').read() }}",
        "{{ [exit, topic] }}",
        "{{ __builtins__ }}",
    ],
)
def test_runs_nothing_that_ipython_has_beside_the_users_variables(text: str) -> None:
    of_ipython = dict.fromkeys(("get_ipython", "exit", "quit", "__builtins__"), Moody) | {"open": open}
    assert filled(text, {**BROKEN, **of_ipython}) == text


def test_warns_of_nothing_in_a_language_that_is_not_python() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert filled(r"{{ topic is 5 }} {{ topic + '\d' }}", BROKEN) == r"False tides\d"


WORDS = ["message", "content", "for", "in", "len", "lambda", "print", "\\frac", "ü"]
PIECES = st.sampled_from(["{{", "}}", "{%", "%}", "\n", "\x00", *"{}-| '\":()[]1+,.", *WORDS])


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)), st.booleans())
def test_leaves_every_text_that_names_no_variable_as_it_is(text: str, in_braces: bool) -> None:
    text = f"{{{{{text}}}}}" if in_braces else text
    assert filled(text, {"zebra": "striped", "__builtins__": {}}) == text or "zebra" in text


@given(st.text(), st.text())
def test_fills_in_a_value_as_it_is(value: str, after: str) -> None:
    after = re.sub("[{}]", "", after)
    assert filled("{{zebra}}" + after, {"zebra": value}) == value + after


@pytest.mark.parametrize(
    ("line", "expanded"),
    [
        ("{topic} $topic ${topic}", "tides tides $tides"),
        ("{topic.upper()} {len(topic)} {sizes['a']}", "TIDES 5 7"),
        ('-- --limit-mm-per-prompt={"image":2}', '-- --limit-mm-per-prompt={"image":2}'),
        ("{unknown} $unknown {id} {topic.nope} {}", "{unknown} $unknown {id} {topic.nope} {}"),
        ("$text {text}", "{{topic}} {{topic}}"),
    ],
)
def test_expands_single_braces_in_a_line_and_leaves_json_alone(line: str, expanded: str) -> None:
    assert expand_line(line, BROKEN).fill() == expanded


def test_tells_once_what_has_no_value(shell, capsys) -> None:
    for _ in range(2):
        with pytest.raises(UsageError):
            shell.run_cell("%%kubeai_apply\n# {{nowhere_to_be_found}}").raise_error()
    assert capsys.readouterr().out.count("{{nowhere_to_be_found}} stays as it is") == 1


def test_shows_no_error_of_python_for_a_chat_template(shell, capsys) -> None:
    with pytest.raises(UsageError, match="nothing to apply"):
        shell.run_cell("%%kubeai_apply\n# {{- bos_token }} {{'a': 1}} \\frac{{1}}{2}").raise_error()
    assert "{{- bos_token }}, {{'a': 1}}, {{1}} stay as they are" in capsys.readouterr().out


def test_says_once_that_a_variable_takes_double_braces_in_a_cell(shell, capsys) -> None:
    shell.user_ns["tide_table"] = "high"
    for _ in range(2):
        with pytest.raises(UsageError):
            shell.run_cell('%%kubeai_apply\n# {tide_table} {unknown} {"a": 1}').raise_error()
    told = "{tide_table} stays as it is: in a cell a variable takes double braces, such as {{name}}"
    assert capsys.readouterr().out.count(told) == 1
