"""Answers that ended at ``max_tokens``: a text is kept and says so, JSON fails for that reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests.support.http_server import HttpServer, json_answer

from .test_batch import SECONDS, chat, frame, mapped, started

if TYPE_CHECKING:
    from pathlib import Path

CUT = "The answer was cut after 10 tokens; a higher max_tokens lets it end."


def test_keeps_a_text_that_was_cut_and_says_so_now_and_the_next_time(tmp_path: Path) -> None:
    def answer(prompt: str) -> Any:
        content = "Once upon" if prompt == "long" else "whole"
        choice = {"finish_reason": "length" if prompt == "long" else "stop", "message": {"content": content}}
        usage = {"prompt_tokens": 10, "completion_tokens": 10 if prompt == "long" else 3}
        return json_answer({"choices": [choice], "usage": usage})

    table, store = pd.DataFrame({"text": ["long", "short"]}), tmp_path / "a.db"
    with HttpServer(chat(answer)) as server:
        for _ in range(2):
            endpoint, job = started(f"{server.address}/openai/v1", table, max_tokens=10, store=store)
            with endpoint:
                out = job.result(SECONDS)
            assert list(out["answer"]) == ["Once upon", "whole"]
            assert out["error"][0] == CUT
            assert (job.progress.failed, job.progress.cut) == (0, 1)
        assert len(server.received) == 2
        whole, reasons = mapped(f"{server.address}/openai/v1", table, errors="frame", max_tokens=10)
    assert list(whole["answer"]) == ["Once upon", "whole"]
    assert list(reasons["error"]) == [CUT]


def test_keeps_a_text_that_the_servers_own_bound_cut(tmp_path: Path) -> None:
    cut = {"finish_reason": "length", "message": {"content": "Once upon"}}
    with HttpServer(chat(lambda _prompt: cut)) as server:
        for _ in range(2):
            out = mapped(f"{server.address}/openai/v1", frame(1), store=tmp_path / "a.db")
            assert (out["answer"][0], out["error"][0]) == ("Once upon", CUT)
        assert len(server.received) == 1


@pytest.mark.parametrize(
    ("content", "schema", "value", "reason"),
    [
        ('{"label": "go', ["good", "bad"], None, CUT),
        ('{"label": "good"}', ["good", "bad"], "good", ""),
        ('{"label": "odd"}', ["good", "bad"], None, CUT),
    ],
    ids=["cut JSON", "whole all the same", "another label"],
)
def test_names_max_tokens_where_cut_json_is_no_answer(
    content: str, schema: Any, value: str | None, reason: str
) -> None:
    cut = {"finish_reason": "length", "message": {"content": content}}
    with HttpServer(chat(lambda _prompt: cut)) as server:
        out = mapped(f"{server.address}/openai/v1", frame(1), schema=schema)
    assert out["label"].fillna("").tolist() == [value or ""]
    assert out["error"].fillna("").tolist() == [reason]
