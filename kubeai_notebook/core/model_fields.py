"""What `serve` and `plan` take, typed and documented once for help(), Tab, type checkers and the calls themselves.

Which fields there are is decided in `core.fields`; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

from kubeai_notebook.errors import SpecError

from .notice import wrong
from .shown_fields import docs_of
from .source_spellings import names_and_urls

_Texts = Sequence[str]
_Pairs = Mapping[str, str]


class ModelFields(TypedDict, total=False):
    """The fields of a Model as `serve` takes them; what is left out is inferred from the url, or KubeAI's default."""

    name: Annotated[str, "what the Model is called; by default by its url"]
    url: Annotated[str, "where the weights are: ollama://name:tag, hf://org/model, s3://, gs://, oss:// or pvc://"]
    engine: Annotated[str, "OLlama, VLLM, Infinity or FasterWhisper, in any case"]
    features: Annotated[str | _Texts, "TextGeneration, TextEmbedding, Reranking or SpeechToText"]
    resource_profile: Annotated[str, "hardware of the cluster, <name> or <name>:<multiple>, such as cpu:2"]
    profile: Annotated[str, "the same as resource_profile"]
    processors: Annotated[int, "the multiple of a resource_profile that is given by its name alone"]
    resources: Annotated[
        Mapping[str, str | float],
        'in place of a profile: {"gpu": 1, "memory": "24Gi"} takes the smallest that has them',
    ]
    adapters: Annotated[_Pairs | Sequence[_Pairs], "LoRA adapters, each name with its url"]
    image: Annotated[str, "another image for the engine"]
    args: Annotated[_Texts, 'arguments of the engine, such as ["--max-model-len=8192"]']
    env: Annotated[_Pairs, "environment variables of the engine"]
    secrets: Annotated[
        _Texts | Mapping[str, Any], 'Secrets whose keys become variables, or {"VARIABLE": "secret:key"} for one key'
    ]
    files: Annotated[_Pairs | Sequence[_Pairs], "text files that are mounted, each path with its content"]
    cache_profile: Annotated[str, "keeps the weights on a volume of the cluster"]
    priority_class_name: Annotated[str, "PriorityClass of the Pods"]
    namespace: Annotated[str, "where the Model is; by default the Session's namespace"]
    labels: Annotated[_Pairs, "labels of the Model"]
    scaling: Annotated[Mapping[str, Any], "all of the fields below as one mapping"]
    min_replicas: Annotated[int, "the fewest replicas, by default 1; 0 sleeps when idle"]
    max_replicas: Annotated[int, "the most replicas, under load"]
    replicas: Annotated[int, "how many replicas"]
    autoscaling_disabled: Annotated[bool, "keeps the number of replicas as it is"]
    target_requests: Annotated[int, "requests at a time for each replica; by default 100"]
    scale_down_delay_seconds: Annotated[int, "how long a replica stays that is not needed; by default 30"]
    load_balancing: Annotated[
        Mapping[str, Any],
        "how the gateway chooses a replica: its strategy, LeastLoad or PrefixHash, and what that takes",
    ]


FIELD_DOCS: Mapping[str, str] = docs_of(ModelFields)
"""One line for each field."""


def what_of(what: Any, url: str | None, fields: Mapping[str, Any]) -> Any:
    """What to serve, of a call's arguments: a text is the url or, with a url behind it, the name.

    Raises:
        SpecError: something is given twice, is no text, or is empty.
    """
    if what is not None and not isinstance(what, str | bytes | int | float):
        if url is not None or fields:
            message = f"Give a {type(what).__name__} or the fields of a Model, not both."
            raise SpecError([wrong("", "InvalidValue", message)])
        return what
    given = [word for word in (what, url) if word is not None]
    for word in given:
        if not isinstance(word, str):
            message = f"The name and the url of a Model are texts; {type(word).__name__} is none."
            raise SpecError([wrong("url", "InvalidValue", message)])
        if not word.strip():
            message = "The name or the url is an empty text. Leave it out, and it is inferred."
            raise SpecError([wrong("", "InvalidValue", message)])
    names, urls = names_and_urls(map(str, given))
    for field, words in (("name", names), ("url", urls)):
        if len(words) + (fields.get(field) is not None) > 1:
            raise SpecError([wrong(field, "InvalidValue", f"The {field} is given twice. Give one of them.")])
    return {**fields, **({"name": names[0]} if names else {}), **({"url": urls[0]} if urls else {})}
