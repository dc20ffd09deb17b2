import pytest

from kubeai_notebook.core.profile import ResourceProfile, parse_profile
from kubeai_notebook.errors import SpecError


def test_reads_name_and_multiple() -> None:
    profile = parse_profile("nvidia-gpu-l4:2")
    assert profile == "nvidia-gpu-l4:2"
    assert (profile.name, profile.multiple) == ("nvidia-gpu-l4", 2)


def test_takes_zero_units_as_the_operator_does() -> None:
    assert parse_profile("cpu:0").multiple == 0


def test_counts_a_bare_name_once() -> None:
    assert str(parse_profile("cpu")) == "cpu:1"


@pytest.mark.parametrize("text", ["", ":1", "cpu:", "cpu:00", "cpu:-1", "cpu:1.5", "cpu:x", "cpu:1:1", "cpu:01"])
def test_refuses_what_the_operator_would_silently_ignore(text: str) -> None:
    with pytest.raises(SpecError, match="is not <name>:<multiple>"):
        parse_profile(text)


@pytest.mark.parametrize(
    ("text", "name"), [("cpu", "cpu"), ("", ""), ("cpu:x", "cpu"), ("cpu:1:1", "cpu"), ("a:٣", "a")]
)
def test_keeps_a_text_that_kubeai_cannot_read(text: str, name: str) -> None:
    profile = ResourceProfile(text)
    assert (profile, profile.name, profile.multiple) == (text, name, None)
