"""Cleaning log lines."""

import time

import pytest

from kubeai_notebook.core.diagnosis import clean, diagnose

from .scenes import NOW, crash, model


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("\x1b[1m\x1b[31mError: no\x1b[0m", "Error: no"),
        ("(EngineCore_DP0 pid=39) ERROR 11-22 19:32:44 [core.py:1510] ValueError: x", "ValueError: x"),
        ("(Worker_TP0 pid=51) RuntimeError: x", "RuntimeError: x"),
        ("ERROR 11-22 19:32:44 engine.py:366] ValueError: x", "ValueError: x"),
        ("[rank0]: ValueError: x", "ValueError: x"),
        ("2026-11-22T19:32:44.123456789Z ValueError: x", "ValueError: x"),
        ("++ aws s3 sync a b", "aws s3 sync a b"),
        ("plain", "plain"),
    ],
)
def test_takes_away_what_stands_before_the_words(line, expected):
    assert clean(line) == (expected,)


def test_keeps_every_part_of_a_line_with_carriage_returns():
    assert clean("10%\r20%\rdone") == ("10%", "20%", "done")


def test_joins_the_lines_of_a_box():
    box = "╭─ Error ──╮\n│ Invalid value for '--x': must be one of │\n│ 'a', 'b'   │\n╰──────────╯\nnext"
    assert clean(box) == ("Invalid value for '--x': must be one of 'a', 'b'", "next")


def test_joins_a_record_with_a_hanging_indent_and_drops_the_file_at_its_edge():
    head = "WARNING  2026-11-22 19:47:13,921 hub      _http.py:312"
    record = f"{head}\n         HTTP Error 502 thrown while\n         requesting HEAD\nINFO: x"
    assert clean(record) == ("hub HTTP Error 502 thrown while requesting HEAD", "INFO: x")


@pytest.mark.parametrize(
    "pump", [" ", "\t", "a", "1", "-", ":", "/", ".", "+ ", "a.py:1 ", ".py:1", "\x1b", "\x1b[", "(", "│ "]
)
@pytest.mark.parametrize(
    "head",
    [
        "",
        "INFO 2026-01-01 00:00:00 x ",
        "INFO 2026-01-01 00:00:00",
        "2026-01-01T00:00:00",
        "(A a=b pid=1) ",
        "(A ",
        "│",
    ],
)
def test_takes_time_in_proportion_to_the_line(head, pump):
    line = (head + pump * 30_000)[:30_000] + "y"
    began = time.process_time()
    clean(line)
    # Milliseconds; what is quadratic takes ten seconds.
    assert time.process_time() - began < 2


def test_hides_the_models_own_secrets_wherever_a_log_shows_them():
    env = {"MY_API_KEY": "swordfish-1"}
    found = diagnose(crash("PicoError: refused swordfish-1 here", model(env=env)), now=NOW)
    assert "swordfish" not in str(found)
