"""ModelSpec and its parts: what a user wants served, typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from kubeai_notebook.core.notice import Notice, wrong
from kubeai_notebook.errors import SpecError

from .masking import masked, masked_args, masked_content, masked_env, quoted, secret_values
from .messages import did_you_mean, problem_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Engine = Literal["OLlama", "VLLM", "FasterWhisper", "Infinity"]
Feature = Literal["TextGeneration", "TextEmbedding", "Reranking", "SpeechToText"]
Strategy = Literal["LeastLoad", "PrefixHash"]
ENGINES: tuple[str, ...] = get_args(Engine)
FEATURES: tuple[str, ...] = get_args(Feature)


def _spelled(choices: tuple[str, ...]) -> BeforeValidator:
    """Accept any letter case of the given spellings."""
    by_lower = {choice.lower(): choice for choice in choices}
    return BeforeValidator(lambda value: by_lower.get(value.lower(), value) if isinstance(value, str) else value)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Adapter(_Part):
    """A LoRA adapter: requests name it ``<model>_<adapter>``."""

    name: str = Field(pattern=r"^[a-z0-9-]+$", max_length=63)
    url: str

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        yield "name", self.name
        yield "url", masked(self.url)


class File(_Part):
    """A text file that is mounted into the Model's Pods; content up to 100,000 characters."""

    path: str = Field(pattern=r"^/[^:]*$", max_length=1024)
    content: str = Field(max_length=100_000)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
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
    """A field that the user left out, what was put there, and why."""

    field: str
    value: str
    why: str


def _sequence(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


_Tuple = BeforeValidator(_sequence)


class ModelSpec(_Part):
    """One Model as its user wants it. Make one with `spec_of`, which explains what is wrong."""

    name: str
    url: str
    engine: Annotated[Engine, _spelled(ENGINES)]
    features: Annotated[tuple[Annotated[Feature, _spelled(FEATURES)], ...], _Tuple]
    resource_profile: str = "cpu:1"
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

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What is shown of it: nothing that may be a secret, whichever field somebody put it in."""
        files = [{"path": file.path, "content": file.content} for file in self.files]
        secrets = secret_values({"url": self.url, "args": self.args, "env": self.env, "files": files})
        hidden = {
            "url": masked(self.url, secrets),
            "args": masked_args(self.args, secrets),
            "env": masked_env(self.env, secrets),
        }
        for name, value in super().__repr_args__():
            yield name, hidden.get(name or "", value)


def validated(fields: Mapping[str, Any]) -> ModelSpec:
    """A ModelSpec of exactly these fields; SpecError when one has the wrong type or bounds."""
    try:
        return ModelSpec.model_validate(fields)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise SpecError(list(dict.fromkeys(_said(detail, fields) for detail in details))) from None


def _said(detail: Mapping[str, Any], given: Mapping[str, Any]) -> Notice:
    """What is wrong with one field; an engine's name is no secret, so that one is quoted."""
    if detail["loc"] == ("engine",) and isinstance(given.get("engine"), str):
        engine = given["engine"]
        message = (
            f"There is no engine {quoted(engine)}.{did_you_mean(engine[:80], ENGINES)} KubeAI has {', '.join(ENGINES)}."
        )
        return wrong("engine", "UnsupportedValue", message)
    if detail["loc"][0] == "secrets":
        message = "Each of secrets must be the name of a Secret, ENV=<secret>:<key>, or a pydantic SecretStr."
        return wrong("secrets", "InvalidValue", message)
    return problem_of(detail, ModelSpec.model_fields.keys() - {"inferred", "rest"})
