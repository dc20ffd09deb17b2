"""Kubernetes quantities, exactly: ``100m``, ``1.5``, ``24Gi``, ``2e3``."""

from __future__ import annotations

import re
from fractions import Fraction

from kubeai_notebook.core.notice import wrong
from kubeai_notebook.errors import SpecError

_QUANTITY = re.compile(
    r"(?P<number>[+-]?([0-9]{1,40}(\.[0-9]{0,20})?|\.[0-9]{1,20}))(?P<unit>[eE][+-]?[0-9]{1,2}|[numkMGTPE]|[KMGTPE]i|)"
)
_UNITS = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1)}
_UNITS |= {letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", 1)}
_UNITS |= {f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", 1)}


def quantity_of(text: str | float) -> Fraction:
    """Read a quantity as Kubernetes does.

    >>> quantity_of("1.5Gi") == quantity_of("1536Mi")
    True

    Raises:
        SpecError: it is no quantity.

    Source: ``resource.ParseQuantity`` of apimachinery.
    """
    match = _QUANTITY.fullmatch(str(text))
    if match is None or isinstance(text, bool):
        message = f'"{str(text)[:40]}" is no quantity. Write it like 2, 500m or 24Gi.'
        raise SpecError([wrong("resources", "InvalidQuantity", message)])
    unit = match["unit"]
    scale = Fraction(10) ** int(unit[1:]) if unit[:1] in ("e", "E") and len(unit) > 1 and unit != "Ei" else _UNITS[unit]
    return Fraction(match["number"]) * scale


def to_quantity(amount: Fraction) -> str:
    """Write an amount with the largest unit that keeps it whole.

    >>> to_quantity(quantity_of("2Gi") * 3)
    '6Gi'
    """
    for letter, scale in reversed(_UNITS.items()):
        if letter.endswith("i") and amount and amount % scale == 0:
            return f"{amount / scale}{letter}"
    return str(amount) if amount.denominator == 1 else f"{float(amount * 1000):g}m"
