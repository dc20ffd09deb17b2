"""Magics that change Models: serve, delete."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class

from kubeai_notebook.errors import UsageError

from .help import Help, MagicParser

if TYPE_CHECKING:
    from kubeai_notebook.session.model import Model


@cache
def _serve_parser() -> MagicParser:
    parser = MagicParser(
        "%kubeai_serve",
        "Serve a model: on the configured cluster, or on this machine where there is none.",
        (
            "%kubeai_serve ollama://smollm2:135m",
            "%kubeai_serve smol --engine OLlama --url ollama://smollm2:135m --wait",
            "%kubeai_serve bge --url hf://BAAI/bge-small-en-v1.5 --engine Infinity --feature TextEmbedding",
        ),
    )
    add = parser.add_argument
    add("name", nargs="?", help="name of the Model, or its url")
    add("--url", help="where the weights are: hf://org/model, ollama://name:tag, s3://…")
    add("--engine", help="OLlama, VLLM, Infinity or FasterWhisper; inferred from the url")
    add("--feature", action="append", dest="features", help="TextGeneration, TextEmbedding …; repeatable")
    add("--profile", dest="resource_profile", help="hardware, <name>:<multiple>; default cpu:1")
    add("--adapter", action="append", metavar="NAME=URL", help="a LoRA adapter; repeatable")
    add("--arg", action="append", dest="args", help="an argument for the engine, as in --arg=--max-model-len=8192")
    add("--env", action="append", metavar="NAME=VALUE", help="an environment variable; repeatable")
    add("--secret", action="append", dest="secrets", metavar="NAME|ENV=NAME:KEY", help="a Secret, or one key of it")
    add("--min-replicas", type=int, help="0 sleeps when idle; default 1")
    add("--max-replicas", type=int)
    add("-n", "--namespace", help="namespace of the Model")
    add("--unique", action="store_true", help="append six random characters to the name: another Model each time")
    add("-w", "--wait", action="store_true", help="wait until it is ready")
    return parser


@cache
def _delete_parser() -> MagicParser:
    parser = MagicParser("%kubeai_delete", "Delete a Model and its Pods.", ("%kubeai_delete smol",))
    parser.add_argument("name", help="name of the Model")
    return parser


@magics_class
class ServeMagics(Magics):
    """``%kubeai_serve`` and ``%kubeai_delete``."""

    @line_magic
    def kubeai_serve(self, line: str) -> Model | Help:
        """Serve a model; ``%kubeai_serve --help`` shows the options."""
        options = _serve_parser().read(line)
        if isinstance(options, Help):
            return options
        from kubeai_notebook.session.session import default

        model = default(options.namespace or "").serve(unique=options.unique, **_fields(vars(options)))
        return model.wait() if options.wait else model

    @line_magic
    def kubeai_delete(self, line: str) -> Model | Help:
        """Delete a Model; ``%kubeai_delete --help`` shows the options."""
        options = _delete_parser().read(line)
        if isinstance(options, Help):
            return options
        from kubeai_notebook.session.session import default

        return default().attach(options.name).delete()


def _fields(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a ModelSpec that a line's options say."""
    plain = ("url", "engine", "features", "resource_profile", "args", "secrets")
    fields = {field: options[field] for field in plain}
    if "://" in (options["name"] or "") and not fields["url"]:
        fields["url"] = options["name"]
    else:
        fields["name"] = options["name"]
    bounds = {field: options[field] for field in ("min_replicas", "max_replicas") if options[field] is not None}
    adapters = _pairs("--adapter", options["adapter"])
    return {
        **fields,
        "scaling": bounds or None,
        "env": _pairs("--env", options["env"]) or None,
        "adapters": [{"name": name, "url": url} for name, url in adapters.items()] or None,
    }


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{option} needs NAME=VALUE.", f"Write it like {option} NAME=VALUE.")
        pairs[name] = value
    return pairs
