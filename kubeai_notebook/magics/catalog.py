"""The magic that lists what can be served, and what a line says that names no url."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from kubeai_notebook.errors import KubeAIError, SpecError

from .parser import MagicParser, parser_for

if TYPE_CHECKING:
    from kubeai_notebook.core.notice import Notice
    from kubeai_notebook.present.catalog_frame import CatalogFrame

    from .invocation import Invocation

_SHOWN = 3


@cache
def catalog_parser() -> MagicParser:
    """The options of ``%kubeai_catalog``."""
    parser = parser_for(
        "%kubeai_catalog",
        "List the models that can be served, one url a row: those that lie on this machine, those that the cluster\n"
        "has Models of, and small open ones that many begin with; with size, memory, and whether there is room.\n"
        "Any other url of a model can be served as well.",
        "%kubeai_catalog",
        "%kubeai_catalog qwen",
        "%kubeai_catalog --here",
        "%kubeai_catalog --feature TextEmbedding",
        "df = %kubeai_catalog",
        synopsis="[TEXT] [--here] [--fits] [--feature FEATURE] [options]",
    )
    add = parser.add_argument
    add("text", nargs="*", metavar="TEXT", help="words of the url, title or Model")
    add("--here", action="store_true", help="only what lies on this machine, so that nothing is downloaded")
    add("--fits", action="store_true", help="without what this machine surely has no room for, or cannot run")
    add("--feature", metavar="FEATURE", default="", dest="features", help="such as TextEmbedding, or a part of it")
    return parser


def catalog(call: Invocation) -> CatalogFrame:
    """What can be served."""
    options = call.options
    return call.session.catalog(" ".join(options.text), feature=options.features, here=options.here, fits=options.fits)


def without_url(call: Invocation, name: object, error: SpecError) -> SpecError:
    """The error with the three urls that are nearest to the name of all that lie here, as far as that can be asked."""
    from kubeai_notebook.core.catalog.offers import urls_of
    from kubeai_notebook.core.near_urls import urls_like
    from kubeai_notebook.session.planning import NEEDS_URL

    try:
        here = urls_of(offer for offer in call.session.facts.offers if offer.here)
    except KubeAIError:
        here = []
    here = urls_like(str(name), here)
    such = f"On this machine there are {', '.join(here[:_SHOWN])}" if here else "Such as ollama://smollm2:135m"

    def reworded(notice: Notice) -> Notice:
        if (notice.field, notice.code) != ("url", "Required"):
            return notice
        before, missing, _ = notice.message.partition(NEEDS_URL)
        needs = f"{before}A new Model needs a url" if missing else "A Model needs a url"
        return replace(notice, message=f"{needs}. {such}; %kubeai_catalog lists more.")

    return SpecError([reworded(notice) for notice in error.notices])
