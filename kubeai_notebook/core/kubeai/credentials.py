"""Which Secret KubeAI gives an engine for which kind of url."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What an engine gets from the Secret of its url's scheme, where that Secret exists."""

    store: str
    """The Secret's key in ``secretNames`` of the operator's configuration."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Variable → key in the Secret."""
    file: str = ""
    """A variable that names a file, which is mounted from the Secret."""

    @property
    def variables(self) -> tuple[str, ...]:
        """All variables that are set."""
        return (*self.keys, self.file) if self.file else tuple(self.keys)


CREDENTIALS: Mapping[str, Credentials] = {
    "hf": Credentials(store="huggingface", keys={"HF_TOKEN": "token"}),
    "s3": Credentials(
        store="aws", keys={"AWS_ACCESS_KEY_ID": "accessKeyID", "AWS_SECRET_ACCESS_KEY": "secretAccessKey"}
    ),
    "gs": Credentials(store="gcp", file="GOOGLE_APPLICATION_CREDENTIALS"),
    "oss": Credentials(
        store="alibaba", keys={"OSS_ACCESS_KEY_ID": "accessKeyID", "OSS_ACCESS_KEY_SECRET": "accessKeySecret"}
    ),
}
"""By the url's scheme. Source: KubeAI 0.22.1, the model controller's sources."""
