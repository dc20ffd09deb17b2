"""The last applied specs of a Model, kept in an annotation of the Model itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.objects import APPLIED as ANNOTATION
from kubeai_notebook.core.objects import earlier_specs, map_at, name_of
from kubeai_notebook.core.plan import requested
from kubeai_notebook.errors import NotFoundError

from .scaling import without_pause

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = 5
# All annotations of an object together may hold 256 KiB; a Model's files are up to 100 kB each.
LARGEST_BYTES = 128 * 1024


def remembered(model: Mapping[str, Any]) -> dict[str, Any]:
    """Annotations that add the Model's present spec to those it can go back to; the oldest make room.

    A pause is none of it: `resume` takes that back.
    """
    present = requested(map_at(without_pause(model), "spec"))
    # To go back to no spec is no way: the API server refuses a Model without a url.
    specs = [*earlier_specs(model), *([present] if present else [])][-KEPT:]
    while specs and len(text := json.dumps(specs, separators=(",", ":"))) > LARGEST_BYTES:
        specs.pop(0)
    return {ANNOTATION: text if specs else None}


def previous(model: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The spec that was applied before the present one, and the annotations without it.

    Raises:
        NotFoundError: the Model was never changed by this package, so there is no earlier spec.
    """
    older = earlier_specs(model)
    if not older:
        name = name_of(model)
        raise NotFoundError(
            f"{name} has no earlier spec to go back to.", f'attach("{name}").yaml shows the present one.'
        )
    last = older.pop()
    return last, {ANNOTATION: json.dumps(older, separators=(",", ":")) if older else None}
