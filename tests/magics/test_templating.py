import pytest

from kubeai_notebook.errors import UsageError
from kubeai_notebook.magics.templating import expand, expand_line


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("Explain {{topic}}.", "Explain tides."),
        ("{{ topic.upper() }}", "TIDES"),
        ('{"json": {"topic": 1}}', '{"json": {"topic": 1}}'),
        ("{{unknown}} stays", "{{unknown}} stays"),
        ("{{'{{'}} literal", "{{ literal"),
        ("{{len(topic)}}", "5"),
    ],
)
def test_expands_double_braces_only(text: str, expanded: str) -> None:
    assert expand(text, {"topic": "tides"}) == expanded


@pytest.mark.parametrize(
    ("line", "expanded"),
    [
        ("{topic} $topic ${topic}", "tides tides $tides"),
        ("{topic.upper()} {len(topic)} {sizes['a']}", "TIDES 5 7"),
        ('-- --limit-mm-per-prompt={"image":2}', '-- --limit-mm-per-prompt={"image":2}'),
        ("{unknown} $unknown {id} {topic.nope} {}", "{unknown} $unknown {id} {topic.nope} {}"),
    ],
)
def test_expands_single_braces_in_a_line_and_leaves_json_alone(line: str, expanded: str) -> None:
    assert expand_line(line, {"topic": "tides", "sizes": {"a": 7}}) == expanded


def test_leaves_a_chat_template_as_it_is() -> None:
    template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    assert expand(template, {}) == template


def test_tells_once_what_has_no_value(shell, capsys) -> None:
    for _ in range(2):
        with pytest.raises(UsageError):
            shell.run_cell("%%kubeai_apply\n# {{nowhere_to_be_found}}").raise_error()
    assert capsys.readouterr().out.count("{{nowhere_to_be_found}} has no value here and stays as it is") == 1
