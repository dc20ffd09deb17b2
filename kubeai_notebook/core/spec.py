"""From fields to a ModelSpec: a Draft holds all that can be said of them at once.

Fields come as keyword arguments, magic options, form values, YAML or a Manifest. Rules were once asked one after the
other, each only where the one before had nothing to say: four wrong fields took three rounds. So a field that is wrong
is now left out, with its Notice, and all others are judged without it; what could be wrong only because of a field
that was left out is not said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core import inference
from kubeai_notebook.core.documents import described_in
from kubeai_notebook.core.field_aliases import read_fields, to_snake
from kubeai_notebook.core.fields import FIELDS
from kubeai_notebook.core.kubeai.model_schema import KNOWN, ModelSchema
from kubeai_notebook.core.kubeai.operator_config import OperatorConfig, operator_config_of
from kubeai_notebook.core.manifest import API_VERSION, fields_of_manifest, spec_of_manifest, to_manifest
from kubeai_notebook.core.masking import masked, quoted, secret_values
from kubeai_notebook.core.messages import sentence_of, with_article
from kubeai_notebook.core.model_spec import ENGINES, FEATURES, ModelSpec
from kubeai_notebook.core.naming import check_name, check_namespace
from kubeai_notebook.core.notice import MOST_UNKNOWN, Notice, Severity, more_unknown, wrong
from kubeai_notebook.core.objects import at, map_at, text_at
from kubeai_notebook.core.plain_data import plain_fields
from kubeai_notebook.core.profile import ResourceProfile, parse_profile
from kubeai_notebook.core.remedy import Remedy
from kubeai_notebook.core.rules.admission import admit
from kubeai_notebook.core.rules.admission_errors import NO_FIELD, NOT_CHECKED, Cause
from kubeai_notebook.core.rules.lint import problems_of
from kubeai_notebook.core.rules.operator_checks import against_operator_config, profile_for, with_known_profile
from kubeai_notebook.core.rules.schema import KIND
from kubeai_notebook.core.source import SCHEMES, Source, check_patterns, check_source
from kubeai_notebook.core.source_spellings import read_spelling
from kubeai_notebook.core.validation import check_choices, checked, unknown_field
from kubeai_notebook.core.yaml_text import UnreadableYamlError
from kubeai_notebook.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubeai_notebook.core.facts import ClusterFacts

__all__ = ["ENGINES", "FEATURES", "Draft", "ModelSpec", "draft_of", "spec_of", "spec_of_yaml", "specs_of_yaml"]

# What decides together how weights are loaded and served: where one is wrong, nothing is said of the others.
_KIND = frozenset({"url", "engine", "features", "cache_profile", "adapters"})
# What rules on the whole spec compare.
_COMPARED = _KIND | {"scaling", "files"}
_ORDER = {name: place for place, name in enumerate(["", *dict.fromkeys(field.path[0] for field in FIELDS)])}
_SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Fields that are being edited, and all that can be said of them."""

    notices: tuple[Notice, ...] = ()
    """Errors first, then warnings, then what was inferred; each in the order of the fields."""
    spec: ModelSpec | None = None
    """None as long as there is an error."""

    @property
    def errors(self) -> tuple[Notice, ...]:
        """Why there is no spec."""
        return tuple(notice for notice in self.notices if notice.severity == "error")

    def about(self, field: str) -> tuple[Notice, ...]:
        """What is said of a field and of its parts, such as ``args`` and ``args[2]``; ``""``: of no field."""
        return tuple(notice for notice in self.notices if _top(notice.field) == field)


def draft_of(
    fields: Any,
    facts: ClusterFacts | None = None,
    *,
    default_profile: str = "cpu",
    operator_config: OperatorConfig | None = None,
    there: Mapping[str, Any] | None = None,
    schema: ModelSchema | None = None,
) -> Draft:
    """All that can be said of the fields at once; it never raises, asks nobody and takes about a millisecond.

    All spellings of `core.field_aliases` are accepted. What is left out is inferred from the url and
    recorded in ``inferred``. ``resources={"gpu": 1, "memory": "24Gi"}``, which no Model has, becomes
    the smallest profile of the ``operator_config`` (by default the facts', else that of KubeAI's chart) that covers it.

    With ``facts``, what the cluster lacks is said as well. By its ``schema`` (by default the facts', else that of
    KubeAI 0.22) an engine, a feature, a scheme or a field that is not known here is none the worse. ``there``: url,
    engine, features and profile of the Model that is there, which stay where the fields leave them out.

    >>> [notice.field for notice in draft_of({"url": "x", "engin": "VLLM", "args": 1, "name": "A"}).errors]
    ['name', 'url', 'args', 'engin']
    """
    plain, notices = plain_fields(fields)
    if not plain and notices:
        return Draft(notices=tuple(notices))
    schema = schema or (facts.schema if facts else KNOWN)
    if "kind" in plain or "apiVersion" in plain:
        return _draft_of_manifest(plain, notices, facts, schema=schema)
    given, more = read_fields(plain)
    notices += more
    meant = _read_spellings(given)
    chosen = operator_config or (facts.operator_config if facts else None)
    source = _source({**(there or {}), **given}, notices, schema)
    _choose_profile(given, notices, chosen)
    completed, inferred = inference.complete(given, source, default_profile=default_profile, there=there)
    _read_profile(completed, notices)
    spec, more = checked({**completed, "inferred": (*meant, *inferred)})
    written = {to_snake(key): key for key in plain}
    notices += [_as_written(notice, written) for notice in more]
    spec = with_known_profile(spec, facts.operator_config) if facts else spec
    notices += check_choices(spec, engines=schema.engines, features=schema.features)
    notices += check_name(spec.name) if isinstance(completed["name"], str) else []
    notices += check_namespace(spec.namespace, facts.namespace if facts else "") if spec.namespace else []
    bad = {_top(notice.field) for notice in notices}
    notices += _judged(spec, facts, bad)
    notices += [
        Notice(
            code="Inferred",
            severity="info",
            field=inferred.field,
            message=f"{masked(inferred.value)}: {masked(inferred.why)}.",
        )
        for inferred in spec.inferred
        if inferred.field not in bad and not (bad & {"url"} and inferred.field != "resource_profile")
    ]
    return _draft(spec, notices)


def spec_of(
    mapping: Mapping[str, Any],
    *,
    default_profile: str = "cpu",
    operator_config: OperatorConfig | None = None,
    there: Mapping[str, Any] | None = None,
    schema: ModelSchema | None = None,
) -> ModelSpec:
    """The ModelSpec of a `draft_of` the fields.

    >>> spec_of({"url": "ollama://smollm2:135m"}).engine
    'OLlama'

    Raises:
        SpecError: one or more fields are wrong; ``notices`` names every one with its fix.
    """
    draft = draft_of(
        mapping, default_profile=default_profile, operator_config=operator_config, there=there, schema=schema
    )
    if draft.spec is None:
        raise SpecError(draft.errors)
    return draft.spec


def specs_of_yaml(text: str, *, default_profile: str = "cpu", schema: ModelSchema | None = None) -> list[ModelSpec]:
    """Each Model that a YAML text describes, in any form that `core.documents` reads; of a catalog the enabled ones.

    Raises:
        SpecError: the text cannot be read, or a field of any Model is wrong; all that is wrong is said at once, with
            the line and, of several Models, the name.
    """
    try:
        models = described_in(text)
    except UnreadableYamlError as error:
        raise SpecError([wrong("", "InvalidYaml", f"The YAML {error}.")]) from None
    wanted = [model for model in models if model.enabled]
    if models and not wanted:
        message = "No Model of this catalog is enabled. Write enabled: true below its name."
        raise SpecError([wrong("", "NothingEnabled", message)])
    drafts = [draft_of(model.fields, default_profile=default_profile, schema=schema) for model in wanted]
    faults = [
        replace(notice, message=f"{model.title}: {notice.message}") if len(wanted) > 1 else notice
        for model, draft in zip(wanted, drafts, strict=True)
        for notice in model.located(draft.errors)
    ]
    if faults:
        raise SpecError(faults)
    return [draft.spec for draft in drafts if draft.spec]


def spec_of_yaml(text: str, *, default_profile: str = "cpu") -> ModelSpec:
    """The one Model of `specs_of_yaml`.

    Raises:
        SpecError: as there; or the text describes no Model, or several.
    """
    specs = specs_of_yaml(text, default_profile=default_profile)
    if len(specs) != 1:
        message = f"The YAML describes {len(specs) or 'no'} Models, where one is wanted."
        raise SpecError([wrong("", "InvalidYaml", message)])
    return specs[0]


def _as_written(notice: Notice, written: Mapping[str, str]) -> Notice:
    """One of an unknown field in the spelling in which it was given."""
    is_of_one = notice.code == "UnknownField" and notice.field
    return unknown_field(written.get(notice.field, notice.field)) if is_of_one else notice


def _draft(spec: ModelSpec, notices: Iterable[Notice]) -> Draft:
    def place(notice: Notice) -> tuple[int, int]:
        is_of_more = notice.code == "UnknownField" and not notice.field  # (stands behind those that it speaks of)
        last = len(_ORDER)
        return _SEVERITIES.index(notice.severity), last if is_of_more else _ORDER.get(_top(notice.field), last)

    if given := spec.given_values:  # a rule quotes what is wrong, and somebody may have put a secret's value there
        notices = [replace(notice, message=masked(notice.message, given)) for notice in notices]
    ordered = tuple(sorted(dict.fromkeys(notices), key=place))
    wrong_anywhere = any(notice.severity == "error" for notice in ordered)
    return Draft(notices=ordered, spec=None if wrong_anywhere else spec)


def _top(field: str) -> str:
    return field.partition("[")[0].partition(".")[0]


def _read_spellings(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Put the url that was meant in the place of each that people write in another way; what was inferred so."""
    inferred: list[dict[str, Any]] = []
    if isinstance(url := given.get("url"), str) and (read := read_spelling(url)):
        given["url"] = read.url
        inferred.append({"field": "url", "value": masked(read.url), "why": read.why, "stated": True})
    adapters = given.get("adapters")
    for number, adapter in enumerate(adapters if isinstance(adapters, list | tuple) else ()):
        url = adapter.get("url") if isinstance(adapter, Mapping) else None
        if isinstance(url, str) and (read := read_spelling(url)):
            before, after = given["adapters"][:number], given["adapters"][number + 1 :]
            given["adapters"] = [*before, {**adapter, "url": read.url}, *after]
            inferred.append({"field": "adapters", "value": masked(read.url), "why": read.why, "stated": True})
    return inferred


def _source(given: Mapping[str, Any], notices: list[Notice], schema: ModelSchema) -> Source:
    """The url, also where it cannot be read."""
    url = given.get("url")
    if not isinstance(url, str):
        message = "A Model needs a url. Give one such as ollama://smollm2:135m or hf://org/model."
        notices.append(wrong("url", "Required", message))
        return Source()
    notices += check_source(Source(url), schema.schemes, schema.url_patterns)
    return Source(url)


def _choose_profile(given: dict[str, Any], notices: list[Notice], operator_config: OperatorConfig | None) -> None:
    """Put the profile that covers a wish for resources in its place."""
    resources = given.pop("resources", None)
    if resources is None:
        return
    if not isinstance(resources, Mapping):
        message = 'The field "resources" must be a mapping such as {"gpu": 1, "memory": "24Gi"}.'
        notices.append(wrong("resources", "WrongType", message))
    elif given.get("resource_profile"):
        message = "Give resources or a resource profile, not both: the profile is what holds the resources."
        notices.append(wrong("resources", "InvalidValue", message))
    else:
        try:
            given["resource_profile"] = profile_for(resources, operator_config or operator_config_of(None))
        except SpecError as error:
            notices += error.notices


def _read_profile(fields: dict[str, Any], notices: list[Notice]) -> None:
    """Give the profile the form that KubeAI reads; a bare name counts once."""
    profile = fields["resource_profile"]
    if isinstance(profile, str):
        try:
            fields["resource_profile"] = parse_profile(profile)
        except SpecError as error:
            notices += error.notices


def _judged(spec: ModelSpec, facts: ClusterFacts | None, bad: set[str]) -> list[Notice]:
    """What the rules say of the fields that are not wrong already: lint, then the API server, then the cluster."""
    silent = set(bad)
    if bad & _KIND:
        silent |= _KIND
    if "engine" in bad:
        silent.add("image")
    if bad & {"resources", "resource_profile"}:
        silent.add("resource_profile")
        spec = spec.model_copy(update={"resource_profile": ResourceProfile()})
    if bad & _COMPARED:
        silent.add("")
    notices = problems_of(spec)
    own = {_top(notice.field) for notice in notices if notice.severity == "error"}
    notices += [notice for notice in _refused(to_manifest(_admissible(spec))) if _top(notice.field) not in own]
    notices += against_operator_config(spec, facts) if facts else []
    return [notice for notice in notices if _top(notice.field) not in silent]


def _admissible(spec: ModelSpec) -> ModelSpec:
    """The spec without values that our table of KubeAI does not know: whether those are right is said elsewhere.

    The API server asks no further rule of a Model with one of them, and what else is wrong would be learned later.
    """
    known = {
        "url": spec.url if spec.url.scheme in SCHEMES else Source("hf://org/model"),
        "engine": spec.engine if spec.engine in ENGINES else "VLLM",
        "features": tuple(feature for feature in spec.features if feature in FEATURES),
    }
    return spec.model_copy(update=known)


def _draft_of_manifest(
    manifest: Mapping[str, Any], notices: list[Notice], facts: ClusterFacts | None, *, schema: ModelSchema
) -> Draft:
    """A Manifest is taken as it is: what the API server lets in and KubeAI fails on is a warning here."""
    spec, mistyped = checked(fields_of_manifest(manifest))
    notices = [*notices, *_refused(manifest, schema)]
    notices += check_patterns(Source(text_at(manifest, "spec", "url")), schema.url_patterns)
    bad = {_top(notice.field) for notice in notices}
    notices += [notice for notice in mistyped if _top(notice.field) not in bad]
    notices += _dropped(manifest, schema, severity="error" if notices else "warning")
    lacks = against_operator_config(spec, facts) if facts else []
    if any(notice.severity == "error" for notice in notices):
        notices += [notice for notice in lacks if notice.field == "resource_profile" and notice.field not in bad]
    else:
        notices += [*(replace(notice, severity="warning") for notice in problems_of(spec)), *lacks]
    return _draft(spec_of_manifest(manifest), notices)


def _refused(manifest: Mapping[str, Any], schema: ModelSchema = KNOWN) -> list[Notice]:
    """What KubeAI's own rules say, by the fields of a spec; a field that only a newer KubeAI knows is let pass."""
    verdict = admit(manifest, strict=False)
    # These sentences quote the value that is wrong, as the API server does.
    secrets = secret_values(map_at(manifest, "spec"))
    begins = {"apiVersion": f"apiVersion: {API_VERSION}", "kind": "kind: Model"}
    if lacks := [line for key, line in begins.items() if not manifest.get(key)]:
        lines = " and ".join(f'"{line}"' for line in lacks)
        return [wrong("", "BadRequest", f"A whole Model of Kubernetes needs the line {lines}. Add it.")]
    if (kind := text_at(manifest, "kind")) and kind != KIND:
        return [wrong("", "BadRequest", f"This is {with_article(quoted(kind))}, not a Model. Apply it with kubectl.")]
    if verdict.bad_request:
        return [wrong("", "BadRequest", f"This is no Model of KubeAI: {masked(verdict.bad_request, secrets)}.")]
    return [
        wrong(_field_of(cause), cause.reason, masked(sentence_of(cause.message), secrets))
        for cause in verdict.causes
        if cause != NOT_CHECKED and not _is_known_there(cause, manifest, schema)
    ]


def _dropped(manifest: Mapping[str, Any], schema: ModelSchema, *, severity: Severity) -> Iterator[Notice]:
    """Fields that no Model of the KubeAI known here has: beside a wrong one they are often what was meant for it."""
    newer = schema.fields - KNOWN.fields
    unknown = [
        path
        for path in admit(manifest, strict=False).unknown_fields
        if path.removeprefix("spec.").partition(".")[0].partition("[")[0] not in newer
    ]
    for path in unknown[:MOST_UNKNOWN]:
        notice = unknown_field(path)
        message = notice.message.replace("has no field", "of KubeAI 0.22 has no field", 1)
        value = at(manifest, *path.split(".")) if "[" not in path else None
        remedies = (Remedy(title=f"Write engine: {value} in its place."),) if value in schema.engines else ()
        yield replace(notice, severity=severity, message=message, remedies=remedies)
    yield from (replace(notice, severity=severity) for notice in more_unknown(len(unknown)))


def _is_known_there(cause: Cause, manifest: Mapping[str, Any], schema: ModelSchema) -> bool:
    """Whether the cluster admits a value that our table of KubeAI does not know."""
    field, _, number = cause.field.removeprefix("spec.").rstrip("]").partition("[")
    if field == "engine":
        return text_at(manifest, "spec", "engine") in schema.engines
    if field == "url":
        return Source(text_at(manifest, "spec", "url")).scheme in schema.schemes
    return field == "features" and number.isdecimal() and at(manifest, "spec", field)[int(number)] in schema.features


def _field_of(cause: Cause) -> str:
    """A cause's field as ModelSpec calls it; the one rule on the whole object is about its name."""
    # Of a number that is too large the server names the field at the end of its sentence only.
    at_end = re.search(r" in (spec\.[\w.]+)$", cause.message) if cause.field == NO_FIELD else None
    path = at_end[1] if at_end else cause.field.replace(NO_FIELD, "name")
    path = path.removeprefix("metadata.").removeprefix("spec.")
    return "" if path == "spec" else to_snake(path)
