"""The magics in a real kernel: what a user sees, and what outlives the kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from jupyter_client.manager import KernelManager, start_new_kernel

from tests.support.kernel import messages_of
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

LOAD = "%load_ext kubeai_notebook\n%config KubeAI.context = 'local'"
DEADLINE_SECONDS = 120


class Kernel:
    """A kernel that runs a cell and gives what it showed, as text."""

    def __init__(self) -> None:
        self.manager: KernelManager
        self.manager, self.client = start_new_kernel(extra_arguments=["--log-level=ERROR"])
        assert self.run(LOAD) == ""

    def run(self, code: str) -> str:
        """Everything the cell showed: stream, results, displays as last updated, and errors."""
        return self.wait(self.client.execute(code))

    def wait(self, request: str) -> str:
        """As `run`, for a request that was sent already."""
        shown: dict[str, str] = {}
        for message in messages_of(self.client, request, seconds=DEADLINE_SECONDS):
            content = message["content"]
            key = content.get("transient", {}).get("display_id") or str(len(shown))
            if message["msg_type"] == "update_display_data" and key not in shown:
                continue  # a card of an earlier cell lives on while this one runs
            if "data" in content and "text/plain" in content["data"]:
                shown[key] = content["data"].get("text/markdown") or content["data"]["text/plain"]
            elif "traceback" in content:
                shown[key] = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(content["traceback"]))
            elif "text" in content:
                shown[key] = content["text"]
        return "\n".join(shown.values())

    def end(self, *, now: bool = False) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=now)


@pytest.fixture
def kernel(daemon: str) -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    kernel.end(now=True)


def test_serves_streams_and_deletes(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve story --engine OLlama --url ollama://smollm2:135m --wait")
    # The cell that waited renews its snapshot once a second, so perhaps after its end.
    card = kernel.run("%kubeai_status story")
    assert "story (on this machine) Ready" in card
    assert "in place of Ollama" in card
    said = kernel.run("%%kubeai_chat story --max-tokens 8 --temperature 0 -o answer\nSay hello.")
    assert said
    answer, _, note = said.strip().rpartition("\n")
    assert kernel.run("print(answer)").strip() == answer.strip()
    assert note == "The answer was cut after 8 tokens, as asked."
    assert "story  Ready" in re.sub(" +", "  ", kernel.run("%kubeai_models"))
    assert "story (on this machine) Deleted" in kernel.run("%kubeai_delete story")


def test_shows_one_card_in_a_cell_that_waits(kernel: Kernel) -> None:
    shown = kernel.run("%kubeai_serve once --url ollama://smollm2:135m --wait")
    assert shown.count("once (on this machine)") == 1
    assert "once (on this machine) Ready" in shown
    assert kernel.run("m = %kubeai_serve once --url ollama://smollm2:135m;") == ""
    assert kernel.run("%kubeai_status once;") == ""
    assert kernel.run("%kubeai_serve once --url ollama://smollm2:135m --wait -q") == ""
    assert "once is served already; nothing was changed." in kernel.run("m")
    kernel.run("%kubeai_delete once")


def test_follows_in_one_display_until_it_is_settled(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve followed --url ollama://smollm2:135m;")
    shown = kernel.run("%kubeai_status followed --follow")
    assert shown.count("followed (on this machine)") == 1
    assert "followed (on this machine) Ready" in shown
    kernel.run("%kubeai_delete followed")


def test_stops_looking_when_it_is_interrupted(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve waits --url ollama://smollm2:135m --profile nvidia-gpu-l4 --force;")
    request = kernel.client.execute("%kubeai_status waits --follow")
    while True:
        message = kernel.client.get_iopub_msg(timeout=30)
        if message["msg_type"] == "update_display_data":
            break
    kernel.manager.interrupt_kernel()
    assert "Stopped looking; waits goes on. (WaitInterruptedError)" in kernel.wait(request)
    kernel.run("%kubeai_delete waits")


def test_follows_a_log_until_it_is_interrupted(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve told --url ollama://smollm2:135m --wait;")
    request = kernel.client.execute("%kubeai_logs told --follow --tail 3")
    while kernel.client.get_iopub_msg(timeout=30)["msg_type"] != "stream":
        pass
    kernel.manager.interrupt_kernel()
    assert "Stopped looking at the log; told goes on. (WaitInterruptedError)" in kernel.wait(request)
    kernel.run("%kubeai_delete told")


def test_stops_the_engine_when_a_chat_is_interrupted(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve chats --url ollama://smollm2:135m --wait;")
    ended = kernel.run("%kubeai_logs chats --tail 1000").count("stop processing")
    request = kernel.client.execute("%%kubeai_chat chats --max-tokens 3000\nWrite a very long story about the sea.")
    while kernel.client.get_iopub_msg(timeout=30)["msg_type"] != "comm_msg":
        pass
    kernel.manager.interrupt_kernel()
    assert "Stopped. The request to chats was cancelled. (WaitInterruptedError)" in kernel.wait(request)
    until(lambda: kernel.run("%kubeai_logs chats --tail 1000").count("stop processing") > ended, 20)
    kernel.run("%kubeai_delete chats")


def test_completes_what_the_kernel_knows(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve known --url ollama://smollm2:135m --min-replicas 0;")
    for begun, whole in {"%kubeai_status kn": "known", "%kubeai_serve x --prio": "--priority-class"}.items():
        reply = kernel.client.complete(begun, reply=True, timeout=30)
        assert reply["content"]["matches"] == [whole]
    kernel.run("%kubeai_delete known")


def test_leaves_models_alive_when_the_kernel_is_killed(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve lasting --engine OLlama --url ollama://smollm2:135m --wait")
    kernel.end(now=True)
    other = Kernel()
    answer = other.run(
        "import kubeai_notebook\n"
        "kubeai_notebook.attach('lasting').complete('The capital of France is', max_tokens=3, temperature=0)"
    )
    other.run("%kubeai_delete lasting --yes")
    other.end(now=True)
    assert "Paris" in answer


def test_answers_an_interrupt_with_one_sentence_and_leaves_the_model_starting(kernel: Kernel) -> None:
    request = kernel.client.execute(
        "%kubeai_serve never --engine OLlama --url ollama://smollm2:135m --profile nvidia-gpu-l4 --force --wait"
    )
    other = Kernel()
    while "Scheduling" not in other.run("%kubeai_models"):
        pass
    kernel.manager.interrupt_kernel()
    shown = kernel.wait(request)
    assert "Stopped waiting; never itself goes on as before. (WaitInterruptedError)" in shown
    assert "%kubeai_delete never ends it." in shown
    assert "Traceback" not in shown
    assert "never (on this machine) Deleted" in other.run("%kubeai_delete never --yes")
    other.end(now=True)


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        (
            "a --engine Olama --url ollama://smollm2",
            ['There is no engine "Olama". KubeAI has ', 'Did you mean "OLlama"?'],
        ),
        ("a --url http://x", ['The url "http://x" has no scheme that KubeAI knows. Start it with hf://']),
        ("a --engine VLLM --url ollama://x", ["VLLM cannot load ollama:// urls; its Pods"]),
        (
            "a",
            [
                'There is no Model "a" to attach to. A new Model needs a url. On this machine there are ',
                "%kubeai_catalog lists more",
            ],
        ),
        ("a --urll x", ["%kubeai_serve does not know --urll. (UsageError)", "Did you mean --url?"]),
    ],
)
def test_answers_a_wrong_line_with_sentences_and_no_stack(kernel: Kernel, line: str, sentences: list[str]) -> None:
    shown = kernel.run(f"%kubeai_serve {line}")
    for sentence in sentences:
        assert sentence in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) <= 2


def test_shows_a_card_for_each_line_and_keeps_what_each_did(kernel: Kernel) -> None:
    options = "ollama://smollm2:135m --min-replicas 0"
    shown = kernel.run(f"%kubeai_serve one {options}\n%kubeai_serve two {options}")
    assert "one is created." in shown
    assert "two is created." in shown
    assert kernel.run("for n in ('one', 'two'):\n    %kubeai_scale {n} 0").count("is scaled to 0 already") == 2
    assert kernel.run("%kubeai_status one").count("one (on this machine)") == 1
    assert kernel.run("for n in ('one', 'two'):\n    %kubeai_delete {n} --yes;") == ""


def test_asks_a_model_in_one_line(kernel: Kernel) -> None:
    kernel.run("%kubeai_serve asked smollm2:135m --wait;  # the small one")
    kernel.run("%kubeai_status asked --follow;")
    said = kernel.run("r = None\n%kubeai_chat asked --max-tokens 4 -o r What's up?")
    assert said
    assert said.startswith(kernel.run("print(r)").strip())
    assert re.fullmatch(r"asked-\w{6}\s*", kernel.run("%kubeai_serve asked smollm2:135m --unique --min-replicas 0;"))
