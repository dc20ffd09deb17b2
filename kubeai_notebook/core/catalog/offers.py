"""What can be served from here: what lies on this machine, what the cluster has Models of, and what is known.

Three sources tell of the same urls. The nearest to the place where it would run counts: what the daemon says of a url
goes before what its publisher says, and a url that a Model serves already names that Model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from kubeai_notebook.core.inference import engine_of, feature_of
from kubeai_notebook.core.masking import masked, quoted
from kubeai_notebook.core.memory import memory_of
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import name_of, text_at, texts_at
from kubeai_notebook.core.rules.schema import FEATURES
from kubeai_notebook.core.source import Source
from kubeai_notebook.errors import SpecError

from .known import KNOWN, KnownModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from .machine import MachineCatalog, MachineModel

# Other people's Models have urls too: no braces, quotation marks, spaces or dashes in front that a line would act on.
_WORD = re.compile(r"[a-z0-9]+://[a-zA-Z0-9._:/-]+(\?[a-zA-Z0-9._:/=&%-]*)?")
Origin = Literal["this machine", "cluster", "known"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One url that can be served."""

    url: str
    features: tuple[str, ...]
    engine: str
    size_bytes: int | None = None
    memory_bytes: int | None = None
    here: bool = False
    """Whether the weights lie on this machine."""
    fits: bool | None = None
    """Whether this machine has room for it now; none where that is not known, as on a cluster."""
    why: str = ""
    lacks: bool = False
    """Whether this machine lacks something else than room, such as an engine, which ``why`` then says."""
    source: Origin
    """Who says so; of a ``known`` one the figures are its publisher's."""
    model: str = ""
    """The Model that serves it already."""
    title: str = ""


def offers_of(models: Iterable[Mapping[str, Any]], local: MachineCatalog | None) -> tuple[Offer, ...]:
    """Every url that is known of, once: what lies here first, then what fits, the smaller the earlier.

    ``models`` are those of the namespace; ``local`` is what the daemon says, where this machine is the cluster.
    """
    offers = {url: _known(model) for url, model in KNOWN.items()}
    offers |= {model.url: _on_machine(model) for model in (local.models if local else ())}
    for item in models:
        if url := text_at(item, "spec", "url"):
            offers[url] = _served(item, offers.get(url), local=local is not None)
    return tuple(sorted(offers.values(), key=_rank))


def _rank(offer: Offer) -> tuple[bool, int, bool, float]:
    hindered = 3 if offer.lacks else (True, None, False).index(offer.fits)
    return not offer.here, hindered, offer.source == "known", offer.size_bytes or float("inf")


def _known(model: KnownModel) -> Offer:
    return Offer(
        url=model.url,
        features=(model.feature,),
        engine=model.engine,
        size_bytes=model.size_bytes,
        memory_bytes=None if model.size_bytes is None else memory_of(model.size_bytes),
        source="known",
        title=model.title,
    )


def _on_machine(model: MachineModel) -> Offer:
    source, known = Source(model.url), KNOWN.get(model.url)
    feature, _ = feature_of(source)
    return Offer(
        url=model.url,
        features=model.features or (feature,),
        engine=known.engine if known else engine_of(source, feature),
        size_bytes=model.size_bytes,
        memory_bytes=model.memory_bytes,
        here=model.here,
        fits=model.fits,
        why=model.why,
        lacks=model.lacks,
        source="known" if model.known else "this machine",
        title=model.title,
    )


def _served(model: Mapping[str, Any], offer: Offer | None, *, local: bool) -> Offer:
    """The offer that a Model makes; its own words on engine and features count."""
    url, name = text_at(model, "spec", "url"), name_of(model)
    features, engine = tuple(texts_at(model, "spec", "features")), text_at(model, "spec", "engine")
    source: Origin = "this machine" if local else "cluster"
    if offer is None:
        return Offer(url=url, features=features, engine=engine, source=source, model=name)
    if offer.model:
        return replace(offer, model=f"{offer.model}, {name}")
    return replace(offer, features=features, engine=engine, source=offer.source if local else source, model=name)


def urls_of(offers: Iterable[Offer]) -> list[str]:
    """Their urls, without those that hold a login and those that a notebook's line would not take as one word."""
    return [offer.url for offer in offers if _WORD.fullmatch(offer.url) and masked(offer.url) == offer.url]


def matching(
    offers: Iterable[Offer], text: str = "", feature: str = "", *, here: bool = False, fits: bool = False
) -> tuple[Offer, ...]:
    """The offers whose url, title, Model or features have every word of the text, and that have ``feature``.

    ``feature`` is a part of its name; ``here``: those that lie on this machine; ``fits``: without those for which it
    surely has no room, or lacks something else.

    >>> {offer.features for offer in matching(offers_of((), None), "bge", "embedding")}
    {('TextEmbedding',)}
    >>> any("smollm2" in offer.url for offer in matching(offers_of((), None), "llama"))
    False

    Raises:
        SpecError: KubeAI has no such feature.
    """
    words, part = text.lower().split(), feature.lower()
    wanted = {name for name in FEATURES if part in name.lower()}
    if not wanted:
        message = f"KubeAI has no feature {quoted(feature)}. It has {', '.join(FEATURES)}."
        raise SpecError([wrong("feature", "InvalidValue", message + did_you_mean(feature, FEATURES))])
    return tuple(
        offer
        for offer in offers
        if (not part or wanted & set(offer.features))
        and (offer.here or not here)
        and not (fits and (offer.fits is False or offer.lacks))
        and all(word in _words_of(offer) or word == offer.url.partition("://")[0] for word in words)
    )


def _words_of(offer: Offer) -> str:
    """What an offer is found by. A scheme is found as a whole only: "llama" means no ollama://."""
    return " ".join([offer.url.partition("://")[2], offer.title, offer.model, *offer.features]).lower()
