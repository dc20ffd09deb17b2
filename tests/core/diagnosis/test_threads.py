"""What users posted in public threads: each text was given its code before the diagnosis saw it."""

from pathlib import Path

import pytest
import yaml

from kubeai_notebook.core.diagnosis import diagnose

from .scenes import NOW
from .test_field import observed

THREADS = yaml.safe_load((Path(__file__).parents[2] / "golden" / "threads.yaml").read_text())
FAILURES = [row for row in THREADS if row["code"] != "none"]
HEALTHY = [row for row in THREADS if row["code"] == "none"]


def name_of(row):
    return f"{row['code']}-{row['source'].removeprefix('https://github.com/')}"


@pytest.mark.parametrize("row", FAILURES, ids=name_of)
def test_names_the_cause_and_the_words_that_say_so(row):
    found = diagnose(observed(row), now=NOW)

    assert [finding.code for finding in found] == [row["code"]]
    assert row["line"] in " ".join(piece.text for piece in found[0].evidence)


@pytest.mark.parametrize("row", [row for row in FAILURES if "fix" in row], ids=name_of)
def test_offers_what_the_text_asks_for(row):
    (found,) = diagnose(observed(row), now=NOW)
    kind, _, words = row["fix"].partition(" ")

    offered = [(remedy.kind, remedy.title) for remedy in found.remedies]
    assert any(how == kind and words.lower() in title.lower() for how, title in offered), offered


@pytest.mark.parametrize("row", HEALTHY, ids=name_of)
def test_sees_no_failure_in_a_warning_of_an_engine_that_goes_on(row):
    assert diagnose(observed(row), now=NOW) == ()
