"""What somebody who chooses an Offer wants to know of it, in one line: the table of the catalog has a column for each.

It stands by itself since that table loads pandas, and a list in a form or a sidebar needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.messages import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.catalog.offers import Offer


def offer_words(offer: Offer) -> str:
    """Whether it lies here, its size, whether it fits or what it needs, and what serves it, as far as it is known.

    >>> from kubeai_notebook.core.catalog.offers import offers_of
    >>> {offer.url: offer_words(offer) for offer in offers_of((), None)}["ollama://smollm2:135m"]
    'about 271 MB'
    """
    return ", ".join(_words(offer))


def _words(offer: Offer) -> Iterator[str]:
    if offer.model:
        yield f"served as {offer.model}"
    if offer.here:
        yield "downloaded"
    elif offer.fits is not None or offer.lacks:  # of a cluster nobody knows what its nodes have downloaded
        yield "not downloaded"
    if offer.size_bytes is not None:
        yield ("about " if offer.source == "known" else "") + size(offer.size_bytes)
    if offer.lacks:
        yield offer.why
    elif offer.fits is not None:
        yield "fits" if offer.fits else f"does not fit: {offer.why}" if offer.why else "does not fit"
