"""The magic that shows and changes the settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from traitlets import TraitError

from kubeai_notebook import settings
from kubeai_notebook.core.masking import masked, quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.errors import UsageError
from kubeai_notebook.present.html import HtmlShown, table

from . import changed_here
from .parser import MagicParser, parser_for

if TYPE_CHECKING:
    from markupsafe import Markup

    from .invocation import Invocation


@cache
def config_parser() -> MagicParser:
    """The options of ``%kubeai_config``."""
    parser = parser_for(
        "%kubeai_config",
        "Show the settings, and where each comes from; or change some for this kernel. An empty value goes back to\n"
        "the default. What should always hold goes into ipython_kernel_config.py: c.KubeAI.namespace = 'team'.",
        "%kubeai_config",
        "%kubeai_config namespace=team default_profile=cpu",
        "%kubeai_config context=local",
        synopsis="[NAME=VALUE …]",
    )
    parser.add_argument("pairs", nargs="*", metavar="NAME=VALUE", help="a setting and its new value")
    return parser


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its value, where that comes from, and what it is for."""

    name: str
    value: str
    source: str
    help: str


class Settings(HtmlShown, tuple[Setting, ...]):
    """All settings; shows itself as a table."""

    __slots__ = ()

    def _text(self) -> str:
        names, values, sources = (
            max(len(getattr(one, field)) for one in self) for field in ("name", "value", "source")
        )
        return "\n".join(
            f"{one.name:{names}}  {one.value:{values}}  {one.source:{sources}}  {one.help}" for one in self
        )

    def _html(self) -> Markup:
        rows = ((one.name, one.value, one.source, one.help) for one in self)
        return table(rows, head=("setting", "value", "from", ""))


def config(call: Invocation) -> Settings:
    """The settings, changed as the line says."""
    now = settings.configurable()
    for pair in call.options.pairs:
        _set(now, pair)
    return Settings(_setting(now, name) for name in _names(now))


def _names(now: settings.KubeAI) -> list[str]:
    return list(type(now).class_own_traits(config=True))


def _set(now: settings.KubeAI, pair: str) -> None:
    name, equals, value = pair.partition("=")
    if name not in _names(now):
        near = did_you_mean(name, _names(now)).strip() or f"There are: {', '.join(_names(now))}."
        raise UsageError(f"There is no setting {quoted(name)}.", near)
    if not equals:
        raise UsageError(f"%kubeai_config needs a value for {name}.", f"Write it like %kubeai_config {name}=VALUE.")
    trait = now.traits()[name]
    try:
        setattr(now, name, trait.from_string(value) if value else trait.default())
    except (TraitError, ValueError):
        raise UsageError(f"{name} cannot be {quoted(value)}.", f"It is now {getattr(now, name)}.") from None


def _setting(now: settings.KubeAI, name: str) -> Setting:
    trait = now.traits()[name]
    value, source = masked(str(getattr(now, name))), "default"
    if getattr(now, name) != trait.default():
        source = "this kernel" if name in changed_here() else "IPython's configuration"
    elif name == "endpoint" and (stated := settings.current().platform_endpoint):
        value, source = stated, "$KUBEAI_ENDPOINT"
    elif name == "kubeconfig" and (found := settings.current().kubeconfig_path):
        usual = Path.home() / ".kube" / "config"
        value, source = (str(usual), "its usual place") if Path(found) == usual else (found, "$KUBECONFIG")
    return Setting(name, value, source, str(trait.help))
