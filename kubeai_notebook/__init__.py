"""Serve open models with KubeAI from a notebook.

::

    import kubeai_notebook

    model = kubeai_notebook.serve("smol", "ollama://smollm2:135m")
    model.complete("The capital of France is", max_tokens=3)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .core.chat_messages import Reply
    from .core.model_spec import ModelSpec
    from .session.model import Model
    from .session.platform import Function, Project
    from .session.session import Session, attach, catalog, delete, models, plan, serve
    from .views.form import Form
    from .views.models_table import live_models

__version__ = "0.1.0"

# Looked up when first used: importing this package must cost next to nothing.
_PUBLIC = {
    "Model": "session.model",
    "ModelSpec": "core.model_spec",
    "Project": "session.platform",
    "Reply": "core.chat_messages",
    "Session": "session.session",
    "attach": "session.session",
    "catalog": "session.session",
    "delete": "session.session",
    "errors": "errors",
    "live_models": "views.models_table",
    "models": "session.session",
    "plan": "session.session",
    "serve": "session.session",
}
__all__ = [
    "Model", "ModelSpec", "Project", "Reply", "Session",
    "attach", "catalog", "delete", "errors", "form", "get_or_create_project", "live_models", "models",
    "new_function", "plan",
    "serve",
]  # fmt: skip


def get_or_create_project(name: str, *, session: Session | None = None) -> Project:
    """The platform's project of this name, in this Session or the default one; see `Project`."""
    from .session.platform import get_or_create_project as get

    _install_views()
    return get(name, session=session)


def new_function(project: str, name: str, kind: str = "kubeai-text", **fields: Any) -> Function:
    """As ``get_or_create_project(project).new_function(name, kind, …)``."""
    return get_or_create_project(project).new_function(name, kind, **fields)


def form(what: str | None = None, url: str | None = None, /, *, session: Session | None = None, **fields: Any) -> Form:
    """A form for a new Model, or for one that is there; filled with these fields, which are those of `serve`.

    ``form("smol")`` shows what the Model smol is, to be changed; ``form("ollama://smollm2:135m")`` begins with a url.

    Raises:
        SpecError: the name or the url is given twice.
    """
    from .core.model_fields import what_of
    from .magics.serve import fields_of_text
    from .session.session import default
    from .views.form import form_of

    _install_views()
    return form_of(session or default(), what_of(what, url, fields), read_magic=fields_of_text)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _install_views()
    module = import_module(f"{__name__}.{_PUBLIC[name]}")
    return module if name == "errors" else getattr(module, name)


def __dir__() -> list[str]:
    # What this module needs for itself is no part of the package.
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def _install_views() -> None:
    from .views import install

    install()


def load_ipython_extension(shell: InteractiveShell) -> None:
    """``%load_ext kubeai_notebook``: register the magics and the widget."""
    from .magics import install

    install(shell)
    _install_views()


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """``%unload_ext kubeai_notebook``: forget the settings and end all watches; Models go on."""
    from .magics import uninstall

    uninstall(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "kubeai-notebook"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "kubeai_notebook.server"}]
