"""An answer that grows in a cell, as JupyterLab draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.browser

BEGIN = """
from kubeai_notebook.views.answer import AnswerOutput
answer = AnswerOutput("smol is answering …")
for piece in ("# Chee", "ses\\n\\nBrie is **so", "ft**. <img src=x onerror='document.title=1'>"):
    answer.add(piece)
"""
GO_ON = r"""answer.add("\n\n```python\nx = 1\n```\n\nThe end.")"""
END = """answer.end({"text/plain": "Brie", "text/markdown": "# Cheeses\\n\\nBrie is **soft**."})"""


def test_grows_and_becomes_markdown(open_notebook: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    notebook = open_notebook(BEGIN, GO_ON, END)
    output = notebook.run_cell(0)
    growing = output.locator(".kubeai-answer")
    expect(growing.locator("h1")).to_have_text("Cheeses")
    expect(growing.locator("strong")).to_have_text("soft")
    expect(growing).to_contain_text("<img src=x")
    assert growing.locator("img").count() == 0
    notebook.run_cell(1)
    expect(growing.locator("pre code")).to_have_text("x = 1")
    expect(growing).to_contain_text("The end.")
    notebook.picture("answer", growing)
    notebook.run_cell(2)
    expect(output.locator(".jp-RenderedMarkdown strong")).to_have_text("soft")
    expect(growing).to_have_count(0)
