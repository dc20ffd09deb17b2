import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeai_notebook.errors import UsageError
from kubeai_notebook.magics.templating import expand, expand_line

BROKEN = {"topic": "tides", "sizes": {"a": 7}, "text": "{{topic}}", "braces": "}} {{ {topic} $topic"}


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
        ("{{[size * 2 for size in sizes.values()]}}", "[14]"),
        ("{{(lambda word: word + topic)('high ')}}", "high tides"),
        ("{{sizes['a']}} {{ {'b': sizes}['b'] }}", "7 {'a': 7}"),
        ("{{ one two {{topic}}", "{{ one two tides"),
        ("{{text}} {{braces}}", "{{topic}} }} {{ {topic} $topic"),
    ],
)
def test_expands_double_braces_only(text: str, expanded: str) -> None:
    assert expand(text, dict(BROKEN)) == expanded


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
        "{{ topic \x00 }}",
        "{{" + "(" * 1000 + "topic" + ")" * 1000 + "}}",
        "{{ topic is 'a\\d' }",
        "{{}} {{ }} {{\n}}",
        "{% for message in messages %}{{ message['content'] }}{% endfor %}",
    ],
)
def test_leaves_templates_formulas_and_json_as_they_are(text: str) -> None:
    assert expand(text, {**BROKEN, "moody": Moody()}) == text


def test_warns_of_nothing_in_a_language_that_is_not_python() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert expand(r"{{ topic is 5 }} {{ topic + '\d' }}", dict(BROKEN)) == r"False tides\d"


WORDS = ["message", "content", "for", "in", "len", "lambda", "print", "\\frac", "ü"]
PIECES = st.sampled_from(["{{", "}}", "{%", "%}", "\n", "\x00", *"{}-| '\":()[]1+,.", *WORDS])


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)), st.booleans())
def test_leaves_every_text_that_names_no_variable_as_it_is(text: str, in_braces: bool) -> None:
    text = f"{{{{{text}}}}}" if in_braces else text
    assert expand(text, {"zebra": "striped", "__builtins__": {}}) == text or "zebra" in text


@given(st.text(), st.text())
def test_fills_in_a_value_as_it_is(value: str, after: str) -> None:
    after = re.sub("[{}]", "", after)
    assert expand("{{zebra}}" + after, {"zebra": value}) == value + after


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
    assert expand_line(line, dict(BROKEN)) == expanded


def test_tells_once_what_has_no_value(shell, capsys) -> None:
    for _ in range(2):
        with pytest.raises(UsageError):
            shell.run_cell("%%kubeai_apply\n# {{nowhere_to_be_found}}").raise_error()
    assert capsys.readouterr().out.count("{{nowhere_to_be_found}} stays as it is") == 1


def test_shows_no_error_of_python_for_a_chat_template(shell, capsys) -> None:
    with pytest.raises(UsageError, match="nothing to apply"):
        shell.run_cell("%%kubeai_apply\n# {{- bos_token }} {{'a': 1}} \\frac{{1}}{2}").raise_error()
    assert "{{- bos_token }}, {{'a': 1}}, {{1}} stay as they are" in capsys.readouterr().out
