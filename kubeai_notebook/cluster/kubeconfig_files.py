"""The files of a kubeconfig, joined as kubectl joins them: the first that says something has the last word.

The ``kubernetes`` package lets the last file win, and fails on a damaged one with errors of Python that quote tokens.
So the files are read here, each once, and what is wrong with one is a sentence about its own words.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from kubeai_notebook.core.messages import nearest
from kubeai_notebook.core.objects import maps_at, text_at
from kubeai_notebook.core.whereabouts import OFFER
from kubeai_notebook.errors import KubeconfigError
from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""The fields that hold a path."""
_MOST_NAMES = 10


class KubeconfigFiles:
    """The files of ``path``, which are joined as in ``$KUBECONFIG``, as they were when this was made."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._signature = _signature(path)
        self._documents = [(file, _document(file)) for file in _present(path)]
        if not self._documents:
            message = f"There is no kubeconfig {one_line(path)}."
            raise KubeconfigError(message, "Correct KUBECONFIG or the setting KubeAI.kubeconfig.")

    def changed(self) -> bool:
        """Whether the files are others now; not where none of them is there any more, or can be read."""
        try:
            return bool(_present(self._path)) and _signature(self._path) != self._signature
        except OSError:
            return False

    def current_context(self) -> str:
        """The name of the current context; raises where none is named."""
        names = (text_at(document, "current-context") for _, document in self._documents)
        if name := next(filter(None, names), ""):
            return name
        raise unusable(self._path, f"names no current context{self._others('contexts', '')}")

    @property
    def contexts(self) -> tuple[str, ...]:
        """The names of all contexts."""
        every = (text_at(entry, "name") for _, document in self._documents for entry in maps_at(document, "contexts"))
        return tuple(dict.fromkeys(filter(None, every)))

    def entry(self, kind: str, name: str) -> tuple[Path, Mapping[str, Any]]:
        """The file and the content of the first entry of this name, with its paths made whole.

        Raises:
            KubeconfigError: there is none, or nothing in it.
        """
        for file, document in self._documents:
            entries = document.get(kind)
            if entries is not None and not isinstance(entries, list):
                raise unusable(self._path, f"has {kind} that are no list")
            if not all(isinstance(entry, dict) and "name" in entry for entry in entries or ()):
                raise unusable(self._path, f"has an entry without a name in its {kind}")
            named = [entry for entry in entries or () if entry["name"] == name]
            if len(named) > 1:
                raise unusable(self._path, f'has {len(named)} {kind} of the name "{one_line(name)}"')
            if named:
                content = named[0].get(kind[:-1])
                if not isinstance(content, dict):
                    raise unusable(self._path, f'has nothing in "{one_line(name)}" of its {kind}')
                return file, {key: _whole_path(file, key, value) for key, value in content.items() if value is not None}
        if name:
            raise unusable(self._path, f'has no {kind[:-1]} "{one_line(name)}"{self._others(kind, name)}')
        raise unusable(self._path, f"names no {kind[:-1]} in its context")

    def _others(self, kind: str, name: str) -> str:
        """The nearest of the names that there are, or all contexts, as a part of a sentence."""
        names = [text_at(entry, "name") for _, document in self._documents for entry in maps_at(document, kind)]
        if name and (near := nearest(name, names)):
            return f'; did you mean "{one_line(near)}"?'
        listed = ", ".join(one_line(other) for other in names[:_MOST_NAMES])
        return f"; there is {listed}" if kind == "contexts" and names else ""


def nowhere(context: str) -> KubeconfigError:
    """That a context is named where no kubeconfig is."""
    message = f'There is no kubeconfig to find the context "{one_line(context)}" in.'
    return KubeconfigError(message, f"Set KUBECONFIG. {OFFER}")


def unusable(path: str, what: str) -> KubeconfigError:
    """That a kubeconfig cannot be used, and what it does wrong."""
    return KubeconfigError(
        f"The kubeconfig {one_line(path)} cannot be used: it {what}.", "Correct it, or name another context."
    )


def _present(path: str) -> list[Path]:
    files = [Path(part).expanduser() for part in path.split(os.pathsep) if part]
    return [file for file in files if file.exists()]


def _signature(path: str) -> tuple[Any, ...]:
    stats = [(file, file.stat()) for file in _present(path)]
    return tuple((file, stat.st_ino, stat.st_mtime_ns, stat.st_size) for file, stat in stats)


def _document(file: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise unusable(str(file), f"cannot be read: {why(error)}") from None
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise unusable(str(file), f"has broken YAML{line}") from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise unusable(str(file), "is no text") from None
    except (ValueError, TypeError, RecursionError):
        raise unusable(str(file), "has broken YAML") from None
    if not isinstance(document, dict):
        raise unusable(str(file), "is empty" if document is None else "is no mapping with clusters, users and contexts")
    return document


def why(error: Exception) -> str:
    """Why a file cannot be read, in the system's words."""
    return error.strerror or "" if isinstance(error, OSError) and error.strerror else "no such path"


def _whole_path(file: Path, key: str, value: Any) -> Any:
    """A path of an entry is meant from the folder of its own file."""
    return str(file.parent / value) if key in FILES and isinstance(value, str) and value else value
