"""Each recorded log, in the state of the Pod that wrote it, gives its one Finding, or none."""

from dataclasses import replace

import pytest

from kubeai_notebook.core.diagnosis import diagnose
from kubeai_notebook.core.masking import masked, masked_lines
from kubeai_notebook.core.remedy import SetArgument
from kubeai_notebook.text import plain

from . import recorded
from .scenes import NOW

ENTRIES = recorded.entries()
# Its url alone is wrong already: a query string beside a cacheProfile.
ALSO_WRONG_BY_MODEL = {"loader-s3-query": ["InvalidModelUrl"]}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_a_recorded_log_is_explained_by_its_cause(entry):
    found = diagnose(recorded.observation(entry), now=NOW)

    expected = ALSO_WRONG_BY_MODEL.get(entry["name"], []) + ([entry["code"]] if entry["code"] else [])
    assert [finding.code for finding in found] == expected
    for finding in found:
        assert finding.evidence
        assert all(len(piece.text) <= 300 for piece in finding.evidence)
        assert finding.remedies
        assert "{" not in finding.message


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if "line" in entry], ids=lambda entry: entry["name"])
def test_shows_the_line_that_decides(entry):
    (found,) = diagnose(recorded.observation(entry), now=NOW)
    assert entry["line"] in found.evidence[0].text


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if "fix" in entry], ids=lambda entry: entry["name"])
def test_offers_what_cures_a_recorded_log(entry):
    (found,) = diagnose(recorded.observation(entry), now=NOW)
    kind, _, words = entry["fix"].partition(" ")

    offered = [(remedy.kind, remedy.title) for remedy in found.remedies]
    assert any(how == kind and words.lower() in title.lower() for how, title in offered), offered
    assert not [title for how, title in offered if how == "change" and kind == "change" and words not in title]


def test_explains_the_wrong_length_with_both_numbers_and_the_right_one_as_fix():
    entry = next(entry for entry in ENTRIES if entry["code"] == "MaxModelLenTooLarge")

    (found,) = diagnose(recorded.observation(entry), now=NOW)

    assert "at most 8192 tokens, but --max-model-len asks for 131072" in found.message
    assert found.remedies[0].changes == (SetArgument(name="--max-model-len", value="8192"),)


def test_never_shows_the_api_key_that_infinity_prints():
    entry = next(entry for entry in ENTRIES if entry["name"] == "inf-no-gpu-key")

    assert "not-a-real-key" not in str(diagnose(recorded.observation(entry), now=NOW))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_masks_only_the_secrets_in_a_recorded_log(entry):
    lines = [line for tail in recorded.observation(entry).logs for line in plain(tail.text).split("\n")]
    changed = [line.strip() for line, shown in zip(lines, masked_lines(lines), strict=True) if line != shown]
    assert [line for line in changed if "not-a-real-key" not in line] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_masking_a_log_hides_no_cause(entry):
    """Logs are masked before anybody keeps them, so a diagnosis sees them masked."""
    seen = recorded.observation(entry)
    hidden = tuple(replace(tail, text=masked(tail.text)) for tail in seen.logs)
    found = [finding.code for finding in diagnose(replace(seen, logs=hidden), now=NOW)]
    assert found == [finding.code for finding in diagnose(seen, now=NOW)]
