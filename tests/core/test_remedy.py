"""A Remedy is data: what it does has an id, a patch and, for a command, one line for a terminal."""

import shlex

import pytest

from kubeai_notebook.core.notice import Finding, addressed
from kubeai_notebook.core.remedy import Command, Remedy, SetArgument, SetEnv, SetField

MODEL = {"spec": {"args": ["--seed=1", "--max-model-len", "8192"], "env": {"A": "1"}, "resourceProfile": "gpu:2"}}
NOT_SAFE = ("a name", "$(reboot)", "it's", "a;b", "`x`", "<file>")


def patch_of(*changes):
    return Remedy(title="Do it.", changes=changes).patch(MODEL)


@pytest.mark.parametrize(
    ("changes", "spec"),
    [
        ((SetArgument(name="--max-model-len", value="2048"),), {"args": ["--seed=1", "--max-model-len=2048"]}),
        ((SetArgument(name="--trust-remote-code"),), {"args": [*MODEL["spec"]["args"], "--trust-remote-code"]}),
        ((SetArgument(name="--seed", value=None),), {"args": ["--max-model-len", "8192"]}),
        ((SetArgument(name="--seed", value=None), SetArgument(name="--max-model-len", value=None)), {"args": None}),
        ((SetEnv(name="B", value="2"), SetEnv(name="A", value=None)), {"env": {"B": "2", "A": None}}),
        (
            (SetField(name="resourceProfile", value="gpu:1"), SetArgument(name="--seed", value="2")),
            {"resourceProfile": "gpu:1", "args": ["--seed=2", "--max-model-len", "8192"]},
        ),
    ],
)
def test_makes_one_patch_of_all_its_changes(changes, spec):
    assert patch_of(*changes) == {"spec": spec}


@pytest.mark.parametrize(
    "change",
    [
        SetArgument(name="--seed", value="1"),
        SetArgument(name="--absent", value=None),
        SetEnv(name="A", value="1"),
        SetEnv(name="B", value=None),
        SetField(name="resourceProfile", value="gpu:2"),
        SetField(name="image", value=None),
    ],
    ids=repr,
)
def test_patches_nothing_that_is_so_already(change):
    assert patch_of(change) == {}


@pytest.mark.parametrize("model", [{}, {"spec": None}, {"spec": {"args": "x", "env": [], "image": 1}}], ids=repr)
def test_takes_nothing_out_of_a_model_that_is_not_as_it_should_be(model):
    gone = (SetArgument(name="--seed", value=None), SetEnv(name="A", value=None), SetField(name="url", value=None))
    assert Remedy(title="Do it.", changes=gone).patch(model) == {}


def test_never_shows_the_value_of_a_field_which_may_be_a_secret():
    assert "hush" not in repr(SetField(name="files", value=[{"content": "hush"}]))


def test_means_by_its_id_what_it_does_and_not_how_it_is_worded():
    longer = (SetArgument(name="--max-model-len", value="8192"),)
    shorter = (SetArgument(name="--max-model-len", value="2048"),)
    ids = [Remedy(title=title, changes=changes).id for title in ("A.", "B.") for changes in (longer, shorter)]
    assert ids[:2] == ids[2:]
    assert ids[0] != ids[1]
    assert len(ids[0]) == 32  # a log may choose words of it, so nobody must find two with one id
    assert Remedy(title="Wait.").id != Remedy(title="Ask.").id


@pytest.mark.parametrize("word", NOT_SAFE)
def test_quotes_every_word_for_a_terminal(word):
    line = Command(arguments=("kubectl", "get", word), into=(("grep", word),)).line
    assert shlex.split(line) == ["kubectl", "get", word, "|", "grep", word]


def test_says_with_which_words_kubectl_reaches_the_cluster_wherever_it_is_called():
    made = Command(arguments=("kubectl", "create", "kubectl"), into=(("jq", "."), ("kubectl", "apply")))
    (finding,) = addressed(
        (Finding(code="X", message="X.", remedies=(Remedy(title="Do it.", command=made),)),),
        ("kubectl", "--context", "a context"),
    )
    assert finding.remedies[0].command.line == (
        "kubectl --context 'a context' create kubectl | jq . | kubectl --context 'a context' apply"
    )


def test_leaves_a_verb_and_its_arguments_to_each_face():
    asked = Command(verb="delete", arguments=("kubectl",))
    assert asked.addressed(("kubectl", "--context", "a")) == asked
    assert asked.line == ""
