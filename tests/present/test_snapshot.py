from datetime import UTC, datetime, timedelta

import pytest

from kubeai_notebook.present.snapshot import snapshot_of, text_of
from kubeai_notebook.present.wire import Card, CardFact, CardFinding, CardRemedy

AT = datetime(2026, 11, 22, 20, 0, 0, tzinfo=UTC)
LOADING = Card(
    name="smol",
    namespace="default",
    phase="Loading",
    tone="busy",
    announcement="Model smol is Loading.",
    detail="Starting llama.cpp.",
    facts=(CardFact(label="Replicas", value="0 of 1 ready"), CardFact(label="Source", value="ollama://a&b")),
    phase_since_seconds=AT.timestamp() - 38,
)


def remedy(number: int, title: str, how: str = "") -> CardRemedy:
    return CardRemedy(id=f"id{number}", number=number, title=title, kind="change" if how else "advice", how=how)


FAILING = LOADING.model_copy(
    update={
        "phase": "Failing",
        "tone": "bad",
        "next_step": "Waiting for you.",
        "findings": (
            CardFinding(
                code="X",
                message="Out of <memory>",
                evidence="exit 137",
                remedies=(remedy(1, "One."), remedy(2, "Two.")),
            ),
        ),
    }
)


def test_reads_as_text() -> None:
    first, *rest = text_of(LOADING, at=AT).splitlines()
    assert first == "… smol (default) Loading for 38 s"
    assert rest[:-1] == ["Starting llama.cpp.", "Replicas: 0 of 1 ready", "Source: ollama://a&b"]
    assert rest[-1].startswith("As seen on 2026-11-2")


def test_numbers_the_fixes_of_a_finding() -> None:
    lines = text_of(FAILING, at=AT).splitlines()
    assert "Waiting for you." in lines
    begin = lines.index("Waiting for you.") + 1
    assert lines[begin : begin + 4] == ["! Out of <memory>", "    exit 137", "  1. One.", "  2. Two."]
    assert lines.index("Source: ollama://a&b") > begin + 3


def test_shows_the_numbers_that_the_card_gives() -> None:
    three = remedy(3, "Three.", "%kubeai_why smol --fix 3")
    second = CardFinding(code="Y", message="Another.", evidence="", remedies=(three,))
    both = FAILING.model_copy(update={"findings": (*FAILING.findings, second)})
    assert "  3. Three. (%kubeai_why smol --fix 3)" in text_of(both, at=AT).splitlines()
    assert '<li value="3">Three. (%kubeai_why smol --fix 3)</li>' in snapshot_of(both, at=AT)


def test_escapes_what_came_from_a_cluster() -> None:
    html = snapshot_of(FAILING.model_copy(update={"detail": "<script>x</script>"}), at=AT)
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "Out of &lt;memory&gt;" in html
    assert "ollama://a&amp;b" in html
    assert "<script" not in html


@pytest.mark.parametrize("card", [LOADING, FAILING])
def test_says_in_html_all_that_it_says_in_text(card: Card) -> None:
    html = snapshot_of(card, at=AT)
    for word in (
        card.name,
        card.namespace,
        card.phase,
        "38 s",
        card.detail,
        card.next_step,
        "0 of 1 ready",
        "As seen on",
    ):
        assert word in html


def test_says_that_it_may_be_old() -> None:
    lost = LOADING.model_copy(update={"link": "reconnecting", "link_since_seconds": AT.timestamp() - 12})
    since = datetime.fromtimestamp(AT.timestamp() - 12, UTC).astimezone()
    sentence = f"Not connected since {since:%H:%M:%S}. What follows is as it was then."
    assert text_of(lost, at=AT).splitlines()[1] == sentence
    assert sentence in snapshot_of(lost, at=AT)
    later = text_of(lost, at=AT + timedelta(days=2))
    assert f"Not connected since {since:%Y-%m-%d %H:%M:%S}." in later


def test_shows_measured_progress() -> None:
    assert "Loading for 38 s, 44%" in text_of(LOADING.model_copy(update={"progress": 0.44}), at=AT)


@pytest.mark.parametrize(
    ("seconds", "words"), [(59, "59 s"), (252, "4 min 12 s"), (7_500, "2 h 5 min"), (273_600, "3 d 4 h"), (-5, "0 s")]
)
def test_writes_a_time_in_its_two_largest_units(seconds: int, words: str) -> None:
    card = LOADING.model_copy(update={"phase_since_seconds": AT.timestamp() - seconds})
    assert text_of(card, at=AT).splitlines()[0].endswith(f"for {words}")
