"""What families of embedding models want before a text: they were trained with it, and find worse without.

Sources: the model cards of intfloat/e5-*, BAAI/bge-*-v1.5, nomic-ai/nomic-embed-text-v1.5, mixedbread-ai/mxbai-embed-
large-v1 and Snowflake/snowflake-arctic-embed-*.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Role = Literal["query", "passage"]


class Prefixes(NamedTuple):
    """What stands before a question, and before a text that may answer it."""

    query: str = ""
    passage: str = ""


_SENTENCE = "Represent this sentence for searching relevant passages: "
_FAMILIES: tuple[tuple[str, Prefixes], ...] = (
    (r"e5-(small|base|large)(?!.*instruct)", Prefixes("query: ", "passage: ")),
    (r"bge-(small|base|large)-en|bge-(small|base|large)(:|$)", Prefixes(_SENTENCE)),
    (r"bge-(small|base|large)-zh", Prefixes("为这个句子生成表示以用于检索相关文章:".replace(":", "\uff1a"))),
    (r"nomic-embed-text", Prefixes("search_query: ", "search_document: ")),
    (r"mxbai-embed-large", Prefixes(_SENTENCE)),
    (r"snowflake-arctic-embed.*(v2|2\.0)|snowflake-arctic-embed2", Prefixes("query: ")),
    (r"snowflake-arctic-embed", Prefixes(_SENTENCE)),
)


def prefixes_of(url: str) -> Prefixes:
    """The prefixes of the model behind a url; none where its family wants none, or is not known.

    >>> prefixes_of("hf://intfloat/multilingual-e5-small").query
    'query: '
    """
    return next((prefixes for pattern, prefixes in _FAMILIES if re.search(pattern, url.lower())), Prefixes())
