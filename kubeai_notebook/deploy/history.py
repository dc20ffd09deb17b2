"""The last applied specs of a Model, kept in an annotation of the Model itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import map_at, name_of, text_at
from kubeai_notebook.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

ANNOTATION = "kubeai-notebook/applied"
KEPT = 5
# All annotations of an object together may hold 256 KiB; a Model's files are up to 100 kB each.
LARGEST_BYTES = 128 * 1024


def remembered(model: Mapping[str, Any]) -> dict[str, Any]:
    """Annotations that add the Model's present spec to those it can go back to; the oldest make room."""
    present = _kept(map_at(model, "spec"))
    # To go back to no spec is no way: the API server refuses a Model without a url.
    specs = [*_specs(model), *([present] if present else [])][-KEPT:]
    while specs and len(text := json.dumps(specs, separators=(",", ":"))) > LARGEST_BYTES:
        specs.pop(0)
    return {ANNOTATION: text if specs else None}


def previous(model: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The spec that was applied before the present one, and the annotations without it.

    Raises:
        NotFoundError: nothing was changed from here, so there is nothing to go back to.
    """
    older = _specs(model)
    if not older:
        name = name_of(model)
        present = f'attach("{name}").yaml shows the present one.'
        raise NotFoundError(f"{name} has no earlier spec to go back to.", present)
    last = older.pop()
    return last, {ANNOTATION: json.dumps(older, separators=(",", ":")) if older else None}


def _specs(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the annotation says; nothing where somebody else wrote something else there."""
    try:
        specs = json.loads(text_at(model, "metadata", "annotations", ANNOTATION) or "[]")
    except (ValueError, RecursionError):
        return []
    return [spec for spec in specs if isinstance(spec, dict)] if isinstance(specs, list) else []


def _kept(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec without what the operator owns."""
    own = {} if spec.get("autoscalingDisabled") else {"replicas"}
    return {key: value for key, value in spec.items() if key not in own}
