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
