import pytest

from kubeai_notebook.errors import UsageError
from kubeai_notebook.magics.registry import VERBS


def test_lists_every_magic(run) -> None:
    listing = run("%kubeai")
    for verb in VERBS:
        assert f"{verb.magic} " in repr(listing)
        assert f"<code>{verb.magic}</code>" in listing._repr_html_()


def test_says_each_magic_by_the_umbrellas_name(run) -> None:
    assert repr(run("%kubeai serve --help")) == repr(run("%kubeai_serve --help"))
    assert repr(run("%kubeai apply --help")).startswith("usage: %%kubeai_apply")
    with pytest.raises(UsageError, match="has nothing to send"):
        run("%%kubeai chat smol\n\n \n")


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("%kubeai srve x", '%kubeai has no verb "srve". Did you mean "serve"?'),
        ("%kubeai zzzz", "%kubeai lists them."),
        ("%kubeai chat smol", "begin the cell with %%kubeai_chat smol and write it below"),
        ("%kubeai ps", '%kubeai has no verb "ps". %kubeai_models does that.'),
        ("%kubeai list", "%kubeai_models does that."),
        ("%kubeai run x", "%kubeai_serve does that."),
        ("%kubeai rm x", "%kubeai_delete does that."),
        ("%%kubeai models\nx", "Write %kubeai models with one %."),
    ],
)
def test_answers_a_mistake_with_one_sentence(run, cell: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        run(cell)
    assert sentence in str(raised.value)
