"""ModelSpec and its parts: what a user wants served, typed.

Whether the parts make sense together is not known here: a ModelSpec is also what was read of a Model that somebody
else made, for another release of KubeAI. `core.spec` says what is wrong with one.

Much imports this module, so it imports little: only a spec that is shown loads what hides its secrets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetPydanticSchema, SecretStr
from pydantic_core import core_schema

from .profile import ResourceProfile
from .source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES = ("OLlama", "VLLM", "FasterWhisper", "Infinity")
FEATURES = ("TextGeneration", "TextEmbedding", "Reranking", "SpeechToText")
"""What there is a playground for."""
Strategy = Literal["LeastLoad", "PrefixHash"]


def _spelled(choices: tuple[str, ...]) -> BeforeValidator:
    """Accept any letter case of the given spellings; what else a cluster has is not known here."""
    by_lower = {choice.lower(): choice for choice in choices}
    return BeforeValidator(lambda value: by_lower.get(value.lower(), value) if isinstance(value, str) else value)


def _read_as(kind: type[str]) -> GetPydanticSchema:
    """A text that knows its parts: it is given, sent and shown as text."""
    text = core_schema.str_schema(strict=True)
    schema = core_schema.no_info_after_validator_function(
        kind, text, serialization=core_schema.plain_serializer_function_ser_schema(str, return_schema=text)
    )
    return GetPydanticSchema(lambda _kind, _handler: schema)


_Url = Annotated[Source, _read_as(Source)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Adapter(_Part):
    """A LoRA adapter: requests name it ``<model>_<adapter>``."""

    name: str = Field(pattern=r"^[a-z0-9-]+$", max_length=63)
    url: _Url

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        from .masking import masked

        yield "name", self.name
        yield "url", masked(self.url)


class File(_Part):
    """A text file that is mounted into the Model's Pods; content up to 100,000 characters."""

    path: str = Field(pattern=r"^/[^:]*$", max_length=1024)
    content: str = Field(max_length=100_000)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        from .masking import masked_content

        yield "path", self.path
        yield "content", masked_content(self.path, self.content)


class LoadBalancing(_Part):
    """How the gateway chooses among replicas. What is left out keeps KubeAI's default."""

    strategy: Strategy | None = None
    mean_load_factor: int | None = Field(default=None, ge=100)
    replication: int | None = None
    prefix_char_length: int | None = None


class Scaling(_Part):
    """Replica bounds and autoscaling. What is left out keeps KubeAI's default."""

    min_replicas: int | None = Field(default=1, ge=0)
    """KubeAI's own default is 0, which starts nothing until the first request. ``None``: as read from a Model."""
    max_replicas: int | None = Field(default=None, ge=1)
    replicas: int | None = Field(default=None, ge=0)
    """Only read by KubeAI with ``autoscaling_disabled``."""
    autoscaling_disabled: bool = False
    target_requests: int | None = Field(default=None, ge=1)
    scale_down_delay_seconds: int | None = Field(default=None, ge=0)
    load_balancing: LoadBalancing = LoadBalancing()


class SecretName(_Part):
    """A Secret of the namespace whose keys all become environment variables."""

    name: str


class SecretKey(_Part):
    """One key of a Secret of the namespace, as an environment variable of another name or the same."""

    env: str
    secret: str
    key: str


class SecretValue(_Part):
    """A value that goes into the Model's own Secret."""

    env: str
    value: SecretStr


class Inferred(_Part):
    """A field that the user left out or wrote in words of their own, what was put there, and why."""

    field: str
    value: str
    why: str
    stated: bool = False
    """Whether the user wrote the field: only its spelling is another."""


def _sequence(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


_Tuple = BeforeValidator(_sequence)


class ModelSpec(_Part):
    """One Model as its user wants it. Make one with `spec_of`, which explains what is wrong."""

    name: str
    url: _Url
    engine: Annotated[str, _spelled(ENGINES)]
    features: Annotated[tuple[Annotated[str, _spelled(FEATURES)], ...], _Tuple]
    resource_profile: Annotated[ResourceProfile, _read_as(ResourceProfile)] = ResourceProfile("cpu:1")
    """``<name>:<multiple>``, a profile of the operator's configuration."""
    adapters: Annotated[tuple[Adapter, ...], _Tuple] = ()
    args: Annotated[tuple[str, ...], _Tuple] = ()
    env: dict[str, str] = Field(default_factory=dict)
    secrets: Annotated[tuple[SecretName | SecretKey | SecretValue, ...], _Tuple] = ()
    """A Model knows only whole Secrets (``envFrom``); single keys and values are put into one of its own."""
    files: Annotated[tuple[File, ...], _Tuple] = ()
    scaling: Scaling = Scaling()
    cache_profile: str | None = None
    image: str | None = None
    priority_class_name: str | None = None
    namespace: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    inferred: tuple[Inferred, ...] = ()
    rest: dict[str, Any] = Field(default_factory=dict)
    """What a Model that was read holds besides: fields unknown here, and known ones that are present but empty."""

    @property
    def given_values(self) -> tuple[str, ...]:
        """The values of its secrets, to be hidden wherever else they stand."""
        from .masking import secret_values

        given = [{"value": secret.value} for secret in self.secrets if isinstance(secret, SecretValue)]
        return secret_values({"secrets": given}) if given else ()

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What is shown of it: nothing that may be a secret, whichever field somebody put it in."""
        from .masking import masked, masked_args, masked_env, masked_texts, secret_values

        files = [{"path": file.path, "content": file.content} for file in self.files]
        adapters = [{"url": adapter.url} for adapter in self.adapters]
        given = {"url": self.url, "args": self.args, "env": self.env, "files": files, "adapters": adapters}
        secrets = (*secret_values(given), *self.given_values)
        hidden = {
            **{name: masked_texts(value, secrets) for name, value in self if name in ("url", "image", "rest")},
            "adapters": tuple(
                adapter.model_copy(update={"url": masked(adapter.url, secrets)}) for adapter in self.adapters
            ),
            "args": masked_args(self.args, secrets),
            "env": masked_env(self.env, secrets),
            "files": tuple(file.model_copy(update={"content": masked(file.content, secrets)}) for file in self.files),
        }
        for name, value in super().__repr_args__():
            yield name, hidden.get(name or "", value)
