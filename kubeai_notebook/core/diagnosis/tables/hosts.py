"""A registry's or hub's name that is like a known one: misspelt names are what cannot be reached most often."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.engine.remedies import Template, advise, set_env, set_field
from kubeai_notebook.core.near_urls import near_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubeai_notebook.core.diagnosis.engine.case import Case

_ENDPOINT = "HF_ENDPOINT"
_MEANT = "Did you mean {meant_host}?"

_FIXES = {
    "url": set_field("url", "{meant_url}", f"{_MEANT} Use {{value}}."),
    "image": set_field("image", "{meant_image}", f"{_MEANT} Set image to {{value}}."),
    "env": set_env(_ENDPOINT, "{meant_endpoint}", f"{_MEANT} Set env.{{variable}}."),
}


def did_you_mean(*fields: str) -> tuple[Template, ...]:
    """The first fix of a host that cannot be reached: in the field that names it, where a known name is like it."""
    elsewhere = advise(f"{_MEANT} Correct it where {{wrong_host}} is written.", unless="meant_here")
    return (*(_FIXES[field] for field in fields), elsewhere)


def meant_host(case: Case) -> Mapping[str, str]:
    """The known host that is meant, and the fields of the Model as they are with it."""
    wrong = case.values.get("host", "")
    meant = near_host(wrong)
    if not meant:
        return {}
    scene = case.scene
    written = {
        "meant_url": str(scene.spec.get("url", "")),
        "meant_image": str(scene.spec.get("image", "")),
        "meant_endpoint": scene.env.get(_ENDPOINT, ""),
    }
    # Where it is all of a host's name: a part of another's would make that one's a third.
    whole = re.compile(rf"(?:^|(?<=//)|(?<=@)){re.escape(wrong)}(?![\w.-])")
    corrected = {name: whole.sub(meant, text, count=1) for name, text in written.items() if whole.search(text)}
    return {"meant_host": meant, "wrong_host": wrong, "meant_here": "yes" if corrected else "", **corrected}
