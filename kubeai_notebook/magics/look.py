"""Magics that only look: models."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from IPython.core.magic import Magics, line_magic, magics_class

from .help import Help, MagicParser

if TYPE_CHECKING:
    import pandas as pd


@cache
def _models_parser() -> MagicParser:
    return MagicParser("%kubeai_models", "List the Models as a DataFrame.", ("%kubeai_models", "df = %kubeai_models"))


@magics_class
class LookMagics(Magics):
    """``%kubeai_models``."""

    @line_magic
    def kubeai_models(self, line: str) -> pd.DataFrame | Help:
        """List the Models as a DataFrame."""
        options = _models_parser().read(line)
        if isinstance(options, Help):
            return options
        from kubeai_notebook.session.session import default

        return default().models()
