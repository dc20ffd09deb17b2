"""From what the ``openai`` client raises to a CallError."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.masking import masked
from kubeai_notebook.errors import CallError, WaitInterruptedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROXY_RIGHT = (
    "The gateway is reached through the Kubernetes API here. A Role with this rule allows it: "
    '- {apiGroups: [""], resources: ["services/proxy"], verbs: ["get", "create"]}'
)


@contextmanager
def explained(model: str) -> Iterator[None]:
    """Turn the client's errors into one sentence each.

    KubeAI's gateway answers ``{"error": "text"}``, engines ``{"error": {"message": …}}`` or
    ``{"detail": …}``: all three are read.
    """
    import openai

    try:
        yield
    except KeyboardInterrupt:
        raise WaitInterruptedError(f"Stopped; {model} no longer works on this request.") from None
    except openai.APITimeoutError:
        raise CallError(f"{model} gave no answer in time.", f"See what it is doing: %kubeai_status {model}") from None
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        raise CallError(f"The gateway did not answer ({type(cause).__name__}).", "Is KubeAI still running?") from None
    except openai.APIStatusError as error:
        said = masked(_said(error.body) or error.message)
        if error.status_code == 404:
            hint = "%kubeai_models lists the names; an adapter is asked for as <model>_<adapter>."
            raise CallError(f"{model} cannot be called: {said}.", hint, status=404) from None
        # The Kubernetes API's own refusal, where it stands between us and the gateway.
        hint = _PROXY_RIGHT if error.status_code == 403 and "services/proxy" in said else ""
        raise CallError(
            f"{model} refused the request ({error.status_code}): {said}.", hint, status=error.status_code
        ) from None


def _said(body: Any) -> str:
    """The sentence in an error body, whichever of the known shapes it has."""
    if isinstance(body, dict):
        inner = body.get("error", body.get("message", body.get("detail", "")))
        return _said(inner) if isinstance(inner, dict) else str(inner)
    return str(body or "").strip().rstrip(".")
