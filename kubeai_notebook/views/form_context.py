"""What a form needs of the place where it serves: plain functions, so that a test gives its own.

A form knows nothing else of a Session, so it is tried without a cluster, and whoever serves forms elsewhere gives other
functions.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kubeai_notebook.core import pasted
from kubeai_notebook.core.field_aliases import flattened, read_fields
from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.inference import complete
from kubeai_notebook.core.masking import masked
from kubeai_notebook.core.objects import name_of, text_at
from kubeai_notebook.core.source import Source
from kubeai_notebook.errors import SessionClosedError, UsageError
from kubeai_notebook.present.offer_words import offer_words
from kubeai_notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kubeai_notebook.core.catalog.offers import Offer
    from kubeai_notebook.core.estimate import Figures
    from kubeai_notebook.core.facts import ClusterFacts
    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Notice
    from kubeai_notebook.present.plan_report import PlanReport
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.session import Session

_DEFAULTS = {field.name: field.default for field in FIELDS}
_LONGEST = 200


def _unavailable(*_: object, **__: object) -> Any:
    raise UsageError("This form is tied to no cluster.", "Copy one of its texts.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormContext:
    """What a form needs of the place where it serves; at every key only ``facts`` is called, which asks nobody."""

    facts: Callable[[], ClusterFacts | None] = lambda: None
    """What is known of the cluster by now; ``None``: nothing yet."""
    plan: Callable[..., PlanReport] = _unavailable
    """Takes fields, and as ``seen`` the Model that they were filled from."""
    serve: Callable[..., Model] = _unavailable
    """Takes fields or a PlanReport, and ``force`` and ``yes``, as `Session.serve`."""
    refresh: Callable[[], None] = lambda: None
    """Have the cluster asked again for what follows."""
    offers: Callable[[], Iterable[Offer]] = tuple
    models: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    """The Models of the namespace, as the API gives them."""
    presets: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
    read_magic: Callable[[str], Mapping[str, Any]] = _unavailable
    """The fields of a line or cell of a magic: `magics.serve.fields_of_text`, which no view may import."""
    figures: Callable[[str], Figures | None] = lambda _url: None
    """Asks a hub for what the model of a url takes; ``None`` where it is away, or takes over two seconds."""
    free: Callable[[], Mapping[str, int] | None] = lambda: None
    """Asks how many units of each resource profile could start now; ``None`` where that may not be read."""
    url_notices: Callable[[ModelSpec], Sequence[Notice]] = lambda _spec: ()
    """What the plan will say of the url: that it is misspelt, or too large for this machine; may ask the cluster."""
    default_profile: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Something that a form can be filled from."""

    key: str
    """``catalog:<url>``, ``preset:<name>`` or ``model:<name>``."""
    group: Literal["catalog", "preset", "model"]
    title: str
    detail: str = ""


def context_of(session: Session, *, read_magic: Callable[[str], Mapping[str, Any]] = _unavailable) -> FormContext:
    """What a form needs, of a Session; it asks nobody before the form does."""
    from kubeai_notebook import settings, store
    from kubeai_notebook.calls import hub_figures
    from kubeai_notebook.deploy.free import free_of
    from kubeai_notebook.deploy.preflight import url_notices
    from kubeai_notebook.session import planning, verbs

    return FormContext(
        facts=lambda: _known_facts(session),
        plan=lambda fields, **how: planning.plan(session, fields, **how),
        serve=lambda what, **how: session.handle(verbs.serve(session, what, **how)),
        refresh=session.forget_facts,
        offers=lambda: session.facts.offers,
        models=lambda: session.facts.models,
        presets=store.presets,
        read_magic=read_magic,
        figures=lambda url: hub_figures.figures_of(url, hub=settings.hub()),
        free=lambda: free_of(session.cluster, session.facts),
        url_notices=lambda spec: url_notices(session.facts, spec),
        default_profile=session.settings.default_profile,
    )


def _known_facts(session: Session) -> ClusterFacts | None:
    """A form whose Session was closed can still be edited and copied; Deploy says that it was."""
    with suppress(SessionClosedError):
        facts: ClusterFacts | None = session.known("facts")
        return facts
    return None


def starts_of(context: FormContext) -> list[Start]:
    """What a form can be filled from at this moment, the user's own first; asks the cluster."""
    context.refresh()  # what was served, or downloaded, a moment ago is there now
    presets = [
        Start(key=f"preset:{name}", group="preset", title=name, detail=shown(str(fields.get("url", ""))))
        for name, fields in context.presets().items()
    ]
    models = [
        Start(
            key=f"model:{name_of(model)}",
            group="model",
            title=name_of(model),
            detail=shown(text_at(model, "spec", "url")),
        )
        for model in context.models()
    ]
    offers = [
        Start(key=f"catalog:{offer.url}", group="catalog", title=shown(offer.url), detail=shown(offer_words(offer)))
        for offer in context.offers()
    ]
    return [*presets, *models, *offers]


def started(context: FormContext, key: str) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
    """The flat fields of one of `starts_of`, and the Model that they are of, where they are one's; may ask the cluster.

    Raises:
        UsageError: there is no such start any more.
    """
    group, _, name = key.partition(":")
    if group == "preset" and name in (presets := context.presets()):
        return flattened(read_fields(presets[name])[0]), None
    for model in context.models() if group == "model" else ():
        if name_of(model) == name:
            # What the API server has filled in is not stated: it would be doubted, and copied into every text.
            given = pasted.fields_of_model(model)
            return {name: value for name, value in given.items() if value != _DEFAULTS[name]}, model
    for offer in context.offers() if group == "catalog" else ():
        if offer.url == name:
            return _fields_of_offer(offer, context.default_profile), None
    raise UsageError(f'There is no "{one_line(name, 80)}" to start from any more.', "Choose another one.")


def _fields_of_offer(offer: Offer, default_profile: str) -> dict[str, Any]:
    """The url, and what the offer knows better than its url says: what was chosen is what the form shows."""
    inferred, _ = complete({"url": offer.url}, Source(offer.url), default_profile=default_profile)
    known = {"engine": offer.engine, "features": list(offer.features)}
    return {"url": offer.url, **{name: value for name, value in known.items() if value and value != inferred[name]}}


def shown(text: str) -> str:
    """A text of somebody else's in a line, without what looks like a secret."""
    return one_line(masked(text), _LONGEST)
