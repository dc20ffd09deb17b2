"""Which releases of KubeAI behave how."""

import pytest

from kubeai_notebook.core.kubeai.releases import NARROW_URLS, PULLS_NOTHING, release_of


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("v0.23.2", (0, 23, 2)),
        ("0.23.20", (0, 23, 20)),
        ("0.24.0-rc1", (0, 24, 0)),
        ("latest", None),
        ("0.23", None),
        ("0.23.x", None),
        ("0.23.²", None),
        ("", None),
        (None, None),
        (23, None),
    ],
)
def test_reads_a_release_or_nothing(version, release):
    assert release_of(version) == release


@pytest.mark.parametrize(
    ("version", "pulls_nothing"),
    [("0.23.1", False), ("0.23.2", True), ("v0.23.4", True), ("0.23.5", False), ("0.23.20", False), (None, None)],
)
def test_knows_the_three_releases_that_pull_nothing(version, pulls_nothing):
    assert PULLS_NOTHING.holds(version) is pulls_nothing


def test_lets_a_behaviour_without_an_end_go_on():
    assert NARROW_URLS.holds("1.0.0") is True
