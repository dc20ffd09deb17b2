"""What KubeAI does not say, found by comparing the Model with the operator's configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.diagnosis.engine.remedies import (
    LOOK_AGAIN,
    advise,
    ask,
    run,
    set_env,
    set_features,
    set_field,
)
from kubeai_notebook.core.diagnosis.engine.rule import Rule, stated
from kubeai_notebook.core.kubeai.releases import NARROW_URLS
from kubeai_notebook.core.messages import nearest
from kubeai_notebook.core.notice import Evidence, Finding
from kubeai_notebook.core.objects import is_managed, map_at, text_at, texts_at
from kubeai_notebook.core.source import CACHED_ONLY, CLAIM_VARIABLES, LOADABLE, parse_source
from kubeai_notebook.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeai_notebook.core.diagnosis.engine.scene import Scene

NO_SPEC = Rule(
    code="NoSpec",
    seen=(),
    message=('"{name}" has no spec: it says neither what to serve nor how, so KubeAI starts nothing.',),
    who="user",
    remedies=(advise("Serve it again under this name, with a url."), ask("Or delete it.", "delete", "{name}")),
)
DOWN = Rule(
    code="OperatorDown",
    seen=(),
    message=('Nobody looks after "{name}": KubeAI\'s operator is not running, or it looks at another namespace.',),
    who="admin",
    remedies=(run("See whether the operator runs.", "kubectl -n {operator_ns} get deploy kubeai"),),
)
ELSEWHERE = Rule(
    code="WrongNamespace",
    seen=(),
    message=('Nobody looks after "{name}": KubeAI looks at namespace {operator_ns} only.',),
    who="user",
    remedies=(
        run(
            "Copy the Model there.",
            "kubectl -n {namespace} get model {name} -o json | jq"
            " '.metadata={{name:.metadata.name,namespace:\"{operator_ns}\"}}|del(.status)'"
            " | kubectl apply -f -",
        ),
        run("Then delete it here.", "kubectl -n {namespace} delete model {name}"),
    ),
)
BAD_PROFILE = Rule(
    code="InvalidResourceProfile",
    seen=(),
    message=(
        'The resource profile "{profile}" is not <name>:<count> with a count from 1 up.',
        '"{name}" has no resource profile, so it can never start.',
    ),
    who="user",
    remedies=(
        set_field("resourceProfile", "{nearest}:1", "Set resourceProfile {value}."),
        set_field("resourceProfile", "{written}:1", "Set resourceProfile {value}."),
        advise("Choose one of {known}, as in cpu:1.", "Write it like cpu:1."),
        LOOK_AGAIN,
    ),
)
NO_PROFILE = Rule(
    code="UnknownResourceProfile",
    seen=(),
    message=(
        'This cluster has no resource profile "{written}"; it has {known}.',
        'This cluster has no resource profile "{written}".',
    ),
    who="user",
    remedies=(
        set_field("resourceProfile", "{nearest}:{count}", "Set resourceProfile {value}."),
        advise("Choose one of those that it has."),
        LOOK_AGAIN,
    ),
)
NO_CACHE = Rule(
    code="UnknownCacheProfile",
    seen=(),
    message=(
        'This cluster has no cache profile "{cache_profile}"; it has {known}.',
        'This cluster has no cache profile "{cache_profile}".',
    ),
    who="user",
    remedies=(set_field("cacheProfile", None, "Remove cacheProfile; it can be removed, not changed."), LOOK_AGAIN),
)
NO_IMAGE = Rule(
    code="NoServerImage",
    seen=(),
    message=("KubeAI is not told which image to start for engine {engine}.",),
    who="admin",
    remedies=(advise("Set image in the Model, or modelServers.{engine}.images.default in kubeai-config."), LOOK_AGAIN),
)
BAD_URL = Rule(
    code="InvalidModelUrl",
    seen=(),
    message=("{why}",),
    who="user",
    remedies=(
        set_env("INFINITY_MODEL_ID", "{infinity_path}", "Tell Infinity where the claim is mounted: env.{variable}."),
        set_env("WHISPER__MODEL", "{whisper_path}", "Tell FasterWhisper where the claim is mounted: env.{variable}."),
        set_field("engine", "{better_engine}", "Serve it by engine {value}."),
        set_field("url", "{better_url}", "Set url {value}."),
        advise("Correct the url {url}.", "Give the Model a url."),
        LOOK_AGAIN,
    ),
)
NOT_MADE_FOR_CHAT = Rule(
    code="FeatureMismatch",
    seen=(),
    message=('"{name}" says TextGeneration, but Infinity has no chat: such requests get its 404.',),
    who="user",
    remedies=(set_features("TextEmbedding"), advise("Make the Model anew with engine VLLM to chat.")),
)
FINALIZER = "kubeai.org/cache-eviction"
RELEASE = run(
    "Else remove the finalizer; the cached files then stay on the volume.",
    'kubectl -n {namespace} patch model {name} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\'',
)
_WHY_STUCK = {
    BAD_URL.code: "its url cannot be read",
    NO_CACHE.code: "its cache profile is gone",
    BAD_PROFILE.code: "its resource profile cannot be read",
    NO_PROFILE.code: "its resource profile is gone",
    NO_IMAGE.code: "KubeAI is told no image for its engine",
}
STUCK = Rule(
    code="DeletionStuck",
    seen=(),
    message=('"{name}" cannot be deleted: KubeAI must clear its cache first, and {why}.',),
    who="user",
    remedies=(
        set_field("resourceProfile", "{nearest}:1", "Set a resource profile that exists: {value}."),
        RELEASE,
    ),
)
ALL: tuple[Rule, ...] = (
    NO_SPEC,
    DOWN,
    ELSEWHERE,
    BAD_PROFILE,
    NO_PROFILE,
    NO_CACHE,
    NO_IMAGE,
    BAD_URL,
    NOT_MADE_FOR_CHAT,
    STUCK,
)


def no_spec(scene: Scene) -> Finding | None:
    """A Model that was made without a spec, which KubeAI's definition lets in."""
    if scene.spec or not scene.name:
        return None
    return stated(NO_SPEC, scene, _field(scene, "spec", "absent or empty"))


def unmanaged(scene: Scene) -> Finding | None:
    """A Model that no operator touched although it had time to."""
    if is_managed(scene.model) or scene.all_pods or not scene.settled:
        return None
    evidence = _field(scene, "status", "absent, and no label features.kubeai.org/*")
    operator = scene.observation.operator
    watched = [*texts_at(operator.config, "watchNamespaces")] or [operator.namespace or ""]
    elsewhere = bool(operator.namespace and scene.namespace and not {scene.namespace, "*"} & {*watched})
    return stated(ELSEWHERE if elsewhere else DOWN, scene, evidence)


def deletion_stuck(scene: Scene) -> Finding | None:
    """A deleted Model whose cache the operator cannot clear, because it cannot read the spec.

    Source: KubeAI 0.22.1, model_controller.go: getModelConfig comes before the finalizer, and every error of it ends
    the reconciliation.
    """
    finalizers = texts_at(scene.model, "metadata", "finalizers")
    wrong = next(iter(wrong_spec(scene)), None)
    if FINALIZER not in finalizers or wrong is None:
        return None
    evidence = _field(scene, "metadata.finalizers", FINALIZER)
    nearest = ""
    if wrong.code in (BAD_PROFILE.code, NO_PROFILE.code):
        profiles = _known(scene, "resourceProfiles")
        nearest = _nearest(scene.profile[0], profiles) or next((name for name in profiles if isinstance(name, str)), "")
    stuck = stated(STUCK, scene, evidence, why=_WHY_STUCK[wrong.code], nearest=nearest)
    cures = tuple(remedy for remedy in wrong.remedies if remedy.changes and not nearest)
    return replace(stuck, remedies=(*cures, *stuck.remedies))


def wrong_spec(scene: Scene) -> tuple[Finding, ...]:
    """Everything in the spec that makes the operator give up, in its own order."""
    return (*_url(scene), *_cache(scene), *_profile(scene), *_image(scene)) if scene.spec else ()


def infinity_chat(scene: Scene) -> Finding | None:
    """TextGeneration on Infinity: the Model runs, chat does not."""
    if scene.engine != "Infinity" or "TextGeneration" not in texts_at(scene.spec, "features"):
        return None
    return stated(NOT_MADE_FOR_CHAT, scene, _field(scene, "spec.features", "TextGeneration, engine Infinity"))


def _field(scene: Scene, path: str, value: str) -> Evidence:
    return Evidence("field", f"Model {scene.name} {path}".strip(), value)


def _known(scene: Scene, key: str) -> Mapping[str, Any]:
    return map_at(scene.config, key)


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    return nearest(name, (key for key in known if isinstance(key, str)), share=0.4)


def _profile(scene: Scene) -> Iterator[Finding]:
    text = scene.spec.get("resourceProfile")
    if (text is not None and not isinstance(text, str)) or (not text and scene.pods):
        return
    written, colon, _ = (text or "").partition(":")
    name, count = scene.profile
    known = _known(scene, "resourceProfiles")
    names, nearest = ", ".join(map(str, known)), _nearest(written, known)
    evidence = _field(scene, "spec.resourceProfile", text or "empty")
    if not name or not colon or scene.resource_profile.multiple is None:  # (of 0 units KubeAI makes a Pod)
        usable = written if not known or written in known else ""
        yield stated(BAD_PROFILE, scene, evidence, written=usable, known=names, nearest=nearest)
    elif known and name not in known:
        yield stated(NO_PROFILE, scene, evidence, count=str(count), written=written, known=names, nearest=nearest)


def _cache(scene: Scene) -> Iterator[Finding]:
    cache = text_at(scene.spec, "cacheProfile")
    if cache and "cacheProfiles" in scene.config and cache not in _known(scene, "cacheProfiles"):
        known = ", ".join(map(str, _known(scene, "cacheProfiles")))
        yield stated(NO_CACHE, scene, _field(scene, "spec.cacheProfile", cache), known=known)


def _image(scene: Scene) -> Iterator[Finding]:
    servers = _known(scene, "modelServers")
    if not servers or not scene.engine or text_at(scene.spec, "image"):
        return
    by_name = {str(key).lower(): value for key, value in servers.items()}
    images = map_at(by_name.get(scene.engine.lower()), "images")
    wanted = text_at(_known(scene, "resourceProfiles"), scene.profile[0], "imageName")
    if not images.get("default") and not images.get(wanted):
        yield stated(NO_IMAGE, scene, _field(scene, f"modelServers.{scene.engine}.images", "has no default"))


def _url(scene: Scene) -> Iterator[Finding]:
    if not isinstance(scene.spec.get("url"), str):
        return
    why = _why_not_loadable(scene) or _why_not_parsed(scene)
    if why:
        able = [engine for engine, schemes in LOADABLE.items() if scene.scheme in schemes]
        better = able[0] if scene.scheme == "ollama" else ""
        cut = scene.url.partition("?")[0] if "?" in scene.url and scene.spec.get("cacheProfile") else ""
        yield stated(
            BAD_URL, scene, _field(scene, "spec.url", scene.url), why=why, better_engine=better, better_url=cut
        )


def _why_not_loadable(scene: Scene) -> str:
    loadable = LOADABLE.get(scene.engine, ())
    cached = bool(scene.spec.get("cacheProfile"))
    if scene.scheme == "pvc" and scene.engine in CLAIM_VARIABLES:
        mount = scene.env.get(CLAIM_VARIABLES[scene.engine])
        return "" if mount else f"{scene.engine} takes the claim's name for that of a repository."
    if loadable and scene.scheme and scene.scheme not in loadable:
        return f"{scene.engine} cannot load {scene.scheme}:// urls."
    if (scene.engine, scene.scheme) in CACHED_ONLY and not cached:
        return f"{scene.engine} can load {scene.scheme}:// urls only with a cacheProfile."
    if scene.engine == "OLlama" and scene.scheme == "pvc" and "model=" not in scene.url:
        return "OLlama needs the model's name behind the claim: pvc://claim?model=name."
    if cached and "?" in scene.url:
        return "With a cacheProfile the url may have no ?parameters: the loader would take them for a part of the name."
    return ""


def _why_not_parsed(scene: Scene) -> str:
    """The operator's own grammar, where its version is known to be the strict one."""
    if not NARROW_URLS.holds(scene.observation.operator.version) or scene.scheme == "oci":
        return ""
    try:
        parse_source(scene.url)
    except SpecError as error:
        return str(error)
    return ""
