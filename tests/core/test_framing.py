import pytest

from kubeai_notebook.core.framing import EndlessLineError, events_of, lines_of

TEXT = b"one\n\ntwo\r\nthree"


@pytest.mark.parametrize("size", range(1, len(TEXT) + 2))
def test_gives_the_same_lines_wherever_the_pieces_end(size: int) -> None:
    pieces = [TEXT[begin : begin + size] for begin in range(0, len(TEXT), size)]
    assert list(lines_of(pieces, 100)) == [b"one", b"", b"two\r", b"three"]
    assert list(lines_of(pieces, 100, rest=False)) == [b"one", b"", b"two\r"]


def test_ends_a_line_that_has_no_end() -> None:
    with pytest.raises(EndlessLineError):
        list(lines_of(iter(lambda: b"x" * 10, b""), 100))


def test_keeps_the_beginning_of_a_long_line_that_may_be_cut() -> None:
    pieces = [b"x" * 150, b"y" * 150, b"y\nshort\n", b"z" * 101]
    assert list(lines_of(pieces, 100, cut=True)) == [b"x" * 100 + b"y", b"short", b"z" * 100]


@pytest.mark.parametrize("size", range(1, 40))
def test_gives_the_same_events_wherever_the_pieces_end(size: int) -> None:
    text = b"event: x\ndata: one\r\n\r\n: comment\n\ndata:two\ndata: lines\n\ndata: cut"
    pieces = [text[begin : begin + size] for begin in range(0, len(text), size)]
    assert list(events_of(pieces, 100)) == [b"one\n", b"two\nlines\n", b"cut\n"]


def test_ends_an_event_that_has_no_end() -> None:
    with pytest.raises(EndlessLineError):
        list(events_of(iter(lambda: b"data: xx\n", b""), 100))


def test_has_no_line_where_nothing_came() -> None:
    assert list(lines_of([], 10)) == list(lines_of([b""], 10)) == []
