"""Where a Model's weights come from: the grammar of its url."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from kubeai_notebook.core.notice import wrong
from kubeai_notebook.errors import SpecError

from .masking import quoted

SCHEMES = ("hf", "pvc", "ollama", "s3", "gs", "oss")
"""Schemes that KubeAI admits, in the order of its own message."""

CACHED_SCHEMES = ("hf", "s3", "gs", "oss")
"""Those whose weights a cache profile can hold."""
LOADABLE = {
    "OLlama": ("ollama", "pvc", "oci"),
    "VLLM": ("pvc", *CACHED_SCHEMES, "oci"),
    "Infinity": ("pvc", *CACHED_SCHEMES, "oci"),
    "FasterWhisper": ("pvc", *CACHED_SCHEMES, "oci"),
}
"""What the operator can make each engine load; admission checks none of this."""
CACHED_ONLY = {("Infinity", "s3"), ("FasterWhisper", "s3")}
"""Where the operator, without a cache, hands the url to the engine as the name of a model."""
CLAIM_VARIABLES = {"Infinity": "INFINITY_MODEL_ID", "FasterWhisper": "WHISPER__MODEL"}
"""Where the operator hands the claim's name to the engine instead of the folder it mounted; this sets it right."""

# KubeAI 0.23.2 narrowed what may stand between scheme and query to these characters.
_URL = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<reference>[a-zA-Z0-9._:/-]+)(\?(?P<query>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed model url: ``scheme://reference?parameters``."""

    scheme: str
    reference: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def base_name(self) -> str:
        """The last part of the reference without its tag: what people call the model."""
        return self.reference.rstrip("/").rsplit("/", 1)[-1].split(":", 1)[0]


def parse_source(url: str) -> Source:
    """Read a model url as KubeAI's operator does.

    >>> parse_source("ollama://smollm2:135m").reference
    'smollm2:135m'

    Raises:
        SpecError: no known scheme, nothing behind it, or characters that the operator refuses silently.

    Source: KubeAI 0.23.2, ``parseModelURL``; the schemes from the CRD's rule on ``spec.url``.
    """
    shown = quoted(url)
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise _problem(
            f"The url {shown} has no scheme that KubeAI knows.",
            "Start it with hf://, ollama://, s3://, pvc://, gs:// or oss://, as in hf://org/model or ollama://name:tag.",
        )
    if not rest.split("?", 1)[0]:
        raise _problem(f"The url {shown} names no model.", f"Write what follows {scheme}://.")
    # Python's "$" would also stand before a last line feed.
    match = _URL.fullmatch(url)
    if match is None:
        raise _problem(
            f"The url {shown} has characters that KubeAI does not accept in a model url.",
            "Use letters, digits and . _ : / - only.",
        )
    return Source(match["scheme"], match["reference"], dict(parse_qsl(match["query"] or "", keep_blank_values=True)))


def _problem(message: str, fix: str) -> SpecError:
    return SpecError([wrong("url", "InvalidModelUrl", f"{message} {fix}")])
