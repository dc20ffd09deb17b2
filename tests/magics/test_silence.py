import pytest

from kubeai_notebook.magics.registry import questions, semicolons

LINE = "get_ipython().run_line_magic('kubeai_status', {!r})\n"


@pytest.mark.parametrize("text", ["smol;", "smol -q", "-q smol", "smol --quiet -o m", "smol ; ", "it's;"])
def test_hands_a_semicolon_to_python(text: str) -> None:
    line = LINE.format(text)
    assert semicolons([line]) == [line.rstrip() + ";\n"]
    assert semicolons(["m = " + line]) == ["m = " + line.rstrip() + ";\n"]


def test_finds_the_magic_before_a_semicolon() -> None:
    line = "x = get_ipython().run_line_magic('kubeai_models;', '')\n"
    assert semicolons([line]) == ["x = get_ipython().run_line_magic('kubeai_models', ';');\n"]


@pytest.mark.parametrize("text", ["smol", "smol --arg='-q'", "smol -- -q", "smol --env A=a;b", "smol -quick"])
def test_leaves_other_lines_alone(text: str) -> None:
    line = LINE.format(text)
    assert semicolons([line]) == [line]


def test_leaves_the_lines_of_others_alone() -> None:
    lines = ["get_ipython().run_line_magic('time', 'f(); ')\n", "x = 'run_line_magic(kubeai;'\n", "_magic('kubeai\n"]
    assert semicolons(lines) == lines


def test_silences_a_cell_and_keeps_its_value(shell, capsys) -> None:
    shell.run_cell("x = %kubeai_config;", store_history=True)
    assert len(shell.user_ns["x"]) > 3
    for cell in ("%kubeai_config;", "%kubeai_config -q", "%kubeai config -q", "%kubeai_config -q -o y"):
        shell.run_cell(cell, store_history=True)
        assert capsys.readouterr().out == ""
    assert shell.user_ns["y"] == shell.user_ns["x"]
    shell.run_cell("%kubeai_config", store_history=True)
    assert "default_profile" in capsys.readouterr().out


CALL = "get_ipython().run_line_magic('kubeai_chat', {!r})\n"


@pytest.mark.parametrize(
    ("line", "called"),
    [
        ("%kubeai_chat smol What is AI?\n", CALL.format("smol What is AI?")),
        ("    %kubeai chat smol What?  \n", "    " + CALL.format("smol What?")),
        ("x = %kubeai_chat smol --max-tokens 3 It's what??\n", "x = " + CALL.format("smol --max-tokens 3 It's what??")),
        ("%kubeai_chat?\n", None),
        ("%kubeai_chat smol?\n", None),
        ("%kubeai_chat smol hi\n", None),
        ("%kubeai_status smol what?\n", None),
        ("chat?\n", None),
    ],
)
def test_asks_a_model_a_question_and_not_python(line: str, called: str | None) -> None:
    assert questions([line]) == [called or line]


def test_leaves_a_question_in_a_string_alone() -> None:
    lines = ["text = '''\n", "%kubeai_chat smol What is AI?\n", "'''\n", "%kubeai_chat smol What is AI?\n"]
    assert questions(lines) == [*lines[:3], CALL.format("smol What is AI?")]
