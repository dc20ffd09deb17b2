import json
import subprocess
import sys

import pytest

import kubeai_notebook


def test_exports_exactly_these_names() -> None:
    classes = ["Model", "ModelSpec", "Project", "Reply", "Session"]
    names = [
        "attach",
        "catalog",
        "delete",
        "errors",
        "form",
        "get_or_create_project",
        "live_models",
        "models",
        "new_function",
        "plan",
        "serve",
    ]
    assert kubeai_notebook.__all__ == [*classes, *names]
    for name in kubeai_notebook.__all__:
        assert getattr(kubeai_notebook, name) is not None
        assert name in dir(kubeai_notebook)


def test_imports_nothing_but_itself_and_little_of_python() -> None:
    code = """
import json, sys
before = set(sys.modules)
import kubeai_notebook
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    new = json.loads(done.stdout)
    assert [name for name in new if name.startswith("kubeai_notebook")] == ["kubeai_notebook"]
    assert len(new) < 20


def test_says_which_name_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="srve"):
        _ = kubeai_notebook.srve


def test_lists_nothing_else() -> None:
    assert [name for name in dir(kubeai_notebook) if not name.startswith("__")] == sorted(kubeai_notebook.__all__)
