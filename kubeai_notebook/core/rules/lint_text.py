"""Traps in plain text: what no container, no ConfigMap and no store of an API server can hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.masking import quoted

from .subject import Subject, error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Notice

# Tabs and line ends are at home in templates; a lone surrogate cannot be encoded at all.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
MAX_MODEL_CHARACTERS = 1_000_000
"""etcd takes requests up to 1.5 MiB; what a server adds to a Model has to fit as well."""


def text_traps(subject: Subject) -> Iterator[Notice]:
    """Everything about characters and lengths."""
    texts = list(_texts(subject.spec))
    for field, text in texts:
        if _CONTROL.search(text) or _CONTROL.search(field):
            message = "It holds a character that no container can be given."
            shown = _CONTROL.sub("?", field)[:80]
            yield error(shown, "ControlCharacter", message, step="Take control characters out.")
    size = sum(len(text) for _, text in texts)
    if size > MAX_MODEL_CHARACTERS:
        field, largest = max(texts, key=lambda pair: len(pair[1]))
        message = (
            f"The Model has {size:,} characters, more than Kubernetes stores; {len(largest):,} of them stand here."
        )
        yield error(field[:80], "TooLarge", message, step="Shorten it.")
    for field in ("namespace", "priority_class_name"):
        name = getattr(subject.spec, field)
        if name and not _OBJECT_NAME.fullmatch(name):
            message = "This cannot be the name of a Kubernetes object."
            yield error(field, "InvalidName", message, step='Use small letters, digits, "-" and ".".')
    for number, entry in enumerate(subject.spec.secrets):
        name = getattr(entry, "name", None) or getattr(entry, "secret", None)
        if name is not None and not _OBJECT_NAME.fullmatch(name):
            message = f"{quoted(name)} cannot be the name of a Kubernetes Secret."
            fix = "Name a Secret of the namespace, or one key of it as VARIABLE=<secret>:<key>."
            yield error(f"secrets[{number}]", "InvalidName", message, step=fix)


def _texts(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    """Every text of the spec that is not a secret, with its field."""
    for field in ("url", "resource_profile", "cache_profile", "image"):
        yield field, getattr(spec, field) or ""
    yield from ((f"args[{number}]", text) for number, text in enumerate(spec.args))
    yield from ((f"env.{name}", text) for name, text in spec.env.items())
    yield from ((f"labels.{name}", text) for name, text in spec.labels.items())
    for number, file in enumerate(spec.files):
        yield f"files[{number}].path", file.path
        yield f"files[{number}].content", file.content
    for number, adapter in enumerate(spec.adapters):
        yield f"adapters[{number}].url", adapter.url
