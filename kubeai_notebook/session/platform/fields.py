"""Fields: a dict whose keys are attributes too, as the platform's users write it either way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubeai_notebook.core.messages import did_you_mean


class Fields(dict[str, Any]):
    """A dict whose keys are attributes too, all the way down.

    >>> Fields({"service": {"urls": []}}).service.urls
    []
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__({key: _deep(value) for key, value in fields.items()})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            message = f'There is no "{name}" here.{did_you_mean(name, self)} There is: {", ".join(self)}.'
            raise AttributeError(message) from None

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return {key: _plain(value) for key, value in self.items()}

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self})


def _plain(value: Any) -> Any:
    if isinstance(value, Fields):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _deep(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Fields(value)
    return [_deep(item) for item in value] if isinstance(value, list | tuple) else value
