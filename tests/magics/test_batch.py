"""The magics for tables, on real Models: what they give, and what they say to a slip of the pen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from kubeai_notebook.errors import CallError, KubeAIError, NotFoundError, UsageError
from kubeai_notebook.session.mapping import BatchJob

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[[str], Any]

ASK = "--max-tokens 30 --temperature 0"


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of these tests lie in a folder of their own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def smol(here: Run, shell: Any) -> Run:
    here("%kubeai_serve smol --url ollama://smollm2:135m --wait;")
    texts = ["The soup was good.", "The soup was cold.", None]
    shell.user_ns["reviews"] = pd.DataFrame({"text": texts, "my note": ["a", "b", "c"]}, index=[5, 5, 9])
    return here


@pytest.fixture
def mini(here: Run, shell: Any) -> Run:
    here("%kubeai_serve mini --url ollama://all-minilm --feature TextEmbedding --wait;")
    shell.user_ns["reviews"] = pd.DataFrame({"text": ["The soup was good.", None]}, index=["x", "y"])
    return here


def test_asks_about_every_row_of_a_variable(smol: Run, shell: Any) -> None:
    shell.user_ns["topic"] = "food"
    smol(f"%%kubeai_map smol reviews {ASK} --schema good,bad -o out\nIs this {{{{topic}}}} good? {{text}}")
    out = shell.user_ns["out"]
    assert type(out) is pd.DataFrame
    assert list(out.columns) == ["text", "my note", "label", "error", "raw"]
    assert list(out.index) == [5, 5, 9]
    assert set(out["label"].dropna()) <= {"good", "bad"}
    assert out["error"].iloc[2] == "text is missing in this row; nothing was sent."


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("Classify: {{text}}", r"A column takes single braces: \{text\}"),
        ("{topic}: {text}", r"\{topic\} stands for a column, and the table has none.*double braces: \{\{topic\}\}"),
        ("Classify {{nosuch}}: {text}", 'There is no variable "nosuch" to be filled in'),
        ("Classify.", r"names no column .* \{text\} stands for a row's cell"),
    ],
)
def test_says_which_braces_are_whose(here: Run, shell: Any, prompt: str, sentence: str) -> None:
    here("%kubeai_serve smol --url ollama://smollm2:135m --min-replicas 0;")
    shell.user_ns.update(topic="food", reviews=pd.DataFrame({"text": ["a"]}))
    with pytest.raises(UsageError, match=sentence):
        here(f"%%kubeai_map smol reviews\n{prompt}")


def test_takes_labels_and_classes_from_variables(smol: Run, shell: Any) -> None:
    smol("from pydantic import BaseModel\nclass Mood(BaseModel):\n    happy: bool\nkinds = ['good', 'bad']")
    smol("%%kubeai_map smol reviews --schema Mood --max-tokens 30 --limit 1 -o out\nIs this happy? {text}")
    out = shell.user_ns["out"]
    assert str(out["happy"].dtype) == "boolean"
    smol(f"%%kubeai_map smol reviews[:1] {ASK} --schema kinds --into kind -o out\n{{my note}} {{text}}")
    out = shell.user_ns["out"]
    assert out["kind"].iloc[0] in ("good", "bad")


def test_asks_again_where_it_is_told_to(smol: Run) -> None:
    sent = []
    for option in ("", "", "--fresh"):
        job = smol(
            f"%%kubeai_map smol reviews --schema good,bad --temperature 0 --background {option}\nIs this good? {{text}}"
        )
        assert isinstance(job, BatchJob)
        job.result(60)
        sent.append(job.progress.sent)
    assert sent == [2, 0, 2]


def test_gives_the_rows_that_failed_beside_the_table(smol: Run, shell: Any) -> None:
    smol(f"%%kubeai_map smol reviews {ASK} --errors frame -o both\n{{text}}")
    whole, failed = shell.user_ns["both"]
    assert len(whole) == 3
    assert failed["error"].iloc[-1] == "text is missing in this row; nothing was sent."
    assert failed.index[-1] == 9


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("%%kubeai_map smol reviws\n{text}", 'There is no variable "reviws". Did you mean "reviews"?'),
        ("%%kubeai_map smol reviews\n{txt}", 'The frame has no column "txt". Did you mean "text"?'),
        ("%%kubeai_map smol reviews\nno column", "names no column of the frame"),
        ("%%kubeai_map smol reviews --schema kids\n{text}", 'There is no variable "kids".'),
        ("%%kubeai_map smol reviews --schema good,good\n{text}", 'names the label "good" twice'),
        ("%%kubeai_map smol reviews --errors ignore\n{text}", '--errors takes "column"'),
        ("%%kubeai_map smol reviews --limit 0\n{text}", "--limit takes a whole number from 1 up"),
        ("%%kubeai_map smol reviews --into text\n{text}", 'has a column "text" already'),
        ("%%kubeai_map smol no.parquet --to b.parquet\n{text}", "There is no file no.parquet|need pyarrow"),
        ("%%kubeai_map smol reviews\n \n", "needs a prompt in the lines below"),
        ("%kubeai_map smol reviews", "needs a prompt in the lines below"),
        ("%%kubeai_map smol\n{text}", "TABLE is missing"),
        ("%%kubeai_map smol_terse reviews\n{text}", 'smol has no adapter "terse". It has none.'),
        ("%%kubeai_map smoll reviews\n{text}", 'Did you mean "smol"?'),
        ("%kubeai_compare smol smol hello", "Both sides are smol."),
        ("%kubeai_compare smol", "B is missing"),
        ("%kubeai_compare smol other", "has no prompt"),
        ("%kubeai_compare smol smoll hello", 'Did you mean "smol"?'),
    ],
)
def test_answers_a_mistake_with_one_sentence(smol: Run, cell: str, sentence: str) -> None:
    with pytest.raises(KubeAIError, match=sentence.replace("(", r"\(")) as raised:
        smol(cell)
    assert isinstance(raised.value, UsageError | NotFoundError)


def test_names_the_one_of_two_that_is_asked_by_another_magic(here: Run) -> None:
    here("%kubeai_serve smol --url ollama://smollm2:135m --min-replicas 0;")
    here("%kubeai_serve mini --url ollama://all-minilm --feature TextEmbedding --min-replicas 0;")
    with pytest.raises(CallError) as raised:
        here("%kubeai_compare smol mini hello")
    assert str(raised.value).startswith('"mini" makes embeddings; it does not generate text. ')
    assert "%kubeai_embed mini" in raised.value.hint


def test_names_the_one_of_two_that_no_request_wakes(here: Run) -> None:
    for name in ("smol", "other"):
        here(f"%kubeai_serve {name} --url ollama://smollm2:135m --min-replicas 0;")
    here("%kubeai_scale other --pause;")
    with pytest.raises(CallError) as raised:
        here("%kubeai_compare smol other hello")
    assert raised.value.hint == "%kubeai_scale other --resume brings it back."


def test_makes_vectors_of_a_column_a_series_and_a_text(mini: Run, capsys: pytest.CaptureFixture[str]) -> None:
    out = mini("%kubeai_embed mini reviews text --into vector")
    assert list(out.columns) == ["text", "vector", "vector_error"]
    assert out["vector"]["x"].shape == (384,)
    assert out["vector_error"]["y"] == "The text is missing or empty; nothing was sent."
    shown = capsys.readouterr().out
    assert "mini: 2 of 2 rows, 1 failed" in shown
    assert "row y: The text is missing or empty; nothing was sent." in shown
    mini("%kubeai_embed mini reviews text --into quiet;")
    assert "failed" not in capsys.readouterr().out
    vectors = mini("vectors = %kubeai_embed mini reviews.text\nvectors")
    assert list(vectors.index) == ["x", "y"]
    assert vectors.shape == (2, 384)
    asked = mini("%kubeai_embed mini --query How good is the soup?")
    assert list(asked.index) == ["How good is the soup?"]
    assert mini("%kubeai_embed mini soup").shape == (1, 384)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("%kubeai_embed mini reviews", "reviews is a table; name its column, too. (UsageError)"),
        ("%kubeai_embed mini reviews txt", 'The frame has no column "txt". Did you mean "text"?'),
        ("%kubeai_embed mini reviws text", 'There is no variable "reviws". Did you mean "reviews"?'),
        ("%kubeai_embed mini", "TABLE COLUMN is missing"),
        ("%kubeai_embed minni reviews text", 'Did you mean "mini"?'),
    ],
)
def test_names_what_an_embedding_lacks(mini: Run, line: str, sentence: str) -> None:
    with pytest.raises(KubeAIError) as raised:
        mini(line)
    assert sentence.removesuffix(" (UsageError)") in str(raised.value)


def test_refuses_a_model_that_was_served_for_something_else(mini: Run) -> None:
    with pytest.raises(CallError, match='"mini" makes embeddings'):
        mini("%%kubeai_map mini reviews\n{text}")


def test_shows_two_models_side_by_side(smol: Run) -> None:
    smol("%kubeai_serve other --url ollama://smollm2:135m --wait;")
    both = smol(f"%kubeai_compare smol other {ASK} What is the capital of France?")
    assert list(both["prompt"]) == ["What is the capital of France?"]
    assert both["smol"][0] == both["other"][0]
    assert both["smol seconds"][0] > 0
    assert both["other tokens/s"][0] > 0
    assert both["other error"].isna().all()
    text = repr(both)
    assert text.splitlines()[0] == "What is the capital of France?"
    assert "  other (" in text
    assert "tokens/s): " in text
    assert "<td" in both._repr_html_()
    several = smol(f"%%kubeai_compare smol other {ASK} -o both\nName a cheese.\n\nName a sea.")
    assert list(several["prompt"]) == ["Name a cheese.", "Name a sea."]
    longer = smol(f"%%kubeai_compare smol other {ASK}\nTranslate:\nHello.\n---\nName a sea.")
    assert list(longer["prompt"]) == ["Translate:\nHello.", "Name a sea."]
