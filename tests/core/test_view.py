"""What of a View is news to those who show one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubeai_notebook.core.observation import HttpAnswer, LogTail
from kubeai_notebook.core.view import Link, View
from kubeai_notebook.errors import ForbiddenError
from tests.support.views import view_in


def seeing(view: View, **seen: Any) -> View:
    return replace(view, observation=replace(view.observation, **seen))


@pytest.mark.parametrize(
    ("seen", "shows_the_same"),
    [
        ({"answer": HttpAnswer(status=200, seconds=0.4)}, False),
        ({"pods": ({"metadata": {"name": "p", "uid": "u"}},)}, False),
        ({"model": {"metadata": {"name": "smol", "generation": 2}}}, False),
        ({"logs": (LogTail(pod="p", text="one more line"),)}, True),
        ({"events": ({"reason": "Pulled"},)}, True),
    ],
)
def test_is_news_where_a_face_shows_something_else(seen: dict[str, Any], shows_the_same: bool) -> None:
    view = view_in("Ready", ready=1)
    assert seeing(view, **seen).shows_as(view) is shows_the_same


def test_is_no_news_where_the_same_refusal_comes_again() -> None:
    first, again, other = (ForbiddenError(f"may not {verb} pods") for verb in ("list", "list", "watch"))
    assert Link("forbidden", first, 1.0) == Link("forbidden", again, 2.0)
    assert Link("forbidden", first) != Link("forbidden", other)


def test_names_its_model_by_name_and_uid() -> None:
    view = seeing(view_in("Ready"), model={"metadata": {"name": "smol", "uid": "u"}})
    assert (view.name, view.uid) == ("smol", "u")
