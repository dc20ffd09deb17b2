"""The whole way: a spec becomes a real model that answers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from kubeai_notebook.errors import CallError, DeployError, NotFoundError, SpecError, WaitTimeoutError
from kubeai_notebook.session.session import Session
from tests.support.daemon import SMOL
from tests.support.waiting import until

GREEDY = {"max_tokens": 3, "temperature": 0}
NO_SUCH_HARDWARE = "nvidia-gpu-l4:1"


@pytest.fixture(scope="module")
def smol(daemon):
    session = Session(context="local")
    yield session.serve(name="smol", **SMOL).wait(120)
    session.close()


def test_completes_a_text_with_a_real_model(smol) -> None:
    reply = smol.complete("The capital of France is", **GREEDY)
    assert "Paris" in reply
    assert reply.usage.completion_tokens == 3


def test_chats_with_a_text_or_with_turns(smol) -> None:
    greeting = smol.chat("Say hello.", max_tokens=8, temperature=0)
    assert greeting
    assert smol.chat([{"role": "user", "content": "Say hello."}], max_tokens=8, temperature=0) == greeting


def test_streams_pieces_that_add_up_to_the_reply(smol) -> None:
    pieces = list(smol.stream("Count to five.", max_tokens=12, temperature=0))
    assert len([piece for piece in pieces if piece.text]) > 3
    assert "".join(piece.text for piece in pieces) == smol.chat("Count to five.", max_tokens=12, temperature=0)


def test_stops_the_engine_when_a_stream_is_closed(smol) -> None:
    def released() -> list[str]:
        return [line for line in str(smol.logs(tail_lines=1000)).splitlines() if "stop processing" in line]

    with smol.stream("Once upon a time", max_tokens=3000, extra_body={"ignore_eos": True}) as deltas:
        assert next(deltas)
        before = len(released())
    until(lambda: len(released()) > before)
    assert int(released()[-1].rpartition("n_tokens = ")[2].split(",")[0]) < 2000
    assert list(deltas) == []


def test_shares_one_client_among_all_handles_of_a_session(smol) -> None:
    again = smol.session.attach("smol")
    assert again.client is smol.client
    assert again.async_client is smol.async_client
    assert again.endpoint.base_url.endswith("/openai/v1")
    assert again.endpoint.model == "smol"


def test_answers_several_threads_at_once(smol) -> None:
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: smol.complete("The capital of France is", **GREEDY), range(4)))
    assert all("Paris" in reply for reply in replies)


def test_attaches_when_the_same_spec_is_served_again(smol) -> None:
    before = smol.view.model["metadata"]["generation"]
    again = smol.session.serve(name="smol", **SMOL)
    assert again.note == "smol is served already; nothing was changed."
    assert again.view.model["metadata"]["generation"] == before


def test_lists_it_as_a_dataframe(smol) -> None:
    models = smol.session.models().set_index("name")
    columns = ["phase", "ready", "desired", "engine", "profile"]
    assert models.loc["smol", columns].tolist() == ["Ready", 1, 1, "OLlama", "cpu:1"]
    assert models.loc["smol", "age"].total_seconds() >= 0


def test_shows_itself_in_one_line(smol) -> None:
    assert repr(smol) == "Model('smol', Ready 1/1, OLlama, cpu:1, on this machine)"


def test_names_the_engine_that_stands_in(smol) -> None:
    assert smol.view.stand_in.startswith("llama.cpp")


def test_explains_what_the_gateway_refuses(smol) -> None:
    with pytest.raises(CallError, match=r"KubeAI's gateway on this machine cannot read the request.*\(400\)") as raised:
        smol.complete("x", extra_body={"stop": "a text where a list belongs"})
    assert (raised.value.kind, "stop must be a list" in raised.value.hint) == ("gateway", True)


def test_explains_what_the_engine_cannot_do(smol) -> None:
    """Engine OLlama makes embeddings by any model, and llama.cpp, which stands in for it, does not."""
    with pytest.raises(CallError) as raised:
        smol.embed("hi")
    assert raised.value.message == '"smol" generates text; it makes no embeddings.'
    assert raised.value.hint.startswith("Ask it by chat() or complete(). Serve an embedding model for embeddings, such")


def test_names_the_argument_that_lets_the_engine_read_more(smol) -> None:
    with pytest.raises(CallError, match='The text is longer than what "smol" reads at once') as raised:
        smol.complete("word " * 20_000)
    assert "--ctx-size" in raised.value.hint


def test_returns_at_once_and_shows_each_phase(session) -> None:
    model = session.serve(name="live", **SMOL)
    phases = list(dict.fromkeys(view.status.phase for view in model.waiting(60)))
    assert phases[-2:] == ["Loading", "Ready"]


def test_deletes_it_and_its_pods(session) -> None:
    model = session.serve(name="short", **SMOL).wait(60)
    model.delete()
    assert "short" not in session.publisher.names()
    with pytest.raises(NotFoundError, match='There is no Model "short"'):
        session.attach("short")
    assert repr(model) == "Model('short', Deleted)"


def test_updates_when_the_spec_changed(session) -> None:
    session.serve(name="grows", **SMOL).wait(60)
    changed = session.serve(name="grows", scaling={"max_replicas": 2}, **SMOL)
    assert changed.note == "grows is updated, its Pods go on: maxReplicas: not set → 2."
    assert changed.view.model["spec"]["maxReplicas"] == 2


def test_sends_nothing_for_a_wrong_spec(session) -> None:
    with pytest.raises(SpecError):
        session.serve(name="wrong", url="http://x")
    assert session.publisher.names() == []


def test_says_in_time_that_it_is_still_waiting(session) -> None:
    model = session.serve(name="big", resource_profile=NO_SUCH_HARDWARE, force=True, **SMOL)
    with pytest.raises(WaitTimeoutError, match=r"big is still Scheduling after 2 s: .*nvidia.com/gpu"):
        model.wait(2)


def test_says_which_names_an_unknown_url_could_have_meant(session) -> None:
    model = session.serve(name="nope", engine="OLlama", url="ollama://no-such-model:1b", force=True)
    with pytest.raises(DeployError) as raised:
        model.wait(60)
    assert "nope is Failing:" in raised.value.message
    assert [finding.code for finding in raised.value.findings] == ["ModelNotFound"]


def test_ends_all_its_threads(daemon) -> None:
    before = set(threading.enumerate())
    session = Session(context="local")
    session.publisher.names()
    assert set(threading.enumerate()) - before
    session.close()
    assert set(threading.enumerate()) <= before


def test_tells_whoever_subscribed_that_it_is_closed(daemon) -> None:
    session = Session(context="local")
    model = session.serve(name="closing", scaling={"min_replicas": 0}, **SMOL)
    changes = model.subscribe()
    first = next(changes)
    session.close()
    links = [change.view.link.state for change in (first, *changes) if change.view]
    assert (links[0], links[-1]) == ("live", "closed")
    again = Session(context="local")
    again.attach("closing").delete()
    again.close()


def test_makes_another_model_each_time_when_asked_for_a_unique_name(session) -> None:
    fields = {"name": "many", "scaling": {"min_replicas": 0}, **SMOL}
    names = {session.serve(unique=True, **fields).name for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("many-") and len(name) == len("many-") + 6 for name in names)
