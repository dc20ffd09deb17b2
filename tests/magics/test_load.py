import json
import subprocess
import sys

from kubeai_notebook import settings
from kubeai_notebook.magics.registry import VERBS, parser_of

COUNT_MODULES = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.extension_manager.load_extension("kubeai_notebook")
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT_MODULES], check=True, capture_output=True, text=True)
    new = json.loads(done.stdout)
    assert not {"kubernetes", "openai", "pandas", "pydantic", "ipywidgets", "anywidget"} & set(new)
    assert len(new) <= 12


def test_lets_config_set_the_namespace(shell) -> None:
    shell.run_line_magic("config", "KubeAI.namespace = 'team'")
    assert settings.current().namespace == "team"


def test_shows_our_errors_as_sentences_without_a_stack(shell, capsys) -> None:
    result = shell.run_cell("%kubeai_serve a --enginee VLLM")
    shown = capsys.readouterr().out
    assert not result.success
    assert "%kubeai_serve does not know --enginee. (UsageError)" in shown
    assert "Did you mean --engine?" in shown
    assert "Traceback" not in shown
    assert "File" not in shown


def test_shows_every_problem_of_a_spec_before_anything_is_sent(shell, capsys) -> None:
    result = shell.run_cell("%kubeai_serve My_Model --url ollama://x --engine VLLM")
    shown = capsys.readouterr().out
    assert not result.success
    assert "The name" in shown
    assert "VLLM cannot load ollama:// urls; its Pods" in shown


def test_prints_its_help_without_an_error(shell, capsys) -> None:
    result = shell.run_cell("%kubeai_delete --help", store_history=True)
    assert result.success
    assert "usage: %kubeai_delete" in capsys.readouterr().out


def test_shows_the_same_text_for_a_question_mark(shell) -> None:
    for verb in VERBS:
        asked = shell.object_inspect(f"%kubeai_{verb.name}" if verb.kind != "cell" else f"%%kubeai_{verb.name}")
        assert asked["found"]
        assert asked["docstring"] == repr(parser_of(verb).read("--help")).strip()


def test_registers_each_thing_once_however_often_it_is_loaded(shell) -> None:
    before = len(shell.input_transformers_post), len(shell.Completer.custom_matchers)
    shell.extension_manager.reload_extension("kubeai_notebook")
    assert (len(shell.input_transformers_post), len(shell.Completer.custom_matchers)) == before


def test_needs_a_prompt_to_chat(shell, capsys) -> None:
    shell.run_cell_magic("kubeai_chat", "--help", "x")
    result = shell.run_cell("%%kubeai_chat smol\n\n")
    assert not result.success
    assert "has nothing to send" in capsys.readouterr().out
