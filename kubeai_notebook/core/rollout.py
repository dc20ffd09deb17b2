"""Which spec answers while an update is under way: that of the Pods from before, until a new one is ready.

KubeAI starts a new Pod beside the old ones and takes those away when it is ready. An update whose Pod never gets ready
so leaves a Model that answers by a spec which it no longer has. What that was stands in the annotation in which this
package keeps earlier specs; which of them, the old Pods tell by what KubeAI wrote into them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .objects import Pod, earlier_specs, is_going, map_at, maps_at, text_at, texts_at, texts_in
from .remedy import Remedy, SetField
from .source import Source
from .spec_diff import changed_fields, patch_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .objects import KubernetesObject


def answering_pod(pods: Iterable[KubernetesObject]) -> Pod | None:
    """A ready Pod from before an update none of whose own Pods is ready; ``None`` where the present spec answers."""
    engines = [pod for pod in map(Pod, pods) if not is_going(pod.raw) and not pod.is_of_job]
    ready = [pod for pod in engines if pod.ready]
    # Times are told to the second: of two Pods of one second, the one that is not ready is the newer.
    newest = max(engines, key=lambda pod: (pod.created, not pod.ready), default=None)
    return ready[0] if ready and newest and all(pod.hash != newest.hash for pod in ready) else None


def answering_spec(model: KubernetesObject, pods: Iterable[KubernetesObject]) -> dict[str, Any]:
    """The earlier spec that answers now; ``{}`` where the present one does, or where it is not known."""
    pod = answering_pod(pods)
    specs = reversed(earlier_specs(model)) if pod else ()
    return next((spec for spec in specs if pod and _made(spec, pod)), {})


def rollback_to(model: KubernetesObject, spec: Mapping[str, Any]) -> Remedy | None:
    """The Remedy that goes back to this spec; ``None`` where the Model has it."""
    fields = patch_of(changed_fields(model, {"spec": spec}))["spec"]
    changes = tuple(SetField(name=name, value=value) for name, value in fields.items())
    return Remedy(title=f"Go back to what answers now, {text_at(spec, 'url')}.", changes=changes) if changes else None


def _made(spec: Mapping[str, Any], pod: Pod) -> bool:
    """Whether KubeAI can have made this Pod of this spec, by what it writes into the container as it stands."""
    container = next(iter(maps_at(pod.raw, "spec", "containers")), {})
    words = texts_at(container, "args")
    text = json.dumps([words, map_at(container, "startupProbe")])
    env = {name: text_at(entry, "value") for name, entry in pod.env.items()}
    named = _names(text, Source(text_at(spec, "url"))) or bool(spec.get("cacheProfile"))
    image = text_at(spec, "image") in ("", text_at(container, "image"))
    return (
        named and image and set(texts_at(spec, "args")) <= set(words) and texts_in(spec, "env").items() <= env.items()
    )


def _names(text: str, source: Source) -> bool:
    """Whether the text has this source as a whole word: ``org/model`` also begins ``org/model-instruct``."""
    word = rf"(?<![\w.:/-])(?:{re.escape(source.scheme)}://)?{re.escape(source.reference)}(?![\w.:/-])"
    return re.search(word, text) is not None
