"""From a line's options to the fields of a ModelSpec, and a cell's YAML over them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.errors import SpecError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from kubeai_notebook.core.spec import ModelSpec

    from .invocation import Call
    from .parser import MagicParser


def add_to(parser: MagicParser) -> None:
    """Add the options that say what a Model is."""
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="name of the Model, or its url")
    add("place", nargs="?", metavar="URL", help="its url, behind the name; --url says the same")
    add("--name", "--model-name", dest="stated_name", metavar="NAME", help="its name, where a url stands first")
    add("--url", help="where the weights are: hf://org/model, ollama://name:tag, s3://bucket/path, pvc://claim/path")
    add("--engine", metavar="ENGINE", help="OLlama, VLLM, Infinity or FasterWhisper, in any case")
    add(
        "--feature", "--features", action="append", dest="features", metavar="FEATURE",
        help="TextGeneration, TextEmbedding …; repeatable",
    )  # fmt: skip
    add(
        "--profile", "--resource-profile", dest="resource_profile", metavar="PROFILE",
        help="hardware, <name> or <name>:<multiple>; %%kubeai_doctor lists the names",
    )  # fmt: skip
    add("--processors", type=int, metavar="N", help="how many times the profile is taken")
    add("--resource", action="append", metavar="NAME=AMOUNT", help="gpu=1, cpu=4, memory=24Gi: chooses the profile")
    add("--adapter", action="append", metavar="NAME=URL", help="a LoRA adapter; repeatable")
    add(
        "--arg",
        action="append",
        dest="args",
        metavar="ARGUMENT",
        help="an argument of the engine, as in --arg=--max-model-len=8192",
    )
    add("--env", action="append", metavar="NAME=VALUE", help="an environment variable; repeatable")
    add(
        "--secret", action="append", dest="secrets", metavar="SECRET|ENV=SECRET:KEY",
        help="a Secret whose keys become variables, or one key of it; repeatable",
    )  # fmt: skip
    add("--project", metavar="PROJECT", help="--secret NAME then means this project's secret, as in the platform")
    add("--file", action="append", metavar="PATH=@LOCAL", help="mount a text file of this machine at PATH; repeatable")
    _add_scaling(parser)
    add("--cache-profile", "--caching-profile", metavar="PROFILE", help="keep the weights on a volume of the cluster")
    add("--image", help="another image for the engine")
    add("--priority-class", dest="priority_class_name", metavar="NAME", help="PriorityClass of the Pods")
    add("--label", action="append", metavar="NAME=VALUE", help="a label of the Model; repeatable")
    add("--raw", action="store_true", help="leave {{…}} in the cell as it is")


def _add_scaling(parser: MagicParser) -> None:
    add = parser.add_argument
    add("--min-replicas", type=int, metavar="N", help="0 sleeps when idle; default 1")
    add("--max-replicas", type=int, metavar="N", help="as many under load")
    add("--replicas", type=int, metavar="N", help="how many, with --no-autoscaling")
    add("--no-autoscaling", action="store_true", default=None, dest="autoscaling_disabled", help="keep --replicas")
    add("--target-requests", type=int, metavar="N", help="requests at a time for each replica; default 100")
    add("--scale-down-delay", type=int, metavar="SECONDS", dest="scale_down_delay_seconds", help="default 30")
    add("--load-balancing", dest="strategy", metavar="STRATEGY", help="LeastLoad or PrefixHash")
    add("--mean-load-factor", type=int, metavar="PERCENT", help="of PrefixHash: how far over the mean; from 100")
    add("--replication", type=int, metavar="N", help="of PrefixHash: points of each replica on the ring")
    add("--prefix-char-length", type=int, metavar="N", help="of PrefixHash: how much of a prompt counts")


_PLAIN = (
    "url", "engine", "features", "resource_profile", "processors", "secrets", "cache_profile", "image",
    "priority_class_name",
)  # fmt: skip
_SCALING = (
    "min_replicas", "max_replicas", "replicas", "autoscaling_disabled", "target_requests", "scale_down_delay_seconds",
)  # fmt: skip
_BALANCING = ("strategy", "mean_load_factor", "replication", "prefix_char_length")


def fields_of_line(options: argparse.Namespace) -> dict[str, Any]:
    """What a line says; fields that it leaves out are not there."""
    given = vars(options)
    balancing = _stated(given, _BALANCING)
    scaling = {**_stated(given, _SCALING), **({"load_balancing": balancing} if balancing else {})}
    adapters = _pairs("--adapter", given["adapter"], like="colorist=hf://org/lora")
    said = {
        **_stated(given, _PLAIN),
        **_named(given),
        "args": [*(given["args"] or []), *given["rest"]],
        "env": _pairs("--env", given["env"]),
        "adapters": [{"name": name, "url": url} for name, url in adapters.items()],
        "files": [{"path": path, "content": _content(text)} for path, text in _files(given["file"]).items()],
        "labels": _pairs("--label", given["label"]),
        "resources": _pairs("--resource", given["resource"], like="gpu=1"),
        "scaling": scaling,
    }
    return {field: value for field, value in said.items() if value not in (None, "", [], {})}


def laid_over(said: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The line's fields under those of a cell's YAML; maps (env, labels, scaling) are joined, lists replaced.

    Raises:
        SpecError: the YAML cannot be read, or gives one field twice.
    """
    from kubeai_notebook.core.field_aliases import fields_of
    from kubeai_notebook.core.plain_data import check_fields
    from kubeai_notebook.core.yaml_text import UnreadableYamlError, read_mapping

    try:
        body = read_mapping(text)
    except UnreadableYamlError as error:
        raise SpecError([wrong("", "InvalidYaml", f"The cell's YAML {error}.")]) from None
    check_fields(body)
    if "kind" in body or "apiVersion" in body:
        raise UsageError("The cell holds a whole Model of Kubernetes.", "%%kubeai_apply takes it as it is.")
    # Processors count the profile, which the line may have named.
    profile = {"resource_profile": said["resource_profile"]} if _lacks_profile(body, said) else {}
    over = fields_of({**profile, **body})
    if "resource_profile" in over or "resources" in over:
        said = {key: value for key, value in said.items() if key not in ("processors", "resources", "resource_profile")}
    return {**said, **{key: _joined(said.get(key), value) for key, value in over.items()}}


def spec_of_fields(call: Call, said: Mapping[str, Any]) -> ModelSpec:
    """The ModelSpec; only a wish for resources asks the cluster for its profiles."""
    from kubeai_notebook import settings
    from kubeai_notebook.core.spec import spec_of

    catalog = call.session.catalog if said.get("resources") else None
    return spec_of(said, default_profile=settings.current().default_profile, catalog=catalog)


def secret_names(said: Mapping[str, Any]) -> list[Any]:
    """The secrets as they were written: a bare name as text."""
    secrets = said.get("secrets") or []
    return [one["name"] if isinstance(one, dict) and one.keys() == {"name"} else one for one in secrets]


def _lacks_profile(body: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
    own = {"profile", "resource_profile", "resourceProfile"} & body.keys()
    return "processors" in body and "resource_profile" in said and not own


def _joined(below: Any, above: Any) -> Any:
    return {**below, **above} if isinstance(below, dict) and isinstance(above, dict) else above


def _stated(given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if given[name] is not None}


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """The name, and the url where it stands in the name's place or behind it."""
    words = [word for word in (given["name"], given["place"]) if word]
    urls = [word for word in words if "://" in word]
    names = [word for word in [*words, given["stated_name"] or ""] if word and word not in urls]
    if len(urls) + bool(given["url"]) > 1:
        raise UsageError("The line has two urls.", "Give one of them: behind the name, or after --url.")
    if len(names) > 1:
        raise UsageError(f"The line has two names, {quoted(names[0])} and {quoted(names[1])}.", "Give one of them.")
    return {"name": names[0] if names else None, **({"url": urls[0]} if urls else {})}


def _pairs(option: str, texts: list[str] | None, *, like: str = "NAME=VALUE") -> dict[str, str]:
    pairs = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            # The text is not repeated: somebody may have put a secret there.
            raise UsageError(f"{option} needs NAME=VALUE.", f"Write it like {option} {like}.")
        pairs[name] = value
    return pairs


def _files(texts: list[str] | None) -> dict[str, str]:
    pairs = _pairs("--file", texts, like="/config/template.jinja=@template.jinja")
    if any(not local.startswith("@") for local in pairs.values()):
        raise UsageError("--file needs PATH=@LOCAL.", "Write it like --file /config/template.jinja=@template.jinja.")
    return {path: local[1:] for path, local in pairs.items()}


def _content(local: str) -> str:
    path = Path(local).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(
            f'The file "{local}" cannot be read here: {reason}.', f"The kernel works in {Path.cwd()}."
        ) from None
    except UnicodeDecodeError:
        hint = "KubeAI mounts text of up to 100,000 characters; anything else goes into the image or a volume."
        raise UsageError(f'The file "{local}" is no text (UTF-8).', hint) from None
