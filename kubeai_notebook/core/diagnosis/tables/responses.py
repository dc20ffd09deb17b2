"""What a request is answered with: the one table that explains calls and the Model's test request.

The engine's own words come first: they are about the Model, whoever passed them on. Then who wrote the answer decides:
what stands before KubeAI says nothing about the Model, and KubeAI's own gateway little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.answers import refuser_of, words_in
from kubeai_notebook.core.arguments import value_of
from kubeai_notebook.core.diagnosis.engine.case import Case
from kubeai_notebook.core.diagnosis.engine.remedies import (
    DELETE_POD,
    MORE_UNITS,
    READ_LOG,
    Template,
    advise,
    run,
    set_features,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule, finding_of, first, stated
from kubeai_notebook.core.diagnosis.engine.text_source import Passage
from kubeai_notebook.core.foreign import is_page
from kubeai_notebook.core.kubeai.releases import PULLS_NOTHING
from kubeai_notebook.core.messages import what_it_does
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import number_at, texts_at
from kubeai_notebook.core.remedy import SetArgument

from .asked import ASKED
from .between import BETWEEN, TEXTS, rule_for
from .gpu_memory import MEMORY
from .node_memory import NODE_MEMORY
from .ollama import OLLAMA, RUNNER
from .python_code import PYTHON_CODE

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.scene import Scene
    from kubeai_notebook.core.objects import Pod
    from kubeai_notebook.core.observation import HttpAnswer
    from kubeai_notebook.errors import Refuser


def _nothing_pulled(case: Case) -> bool:
    version = case.scene.observation.operator.version
    # The gateway's own 404 is {"error": "model not found: …"}; the engine's is an object.
    of_engine = case.scene.engine == "OLlama" and "model not found:" not in case.passage.haystack
    # Where the version is not known, nothing else explains the answer.
    return of_engine and PULLS_NOTHING.holds(version) is not False


def _tool_parser(case: Case) -> dict[str, str]:
    """The parser that the Model names already, else a common one."""
    return {"parser": value_of(case.scene.args, "--tool-call-parser") or "hermes"}


def _serves_no_text(case: Case) -> bool:
    """Infinity has no route for text at all."""
    return case.scene.engine == "Infinity"


def _what_it_does(case: Case) -> dict[str, str]:
    """What a Model does that generates no text."""
    features = texts_at(case.scene.spec, "features")
    does = what_it_does(features)
    return {} if "TextGeneration" in features or not does else {"does": does}


ANSWERS: tuple[Rule, ...] = (
    Rule(
        code="ModelNotFoundAtGateway",
        seen=("model not found:",),
        take=(r"model not found: \\*\"(?P<asked>[^\"\\]+)",),
        message=(
            'KubeAI\'s gateway knows no "{asked}".',
            "KubeAI's gateway does not know the model that was asked for.",
        ),
        who="user",
        remedies=(
            run(
                "See which Models there are; an adapter is asked as <model>_<adapter>.",
                "kubectl -n {namespace} get models",
            ),
            advise("Look up its name in models(); an adapter is asked as <model>_<adapter>.", unless="namespace"),
            advise("The Model must be in KubeAI's own namespace."),
        ),
    ),
    Rule(
        code="BadRequestAtGateway",
        seen=("bad request: reading", "bad request: parse media type"),
        message=("KubeAI's gateway cannot read the request.",),
        who="user",
        remedies=(advise("Correct the request; stop must be a list, max_tokens a whole number."),),
    ),
    Rule(
        code="ChatTemplateMissing",
        seen=("default chat template is no longer allowed",),
        message=('"{name}" is a base model without a chat template.',),
        who="user",
        remedies=(
            advise("Call /completions in place of /chat/completions."),
            advise("Or add a template to files and name it by --chat-template."),
        ),
    ),
    Rule(
        code="ToolParserMissing",
        seen=("tool choice requires --enable-auto-tool-choice",),
        message=('"{name}" was started without support for tools.',),
        who="user",
        derive=_tool_parser,
        remedies=(
            Template(
                titles=(
                    "Set --enable-auto-tool-choice and --tool-call-parser={parser}, or the parser made for this model.",
                ),
                changes=(
                    SetArgument(name="--enable-auto-tool-choice"),
                    SetArgument(name="--tool-call-parser", value="{parser}"),
                ),
            ),
        ),
    ),
    Rule(
        code="FeatureMismatch",
        seen=("does not support embeddings",),
        message=('"{name}" generates text and makes no embeddings.',),
        who="user",
        remedies=(set_features("TextGeneration"), advise("Serve an embedding model for embeddings.")),
    ),
    Rule(
        code="FeatureMismatch",
        seen=("does not support generate", "does not support chat", "does not support completions"),
        derive=_what_it_does,
        message=(
            '"{name}" {does} and cannot generate text.',
            '"{name}" is an embedding model and cannot generate text.',
        ),
        who="user",
        remedies=(set_features("TextEmbedding"), advise("Serve a text model for chat.")),
    ),
    Rule(
        code="FeatureMismatch",
        seen=('404 {"detail" … not found',),
        only=_serves_no_text,
        message=(
            '"{name}" runs by Infinity, which makes embeddings and ranks texts, and was asked for something else.',
        ),
        who="user",
        remedies=(advise("Serve a text model for chat, by engine VLLM or OLlama."),),
    ),
    Rule(
        code="FeatureMismatch",
        seen=("does not support rerank", "does not support score"),
        message=('The engine of "{name}" sees a model that generates text in it, and none that ranks.',),
        who="user",
        remedies=(
            advise("Serve a reranker that is a sequence classifier, such as hf://BAAI/bge-reranker-v2-m3."),
            advise(
                "Or make one of it: --hf-overrides with its own classifier's architecture, or --task=score, in args."
            ),
        ),
    ),
    Rule(
        code="FeatureMismatch",
        seen=("does not support transcriptions", "does not support translations"),
        message=('"{name}" is no model for speech.',),
        who="user",
        remedies=(advise("Serve a speech model, such as one of Whisper's, for audio."),),
    ),
    Rule(
        code="FeatureMismatch",
        seen=("loaded moded cannot fullyfill",),
        take=(r"options are \{(?P<options>[^{}]*)\}",),
        message=(
            '"{name}" was asked for what the model is not made for; it can do {options}.',
            '"{name}" was asked for what the model is not made for.',
        ),
        who="user",
        remedies=(advise("Set features to what the model does, such as Reranking, or serve an embedding model."),),
    ),
    Rule(
        code="ModelNotPulledThoughReady",
        seen=("404 … model … not found",),
        only=_nothing_pulled,
        message=('The Pod of "{name}" is ready, but this KubeAI release never pulled the model into it.',),
        who="admin",
        remedies=(
            run(
                "Pull it by hand, in each new Pod.",
                "kubectl -n {namespace} exec {pod} -- sh -c 'ollama pull {weights} && ollama cp {weights} {name}'",
            ),
            advise("The admin installs another KubeAI release than 0.23.2 to 0.23.4."),
        ),
    ),
    Rule(
        code="GatewayError",
        seen=("500 … Internal Server Error", "502 … Bad Gateway", "504 … Gateway Timeout"),
        reasons=("gateway",),
        message=("KubeAI's gateway failed and keeps the reason to itself.",),
        who="user",
        remedies=(
            READ_LOG,
            run(
                "The admin finds the reason in the operator's log.",
                "kubectl -n {operator_ns} logs deploy/kubeai --tail=200",
            ),
            advise("The admin finds the reason in the operator's log.", unless="operator_ns"),
        ),
    ),
)

_GATEWAY_FAILED = Rule(
    code="GatewayError",
    seen=(),
    message=("KubeAI's gateway could not pass the request on.",),
    who="admin",
    remedies=(
        advise("Ask again in a minute: while KubeAI or the Model restarts, this passes by itself."),
        run("The admin finds more in the operator's log.", "kubectl -n {operator_ns} logs deploy/kubeai --tail=200"),
    ),
)
_FAILURES: tuple[Rule, ...] = (*MEMORY, *NODE_MEMORY, *PYTHON_CODE, *OLLAMA, *RUNNER)
"""What an engine that loads late, or grows, writes into an answer in place of its log."""

_NOT_ANSWERING = Rule(
    code="ReadyButNotAnswering",
    seen=(),
    message=(
        '"{name}" is ready, but its test request got {status}.',
        '"{name}" is ready, but its test request got no answer.',
    ),
    who="user",
    remedies=(DELETE_POD, READ_LOG),
)

FAILS_AGAIN = Rule(
    code="ReadyButNotAnswering",
    seen=(),
    message=('"{name}" is ready, but requests fail again and again with the same error, and none succeeded since.',),
    who="user",
    remedies=(
        READ_LOG,
        advise("Look for what the requests have in common; a newer image, or other args, may be what the model needs."),
        DELETE_POD,
    ),
)

DIED = Rule(
    code="RunnerDied",
    seen=(),
    message=('The engine of "{name}" served until a request ended it.',),
    who="user",
    remedies=(
        READ_LOG,
        advise(
            "Change what the error speaks of in args or env, set image to another release, or send no such request."
        ),
    ),
)

STOPPED = Rule(
    code="ReadyButNotAnswering",
    seen=(),
    message=('A request ended a thread of "{name}"\'s engine: it reports to be ready, and answers no more.',),
    who="user",
    remedies=(
        DELETE_POD,
        READ_LOG,
        advise("If it happens again, send shorter texts, or set image to another release."),
    ),
)
VANISHED = Rule(
    code="RunnerDied",
    seen=(),
    message=('The engine of "{name}" was gone while it served, without a word: it may lack memory.',),
    who="user",
    remedies=(MORE_UNITS, READ_LOG),
)


def answer(scene: Scene) -> Finding | None:
    """What the one test request says, where it failed."""
    given = scene.observation.answer
    if given is None or _is_good(given):
        return None
    pod = next((pod for pod in scene.current if pod.ready), None) if scene.pods else None
    finding = explanation(scene, given, pod)
    # Who may not ask has learnt nothing about the Model.
    may_ask = _status(given) not in (401, 403)
    if finding or not may_ask or not (pod or number_at(scene.model, "status", "replicas", "ready")):
        return finding
    passage = _passage(given, refuser_of(given))
    evidence = Evidence("answer", "test request", passage.lines[0])
    return stated(_NOT_ANSWERING, scene, evidence, pod=pod, status=str(_status(given) or ""))


def explanation(scene: Scene, given: HttpAnswer, pod: Pod | None = None) -> Finding | None:
    """Why a request got this answer, which is no success; ``None`` where no row knows it."""
    status, who = _status(given), refuser_of(given)
    passage = _passage(given, who)
    rules = (*ANSWERS, *ASKED, *(_FAILURES if who == "engine" and (status or 0) >= 500 else ()), *TEXTS)
    finding = first(rules, (passage,), scene, pod=pod)
    if finding or status is None:
        return finding
    case = Case(scene, passage, 0, pod)
    if who in BETWEEN:
        return finding_of(rule_for(status, who), case)
    return finding_of(_GATEWAY_FAILED, case) if who == "gateway" and status >= 500 else None


def _status(given: HttpAnswer) -> int | None:
    return given.status if isinstance(given.status, int) else None


def _is_good(given: HttpAnswer) -> bool:
    """A success, unless somebody in the Model's place sent it, such as a login page."""
    status = _status(given)
    return status is not None and status < 300 and not (given.body and refuser_of(given) in BETWEEN)


def _passage(given: HttpAnswer, who: Refuser) -> Passage:
    """The answer in a line; its reason is who wrote it. A page is given by its title."""
    body = given.body if isinstance(given.body, str) else ""
    words = words_in(body) if is_page(body.encode(errors="replace")) else " ".join(body.split())
    return Passage("answer", "test request", (f"{_status(given) or 'no answer'} {words}".strip(),), who)
