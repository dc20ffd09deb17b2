"""A run's status, by the platform's names; from the Model alone, so every kernel sees the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.masking import masked, secret_values
from kubeai_notebook.core.objects import map_at, maps_at, name_of, text_at, texts_at

from .fields import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.view import View

ROUTES: Mapping[str, tuple[str, ...]] = {
    "TextGeneration": ("/chat/completions", "/completions"),
    "TextEmbedding": ("/embeddings",),
    "Reranking": ("/rerank",),
    "SpeechToText": ("/audio/transcriptions",),
}
"""What the gateway offers for a feature."""
# Every other phase is on its way. The platform says RUNNING as soon as there is a Model; here it means what it says.
_STATES = {
    **dict.fromkeys(("Ready", "Asleep", "Paused", "Degraded", "Updating"), "RUNNING"),
    **dict.fromkeys(("Blocked", "Failing", "Unmanaged"), "ERROR"),
    "Deleting": "DELETING",
}


def status_of_run(view: View, base_url: str) -> Fields:
    """The status of a run whose Model is there."""
    name, phase = name_of(view.model), view.status.phase
    detail = view.findings[0].message if view.findings else view.status.detail
    message = f"Model {name} ready" if phase == "Ready" else f"Model {name} {phase.lower()}: {detail}"
    return _status(view.model, base_url, state=_STATES.get(phase, "PENDING"), message=message)


def ended_status(last: Mapping[str, Any], state: str, base_url: str) -> Fields:
    """The status of a run whose Model is gone; without a state of ours it was somebody else."""
    name = name_of(last)
    message = f"Model {name} {'deleted' if state else 'was deleted by somebody else'}"
    return _status(last, base_url, state=state or "ERROR", message=message)


def _status(model: Mapping[str, Any], base_url: str, *, state: str, message: str) -> Fields:
    metadata, spec = map_at(model, "metadata"), map_at(model, "spec")
    features = list(texts_at(spec, "features"))
    paths = ["/models", *(path for feature in features for path in ROUTES.get(feature, ()))]
    openai = {
        "baseUrl": base_url,
        "model": name_of(model),
        "modelUrl": masked(text_at(spec, "url"), secret_values(spec)),
        "engine": text_at(spec, "engine"),
        "features": features,
        "adapters": [{"name": text_at(adapter, "name")} for adapter in maps_at(spec, "adapters")],
    }
    seen = {"metadata": {key: metadata.get(key) for key in ("name", "namespace", "uid")}}
    return Fields(
        {
            "state": state,
            "message": message,
            "openai": openai,
            "service": {"url": base_url, "urls": [base_url + path for path in paths]},
            # Without its spec, whose variables may hold what nobody should read in an output.
            "k8s": {"Model": {**seen, "status": map_at(model, "status")}},
        }
    )
