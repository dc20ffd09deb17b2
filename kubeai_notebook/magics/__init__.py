"""The magics: parse a line, delegate, return something that shows itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def install(shell: InteractiveShell) -> None:
    """Register all magics and the settings; imports nothing that a first cell does not need."""
    from kubeai_notebook import settings

    from .call import CallMagics
    from .look import LookMagics
    from .serve import ServeMagics

    kubeai = settings.KubeAI(parent=shell)
    settings.install(kubeai)
    shell.configurables.append(kubeai)  # type: ignore[arg-type]  # any Configurable
    shell.register_magics(ServeMagics, LookMagics, CallMagics)


def uninstall(shell: InteractiveShell) -> None:
    """Close the default Session and forget the settings; the magics' names stay until the kernel ends."""
    from kubeai_notebook import settings
    from kubeai_notebook.session.session import close_defaults

    close_defaults()
    shell.configurables[:] = [one for one in shell.configurables if not isinstance(one, settings.KubeAI)]
    settings.install(settings.KubeAI())
