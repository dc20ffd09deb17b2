"""How often a display is updated."""

from __future__ import annotations

from kubeai_notebook.magics.live_output import FRAME_SECONDS, Updated


class Clock:
    """Stands still but for what is added."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def updated(seconds: float) -> tuple[Updated, Clock]:
    """A display that has been updated once, which took so long."""
    clock = Clock()

    def make() -> dict[str, str]:
        clock.seconds += seconds
        return {"text/plain": "x"}

    shown = Updated(make, clock=clock)
    shown.update()
    return shown, clock


def test_shows_a_short_text_at_each_frame() -> None:
    shown, clock = updated(0.001)
    assert not shown.due
    clock.seconds += FRAME_SECONDS
    assert shown.due


def test_costs_a_tenth_of_the_time_at_most_where_rendering_takes_long() -> None:
    shown, clock = updated(0.1)
    clock.seconds += 0.9
    assert not shown.due
    clock.seconds += 0.1
    assert shown.due


def bytes_of_answer(tokens: int) -> int:
    """What is sent for an answer of so many tokens of four characters, 50 a second."""
    clock, text, sent = Clock(), "", 0

    def make() -> dict[str, str]:
        nonlocal sent
        sent += 2 * len(text)
        return {"text/plain": text, "text/markdown": text}

    shown = Updated(make, clock=clock)
    for _ in range(tokens):
        text += "word"
        clock.seconds += 0.02
        if shown.due:
            shown.update()
    shown.update()
    return sent


def test_sends_twice_the_bytes_for_an_answer_of_twice_the_length() -> None:
    assert bytes_of_answer(20_000) < 2.5 * bytes_of_answer(10_000)
