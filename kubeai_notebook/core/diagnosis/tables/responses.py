"""What the gateway or the engine answers to a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import value_of
from kubeai_notebook.core.diagnosis.engine.remedies import DELETE_POD, READ_LOG, Template, advise, run, set_features
from kubeai_notebook.core.diagnosis.engine.rule import Rule, first, stated
from kubeai_notebook.core.diagnosis.engine.text_source import Passage
from kubeai_notebook.core.kubeai.releases import PULLS_NOTHING
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import number_at
from kubeai_notebook.core.remedy import SetArgument

if TYPE_CHECKING:
    from kubeai_notebook.core.diagnosis.engine.case import Case
    from kubeai_notebook.core.diagnosis.engine.scene import Scene


def _nothing_pulled(case: Case) -> bool:
    version = case.scene.observation.operator.version
    # The gateway's own 404 is {"error": "model not found: …"}; the engine's is an object.
    of_engine = case.scene.engine == "OLlama" and "model not found:" not in case.passage.haystack
    # Where the version is not known, nothing else explains the answer.
    return of_engine and PULLS_NOTHING.holds(version) is not False


def _of_gateway(case: Case) -> bool:
    """Engines answer with an object, the gateway with the standard text alone."""
    return "message" not in case.passage.haystack


def _tool_parser(case: Case) -> dict[str, str]:
    """The parser that the Model names already, else a common one."""
    return {"parser": value_of(case.scene.args, "--tool-call-parser") or "hermes"}


ANSWERS: tuple[Rule, ...] = (
    Rule(
        code="ModelNotFoundAtGateway",
        seen=("model not found:",),
        take=(r"model not found: \\*\"(?P<asked>[^\"\\]+)",),
        message=('The gateway knows no "{asked}".', "The gateway does not know the model that was asked for."),
        who="user",
        remedies=(
            run(
                "See which Models there are; an adapter is asked as <model>_<adapter>.",
                "kubectl -n {namespace} get models",
            ),
            advise("The Model must be in KubeAI's own namespace."),
        ),
    ),
    Rule(
        code="BadRequestAtGateway",
        seen=("bad request: reading", "bad request: parse media type"),
        take=(r"bad request: (?P<why>[^\"}]+)",),
        message=("The gateway cannot read the request: {why}.", "The gateway cannot read the request."),
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
        seen=("does not support generate", "does not support chat"),
        message=('"{name}" is an embedding model and cannot generate text.',),
        who="user",
        remedies=(set_features("TextEmbedding"), advise("Serve a text model for chat.")),
    ),
    Rule(
        code="FeatureMismatch",
        seen=("loaded moded cannot fullyfill",),
        take=(r"options are (?P<options>\{[^}]*\})",),
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
        only=_of_gateway,
        take=(r"^(?P<status>\d+)",),
        message=(
            "The gateway answered {status} and keeps the reason to itself.",
            "The gateway failed and keeps the reason to itself.",
        ),
        who="user",
        remedies=(
            READ_LOG,
            run(
                "The admin finds the reason in the operator's log.",
                "kubectl -n {operator_ns} logs deploy/kubeai --tail=200",
            ),
        ),
    ),
)

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


def answer(scene: Scene) -> Finding | None:
    """What the one test request says, where it failed."""
    given = scene.observation.answer
    code = given.status if given and isinstance(given.status, int) else None
    if given is None or (code is not None and code < 400):
        return None
    body = " ".join(given.body.split()) if isinstance(given.body, str) else ""
    passage = Passage("answer", "test request", (f"{code or 'no answer'} {body}".strip(),))
    pod = next((pod for pod in scene.current if pod.ready), None) if scene.pods else None
    finding = first(ANSWERS, (passage,), scene, pod=pod)
    if finding or not (pod or number_at(scene.model, "status", "replicas", "ready")):
        return finding
    evidence = Evidence("answer", "test request", passage.lines[0])
    return stated(_NOT_ANSWERING, scene, evidence, pod=pod, status=str(code or ""))


ALL: tuple[Rule, ...] = (*ANSWERS, _NOT_ANSWERING)
