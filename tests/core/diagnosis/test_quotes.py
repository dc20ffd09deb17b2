"""Every code stands on something that was really written: a recorded log, or a quote with its source."""

import pytest

from kubeai_notebook.core.diagnosis import diagnose

from . import recorded
from .cluster_cases import CASES, NEAR_MISSES, OLLAMA
from .quoted import quotes
from .rules import CODES
from .scenes import NOW, answered, container, crash, event, log, model, pod, seen

# What a serving engine told while it was Ready is read of a Ready Pod, too.
RECORDED = {entry["code"]: entry["name"] for entry in recorded.entries() if entry["code"] and not entry.get("ready")}
OF_OLLAMA = {"EngineStartTimeout", "RunnerDied", "ModelNotPulledThoughReady"}
ANSWERED = {
    *("ModelNotFoundAtGateway", "BadRequestAtGateway", "GatewayError", "ChatTemplateMissing", "ToolParserMissing"),
    *("ContextExceeded", "ToolsUnsupported", "InputKindUnsupported", "DimensionsUnsupported", "EngineKeyWanted"),
    *("SchemaUnsupported", "AudioUnreadable", "EngineBusy", "ModelUnknownToEngine", "BadRequestAtEngine"),
    *("LoginPage", "ProxyRefused", "NoGatewayThere", "GatewayUnreachable", "ProxyTimeout", "ProxyBodyLimit"),
    *("ProxyRateLimit", "MeshRefused", "MeshTlsMismatch", "GatewayProxyForbidden"),
}


def shown(code):
    """The Observation in which the quote stands."""
    quote = quotes()[code].get("quote", "")
    made = model(ready=1, **OLLAMA) if code in OF_OLLAMA else model(ready=1)
    if code in ANSWERED | {"ModelNotPulledThoughReady"}:
        status, _, body = quote.partition(" ")
        return answered(int(status), body, made)
    if code == "ReadyButNotAnswering":
        return answered(int(quotes()[code]["fact"]))
    return CASES[code] if code in CASES else crash(f"INFO loading\n{quote}\nRuntimeError: worker died", made)


def test_every_code_has_a_recorded_log_or_a_quote_with_its_source():
    assert set(CODES) - RECORDED.keys() - quotes().keys() == set()
    assert quotes().keys() - set(CODES) == set()
    assert all(said["source"] and ("quote" in said) != ("fact" in said) for said in quotes().values())


@pytest.mark.parametrize("code", quotes())
def test_what_is_quoted_is_the_evidence_and_gives_the_code(code):
    found = diagnose(shown(code), now=NOW)
    said = quotes()[code]
    text = " ".join(str(said.get("quote", said.get("fact"))).split())

    assert found[0].code == code
    assert any(text in " ".join(piece.text.split()) for piece in found[0].evidence), found[0].evidence


REASONS = ("Failed", "FailedScheduling", "FailedMount", "FailedCreatePodSandBox", "Killing", "NotTriggerScaleUp")


@pytest.mark.parametrize("code", CODES)
def test_the_same_words_elsewhere_are_no_finding(code):
    """In the log of an engine that is well, where a client's request may have brought them, and about another Pod."""
    said = quotes().get(code) or {"quote": (recorded.LOGS / f"{RECORDED[code]}.log").read_text(errors="replace")}
    if "fact" in said:
        assert code in NEAR_MISSES or code == "ReadyButNotAnswering"
        return
    ready = pod("model-m-abc-1", container(running=True), ready=True)
    others = [event(reason, said["quote"], name="model-other-abc-1") for reason in REASONS]

    made = model(ready=1, engine="Infinity", features=["TextEmbedding"])
    assert diagnose(seen(made, ready, logs=[log(said["quote"])], events=others), now=NOW) == ()
