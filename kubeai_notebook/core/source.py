"""Where a Model's weights come from: the grammar of its url.

A `Source` is the url itself, as text, and knows its parts. A Model that was read may have any url, also one that
KubeAI cannot read, and everybody compares, shows and sends urls as text: so it is a text that is read once, and not
a thing beside the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from kubeai_notebook.errors import SpecError

from .notice import wrong

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Self

    from .notice import Notice

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

_CODE = "InvalidModelUrl"
# KubeAI 0.23.2 narrowed what may stand between scheme and query to these characters. It is matched as a whole:
# Python's "$" would also stand before a last line feed.
_URL = re.compile(r"[a-z0-9]+://[a-zA-Z0-9._:/-]+(\?.*)?", re.DOTALL)


def names_gguf(url: str) -> bool:
    """Whether the url says that GGUF files lie behind it, as repositories of these are mostly called."""
    return "gguf" in url.lower()


class Source(str):
    """A Model's url, ``scheme://reference?parameters``: a text that knows its parts.

    >>> Source("ollama://smollm2:135m").reference
    'smollm2:135m'
    """

    __slots__ = ("parameters", "reference", "scheme")

    scheme: str
    """What stands before ``://``; ``""`` where nothing does."""
    reference: str
    """What stands between ``://`` and the question mark: the model, in the scheme's own words."""
    parameters: Mapping[str, str]
    """What stands behind the question mark."""

    def __new__(cls, text: str = "") -> Self:  # noqa: D102 - the class's own
        source = super().__new__(cls, text)
        scheme, separator, rest = text.partition("://")
        reference, _, query = rest.partition("?")
        source.scheme, source.reference = scheme if separator else "", reference
        source.parameters = dict(parse_qsl(query, keep_blank_values=True))
        return source

    @property
    def readable(self) -> bool:
        """Whether KubeAI's operator can read it; what it cannot read it refuses in its own log only."""
        return _URL.fullmatch(self) is not None

    @property
    def base_name(self) -> str:
        """The last part of the reference without its tag: what people call the model."""
        return self.reference.rstrip("/").rsplit("/", 1)[-1].split(":", 1)[0]

    @property
    def tag(self) -> str:
        """What stands behind the colon of the last part: a size, a quantization; ``""`` where nothing does."""
        return self.reference.rstrip("/").rsplit("/", 1)[-1].partition(":")[2]

    @property
    def claim(self) -> str:
        """The PersistentVolumeClaim of a ``pvc://`` url, else ``""``."""
        return self.reference.partition("/")[0] if self.scheme == "pvc" else ""


def check_patterns(source: Source, patterns: Collection[str]) -> list[Notice]:
    """Whether the url has the form that the cluster's own schema admits."""
    from .masking import quoted

    refusing = next((pattern for pattern in patterns if not re.search(pattern, source)), None)
    if refusing is None:
        return []
    message = f"The url {quoted(source)} has characters that this cluster's KubeAI does not admit."
    return [wrong("url", _CODE, f"{message} Write it by its pattern, {refusing}")]


def parse_source(url: str) -> Source:
    """Read a model url as KubeAI's operator does.

    Raises:
        SpecError: no known scheme, nothing behind it, or characters that the operator refuses silently.

    Source: KubeAI 0.23.2, ``parseModelURL``; the schemes from the CRD's rule on ``spec.url``.
    """
    source = Source(url)
    if notices := check_source(source):
        raise SpecError(notices)
    return source


def check_source(source: Source, schemes: Collection[str] = SCHEMES, patterns: Collection[str] = ()) -> list[Notice]:
    """What KubeAI cannot read in a Model's url; ``schemes`` and ``patterns`` are those that the cluster admits."""
    # Only a url that is refused loads the masking.
    from .masking import quoted

    if source.scheme not in schemes:
        from .source_spellings import no_scheme

        return [no_scheme(source, schemes)]
    if not source.reference:
        message = f"The url {quoted(source)} names no model. Write what follows {source.scheme}://."
        return [wrong("url", _CODE, message)]
    if notices := check_patterns(source, patterns):
        return notices
    if not source.readable:
        message = f"The url {quoted(source)} has characters that KubeAI does not accept in a model url."
        return [wrong("url", _CODE, f"{message} Use letters, digits and . _ : / - only.")]
    return []
