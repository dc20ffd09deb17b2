import re
from html import unescape

import pytest

from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.phase import ModelStatus
from kubeai_notebook.core.remedy import Command, Remedy, SetArgument, SetEnv
from kubeai_notebook.core.view import Link
from kubeai_notebook.errors import LOCAL_GONE, UnreachableError, UsageError
from kubeai_notebook.present.explanation import Explanation, Explanations

SHORT = Finding(
    code="ContextTooLong",
    message="The model has 2048 positions, and --max-model-len asks for 8192.",
    evidence=(Evidence("log", "model-tiny-x/server", "ValueError: max_model_len (8192) is greater\nthan <2048>"),),
    remedies=(
        Remedy(title="Set --max-model-len=2048.", changes=(SetArgument(name="--max-model-len", value="2048"),)),
        Remedy(title="Choose another model."),
    ),
)
FULL = Finding(
    code="NoRoom",
    message="No node has room.",
    who="admin",
    remedies=(Remedy(title="Look at the nodes.", command=Command(arguments=("kubectl", "describe", "nodes"))),),
)
FAILING = Explanation(
    "tiny", ModelStatus(phase="Failing", detail="The engine ended with exit code 1 (2 tries)."), (SHORT, FULL)
)


def test_reads_as_text() -> None:
    assert repr(FAILING).splitlines() == [
        "tiny is Failing: The engine ended with exit code 1 (2 tries).",
        "",
        "✗ The model has 2048 positions, and --max-model-len asks for 8192.",
        "    model-tiny-x/server:",
        "      ValueError: max_model_len (8192) is greater",
        "      than <2048>",
        "  You can fix it:",
        "  1. Set --max-model-len=2048.",
        "       %kubeai_why tiny --fix 1",
        "  2. Choose another model.",
        "",
        "✗ No node has room.",
        "  Somebody who runs the cluster has to act:",
        "  3. Look at the nodes.",
        "       !kubectl describe nodes",
    ]


def test_numbers_the_fixes_of_all_findings_through() -> None:
    assert [fix.title for fix in FAILING.remedies] == [
        "Set --max-model-len=2048.",
        "Choose another model.",
        "Look at the nodes.",
    ]


def test_says_the_same_in_html_and_never_as_markup() -> None:
    html = FAILING._repr_html_()
    words = unescape(re.sub(r"<[^>]*>", " ", html)).split()
    assert [word for word in words if word != ":"] == repr(FAILING).replace("/server:", "/server").split()
    assert "than &lt;2048&gt;" in html


def test_breaks_no_word_of_an_evidence_while_there_is_room() -> None:
    html = Explanation("tiny", ModelStatus(phase="Failing", detail="x"), (SHORT,))._repr_html_()
    assert "word-break:normal;overflow-wrap:anywhere" in html


def test_says_that_a_model_is_well() -> None:
    ready = Explanation("tiny", ModelStatus(phase="Ready", detail="1 of 1 replicas ready."))
    assert repr(ready) == "tiny is Ready, and nothing is wrong with it: 1 of 1 replicas ready."
    asleep = Explanation("tiny", ModelStatus(phase="Asleep", detail="The next request wakes it."))
    assert repr(asleep) == "tiny is Asleep, and nothing is wrong with it: The next request wakes it."


def test_says_that_it_is_only_starting() -> None:
    loading = Explanation("tiny", ModelStatus(phase="Loading", detail="The engine is loading the model."))
    assert repr(loading) == "tiny is Loading: The engine is loading the model. Nothing is wrong so far."


def test_owns_up_where_it_does_not_know() -> None:
    failing = Explanation("tiny", ModelStatus(phase="Failing", detail="The Pod has failed."))
    assert "Nothing that explains it was found; %kubeai_logs tiny may tell more." in repr(failing)


def test_says_who_has_to_act_where_there_is_no_fix() -> None:
    pulling = Finding(code="Slow", message="The image is large.", who="nobody")
    said = repr(Explanation("tiny", ModelStatus(phase="Pulling", detail="It pulls."), (pulling,)))
    assert said.endswith("  Nobody has to act; it passes by itself.")


def test_shows_no_patch() -> None:
    fix = Remedy(title="Set env.", changes=(SetEnv(name="PASSWORD", value="hush"),))
    why = Explanation(
        "tiny", ModelStatus(phase="Failing", detail="x"), (Finding(code="X", message="X.", remedies=(fix,)),)
    )
    assert "hush" not in repr(why) + why._repr_html_()


def test_puts_several_models_one_below_the_other() -> None:
    both = Explanations((FAILING, Explanation("other", ModelStatus(phase="Ready", detail="1 of 1 replicas ready."))))
    assert "\n\nother is Ready" in repr(both)
    assert "other is Ready" in both._repr_html_()


def test_gives_the_fix_of_a_number() -> None:
    assert FAILING.remedy(3).title == "Look at the nodes."
    for number in (0, 4, -1):
        with pytest.raises(UsageError, match=f"tiny has no fix {number}") as raised:
            FAILING.remedy(number)
        assert "shows the 3 that there are" in raised.value.hint


def test_has_no_fix_for_what_is_well() -> None:
    with pytest.raises(UsageError, match="Nothing is wrong with it"):
        Explanation("tiny", ModelStatus(phase="Ready")).remedy(1)


def test_concludes_nothing_while_the_link_is_lost() -> None:
    link = Link("reconnecting", UnreachableError(*LOCAL_GONE))
    shown = repr(Explanation("tiny", ModelStatus(phase="Ready", detail="1 of 1 replicas ready."), link=link))
    assert shown.startswith("tiny was Ready when it was last seen. KubeAI on this machine is not running")
    assert "nothing is wrong" not in shown
    assert "%kubeai_local start" in shown


def test_tells_beside_ready_which_arguments_are_ignored() -> None:
    remark = "llama.cpp 0.2 ignores --bogus-arg: it has no such argument."
    ready = Explanation("tiny", ModelStatus(phase="Ready", detail="1 of 1 replicas ready."), remark=remark)
    assert repr(ready).splitlines() == [
        "tiny is Ready, and nothing is wrong with it: 1 of 1 replicas ready.",
        f"Note: {remark}",
    ]
    assert remark in ready._repr_html_()
