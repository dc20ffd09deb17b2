import pytest

from kubeai_notebook.core.pasted import fields_of_text
from kubeai_notebook.errors import SpecError


def test_reads_many_wrong_fields_of_a_text_in_a_moment() -> None:
    """Their lines are looked up once for all: by each they took minutes."""
    text = "url: hf://a/b\n" + "".join(f"unknown{number}: x\n" for number in range(1_000))
    with pytest.raises(SpecError) as raised:
        fields_of_text(text)
    assert raised.value.notices[0].message.startswith("Line 2: ")
    assert raised.value.notices[-1].message == "… and 980 more that are no fields. Leave them out."
