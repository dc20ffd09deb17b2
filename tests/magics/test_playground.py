"""The line that shows a playground, where it asks for what there is none of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kubeai_notebook.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def two(here: Callable[[str], Any]) -> Callable[[str], Any]:
    """A Model that chats and one of embeddings; both sleep."""
    here("%kubeai_serve ollama://smollm2:135m --name smol --min-replicas 0")
    here("%kubeai_serve ollama://all-minilm --name vec --min-replicas 0")
    here("import pandas as pd\ndf = pd.DataFrame({'text': ['a'], 'topic': ['b']})")
    return here


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("vec smol", "vec makes embeddings; smol cannot answer beside it.", "Open them one at a time."),
        (
            "smol --data df --column text",
            "--data and --column are for the playground of an embedding Model, and smol is none.",
            "Leave them out.",
        ),
        ("vec --new", "--new is for the playground of a Model that chats, and vec is none.", "Leave it out."),
        ("vec --data df", "Which column holds the texts?", "--column is one of: text, topic."),
    ],
)
def test_is_refused_in_the_words_that_were_typed(two: Callable[[str], Any], line: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        two(f"%kubeai_playground {line}")
    assert (refused.value.message, refused.value.hint) == (message, hint)
