"""The magic that shows and changes the settings."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Float, TraitError

from kubeai_notebook import settings
from kubeai_notebook.core.masking import masked, quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.errors import KubeconfigError, UsageError
from kubeai_notebook.present.html import ShownAsHtml, table

from . import changed_here
from .parser import MagicParser, parser_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from .invocation import Invocation


_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_IN_PLACE = "%kubeai_config shows what is in effect; %kubeai_config context=local means this machine."
_HELP = {
    "cluster": "Where Models are served.",
    "server": "The API server's address.",
    "login": "The kubeconfig's user, and by what they log in.",
}


@cache
def config_parser() -> MagicParser:
    """The options of ``%kubeai_config``."""
    parser = parser_for(
        "%kubeai_config",
        "Show what is in effect, and where each comes from; or change settings for this kernel. An empty value goes\n"
        "back to the default. What should always hold goes into ipython_kernel_config.py: c.KubeAI.namespace = 'team'.",
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


class SettingsTable(ShownAsHtml, tuple[Setting, ...]):
    """All settings; shows itself as a table."""

    __slots__ = ()

    def _text(self) -> str:
        names, values, sources = (
            max(len(getattr(setting, field)) for setting in self) for field in ("name", "value", "source")
        )
        return "\n".join(
            f"{setting.name:{names}}  {setting.value:{values}}  {setting.source:{sources}}  {setting.help}"
            for setting in self
        )

    def _html(self) -> Markup:
        rows = ((setting.name, setting.value, setting.source, setting.help) for setting in self)
        return table(rows, head=("setting", "value", "from", ""))


def config(call: Invocation) -> SettingsTable:
    """The settings, changed as the line says, and what they lead to."""
    now = settings.configurable()
    values = dict(_value(now, pair) for pair in call.options.pairs)
    _check(values)
    for name, value in values.items():
        setattr(now, name, value)
    return SettingsTable(_rows(call, now))


def _names(now: settings.KubeAI) -> list[str]:
    return list(type(now).class_own_traits(config=True))


def _value(now: settings.KubeAI, pair: str) -> tuple[str, Any]:
    """A setting's name and its new value."""
    name, equals, value = pair.partition("=")
    if name not in _names(now):
        near = did_you_mean(name, _names(now)).strip() or f"There are: {', '.join(_names(now))}."
        raise UsageError(f"There is no setting {quoted(name)}.", near)
    if not equals:
        raise UsageError(f"%kubeai_config needs a value for {name}.", f"Write it like %kubeai_config {name}=VALUE.")
    trait, tried = now.traits()[name], settings.KubeAI()
    try:
        taken = trait.from_string(value) if value else trait.default()
        setattr(tried, name, taken)
        if isinstance(taken, float) and math.isnan(taken):  # which no bound refuses
            raise ValueError(value)
    except (TraitError, ValueError):
        kind = {Float: "It is a number from 0 up", Bool: "It is true or false"}.get(type(trait), "It is a text")
        was = f"{kind}, and now {getattr(now, name)}."
        raise UsageError(f"{name} cannot be {quoted(value)}.", was) from None
    return name, taken


def _check(values: dict[str, Any]) -> None:
    """Refuse what could never be used, before any of it counts."""
    namespace = values.get("namespace", "")
    if namespace and not _LABEL.fullmatch(namespace):
        step = "It has small letters, digits and -, 63 at most."
        raise UsageError(f"No namespace can be called {quoted(namespace)}.", step)
    if values.keys() & {"context", "kubeconfig"}:
        from kubeai_notebook.session.configured import kubeconfig_of

        given = {name: value for name, value in values.items() if name != "kubeconfig" or value}
        try:
            kubeconfig_of(replace(settings.current(), **given))
        except KubeconfigError as error:
            raise UsageError(f"{error.message} Nothing was changed.", _IN_PLACE) from None


def _rows(call: Invocation, now: settings.KubeAI) -> Iterator[Setting]:
    from kubeai_notebook.session.configured import effects_of

    session = call.session
    where = session.where if session.connected else None
    effects = {effect.name: effect for effect in effects_of(session.settings, where)}
    for name in ("context", "cluster", "server", "login", "namespace"):
        effect = effects[name]
        stated = _setting(now, name) if name in _names(now) else None
        source = stated.source if stated and getattr(now, name) else effect.source
        yield Setting(name, masked(effect.value), source, stated.help if stated else _HELP[name])
    for name in _names(now):
        if name not in effects:
            yield _setting(now, name)


def _setting(now: settings.KubeAI, name: str) -> Setting:
    trait = now.traits()[name]
    value, source = masked(str(getattr(now, name))), "default"
    if getattr(now, name) != trait.default():
        source = "this kernel" if name in changed_here() else "IPython's configuration"
    elif name == "endpoint" and (stated := settings.current().platform_endpoint):
        value, source = masked(stated), "$KUBEAI_ENDPOINT"
    elif name == "kubeconfig" and (path := settings.current().kubeconfig_path):
        usual = Path.home() / ".kube" / "config"
        value, source = (str(usual), "its usual place") if Path(path) == usual else (path, "$KUBECONFIG")
    return Setting(name, value, source, str(trait.help))
