import pytest

from kubeai_notebook.core.notice import Finding
from kubeai_notebook.core.remedy import Command, Remedy, SetField
from kubeai_notebook.errors import LOCAL_GONE
from kubeai_notebook.magics.registry import VERBS
from kubeai_notebook.present import wording
from kubeai_notebook.present.wording import Numbered, how_to, in_magics, line_of, numbered

CHANGE = Remedy(title="Set it.", changes=(SetField(name="image", value=None),))
LOOK = Remedy(title="Look.", command=Command(arguments=("kubectl", "get", "nodes")))
RESTART = Remedy(title="Restart it.", command=Command(verb="restart", arguments=("smol",)))
ADVICE = Remedy(title="Choose another model.")


def test_numbers_the_remedies_of_all_findings_through() -> None:
    first = Finding(code="A", message="A.", remedies=(CHANGE, LOOK))
    second, third = Finding(code="B", message="B."), Finding(code="C", message="C.", remedies=(ADVICE,))
    assert [
        (finding.code, [one.number for one in remedies]) for finding, remedies in numbered([first, second, third])
    ] == [
        ("A", [1, 2]),
        ("B", []),
        ("C", [3]),
    ]


@pytest.mark.parametrize(
    ("remedy", "line"),
    [
        (CHANGE, "%kubeai_why smol --fix 7"),
        (LOOK, "!kubectl get nodes"),
        (RESTART, "%kubeai_restart smol"),
        (ADVICE, ""),
    ],
)
def test_says_how_a_remedy_is_applied(remedy: Remedy, line: str) -> None:
    assert how_to("smol", Numbered(7, remedy)) == line


def test_quotes_the_arguments_of_a_magic() -> None:
    assert line_of(Command(verb="config", arguments=("endpoint=a b",))) == "%kubeai_config 'endpoint=a b'"


@pytest.mark.parametrize(
    ("python", "magic"),
    [
        ('attach("smol").why() says why.', "%kubeai_why smol says why."),
        ("Ask it by chat() or complete().", "Ask it by %kubeai_chat NAME or complete()."),
        ("Ask it by embed(). map() asks for each.", "Ask it by %kubeai_embed NAME. %%kubeai_map NAME asks for each."),
        ("rechat() and x.chat() stay.", "rechat() and x.chat() stay."),
        ('attach("smol").yaml shows the present one.', "%kubeai_yaml smol shows the present one."),
        ('See: attach("smol").status', "See: %kubeai_status smol"),
        ("models() lists what is there.", "%kubeai_models lists what is there."),
        ("missing_ok=True passes over what is not there.", "--missing-ok passes over what is not there."),
        (LOCAL_GONE[1], "%kubeai_local start starts it."),
        ('attach("smol").rollback() takes it back.', "%kubeai_rollback smol takes it back."),
        ("Ask an administrator.", "Ask an administrator."),
        ("kubeai-local start --cache FOLDER does.", "%kubeai_local start -- --cache FOLDER does."),
    ],
)
def test_says_magics_in_place_of_python(python: str, magic: str) -> None:
    assert in_magics(python) == magic


@pytest.mark.parametrize(
    ("python", "magic"),
    [
        ("why() says why; restart() does that.", "%kubeai_why smol says why; %kubeai_restart smol does that."),
        ("m.why() says why; m.resume() brings it back.", "m.why() says why; m.resume() brings it back."),
        (
            "resume() or scale(1) brings it back.",
            "%kubeai_scale smol --resume or %kubeai_scale smol 1 brings it back.",
        ),
    ],
)
def test_gives_a_method_the_model_that_the_reader_has_named(python: str, magic: str) -> None:
    assert in_magics(python, "smol") == magic
    assert in_magics(python) == python


def test_names_magics_that_there_are() -> None:
    names = {verb.name for verb in VERBS}
    patterns = (wording._OF_A_MODEL.pattern, wording._OF_THE_MODEL.pattern)
    verbs = [pattern.partition("(?P<verb>")[2].partition(")")[0].split("|") for pattern in patterns]
    assert {*verbs[0], *verbs[1], "models", "config"} <= names


def test_names_the_doctor_as_a_magic() -> None:
    assert in_magics("Session().doctor() names it.") == "%kubeai_doctor names it."


def test_names_the_namespace_where_a_magic_would_look_elsewhere() -> None:
    assert how_to("smol", Numbered(7, CHANGE), "team") == "%kubeai_why smol --fix 7 -n team"
    assert how_to("smol", Numbered(7, RESTART), "team") == "%kubeai_restart smol -n team"
    assert how_to("smol", Numbered(7, LOOK), "team") == "!kubectl get nodes"
    python = 'attach("smol").delete() ends it; restart() does that; models() lists what is there.'
    assert in_magics(python, "smol", "team") == (
        "%kubeai_delete smol -n team ends it; %kubeai_restart smol -n team does that; "
        "%kubeai_models -n team lists what is there."
    )
