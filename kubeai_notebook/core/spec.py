"""``spec_of``, the one door to a ModelSpec: keyword arguments, options, form values, YAML, manifests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubeai_notebook.core import inference
from kubeai_notebook.core.catalog.operator_catalog import Catalog, catalog_of
from kubeai_notebook.core.field_aliases import fields_of, to_snake
from kubeai_notebook.core.manifest import spec_of_manifest, to_manifest
from kubeai_notebook.core.masking import masked, secret_values
from kubeai_notebook.core.messages import sentence_of
from kubeai_notebook.core.model_spec import ENGINES, FEATURES, ModelSpec, validated
from kubeai_notebook.core.naming import check_name
from kubeai_notebook.core.notice import Notice, wrong
from kubeai_notebook.core.plain_data import check_fields
from kubeai_notebook.core.profile import parse_profile
from kubeai_notebook.core.rules.admission import admit
from kubeai_notebook.core.rules.admission_errors import NO_FIELD, NOT_CHECKED, Cause
from kubeai_notebook.core.rules.catalog_checks import profile_for
from kubeai_notebook.core.rules.lint import problems_of
from kubeai_notebook.core.source import parse_source
from kubeai_notebook.core.yaml_text import UnreadableYamlError, read_mapping
from kubeai_notebook.errors import SpecError

__all__ = ["ENGINES", "FEATURES", "ModelSpec", "spec_of", "spec_of_yaml"]


def spec_of(mapping: Mapping[str, Any], *, default_profile: str = "cpu", catalog: Catalog | None = None) -> ModelSpec:
    """Make a ModelSpec of keyword arguments, magic options, form values or our short YAML.

    All spellings of `core.field_aliases` are accepted. What is left out is inferred from the url and
    recorded in ``inferred``. ``resources={"gpu": 1, "memory": "24Gi"}``, which no Model has, becomes
    the smallest profile of the ``catalog`` (without one: of KubeAI's chart) that covers it.

    >>> spec_of({"url": "ollama://smollm2:135m"}).engine
    'OLlama'

    Raises:
        SpecError: one or more fields are wrong; ``problems`` names every one with its fix.
    """
    check_fields(mapping)
    if "kind" in mapping or "apiVersion" in mapping:
        if refused := _refused(mapping):
            raise SpecError(refused)
        return spec_of_manifest(mapping)
    given = fields_of(mapping)
    if not isinstance(given.get("url"), str):
        message = "A Model needs a url. Give one such as ollama://smollm2:135m or hf://org/model."
        raise SpecError([wrong("url", "Required", message)])
    source = parse_source(given["url"])
    resources = given.pop("resources", None)
    if resources is not None:
        given["resource_profile"] = _covering(resources, given, catalog)
    completed, inferred = inference.complete(given, source, default_profile=default_profile)
    spec = validated({**completed, "inferred": inferred})
    if problems := _problems(spec):
        raise SpecError(problems)
    return spec.model_copy(update={"resource_profile": str(parse_profile(spec.resource_profile))})


def _covering(resources: Any, given: Mapping[str, Any], catalog: Catalog | None) -> str:
    """The profile for a resource specification."""
    if not isinstance(resources, Mapping):
        message = 'The field "resources" must be a mapping such as {"gpu": 1, "memory": "24Gi"}.'
        raise SpecError([wrong("resources", "WrongType", message)])
    if given.get("resource_profile"):
        message = "Give resources or a resource profile, not both: the profile is what holds the resources."
        raise SpecError([wrong("resources", "InvalidValue", message)])
    return str(profile_for(resources, catalog or catalog_of(None)))


def spec_of_yaml(text: str, *, default_profile: str = "cpu") -> ModelSpec:
    """As `spec_of`, for YAML: a Model as ``kubectl apply`` takes it, or our short form.

    Raises:
        SpecError: the text cannot be read, or a field is wrong.
    """
    try:
        return spec_of(read_mapping(text), default_profile=default_profile)
    except UnreadableYamlError as error:
        raise SpecError([wrong("", "InvalidYaml", f"The YAML {error}.")]) from None


_PROFILE_CODE = "InvalidResourceProfile"


def _problems(spec: ModelSpec) -> list[Notice]:
    """All that is wrong: what would fail in silence, then what the API server would refuse besides."""
    own = [*check_name(spec.name), *_profile_problems(spec), *_trapped(spec)]
    fields = {problem.field.partition("[")[0] for problem in own}
    refused = [problem for problem in _refused(to_manifest(spec)) if problem.field.partition("[")[0] not in fields]
    return list(dict.fromkeys([*own, *refused]))


def _profile_problems(spec: ModelSpec) -> list[Notice]:
    try:
        parse_profile(spec.resource_profile)
    except SpecError as error:
        return list(error.notices)
    return []


def _trapped(spec: ModelSpec) -> list[Notice]:
    """Errors only, and not the profile's form: that is the parser's own matter."""
    found = [one for one in problems_of(spec) if one.severity == "error" and one.code != _PROFILE_CODE]
    return [_problem(one.field, one.code, str(one)) for one in found]


def _refused(manifest: Mapping[str, Any]) -> list[Notice]:
    """What KubeAI's own rules say, by the fields of a spec; a field that only a newer KubeAI knows is let pass."""
    verdict = admit(manifest, strict=False)
    # These sentences quote the value that is wrong, as the API server does.
    spec = manifest.get("spec")
    secrets = secret_values(spec) if isinstance(spec, Mapping) else ()
    if verdict.bad_request:
        return [wrong("", "BadRequest", f"This is no Model of KubeAI: {masked(verdict.bad_request, secrets)}.")]
    return [
        _problem(_field_of(cause), cause.reason, masked(sentence_of(cause.message), secrets))
        for cause in verdict.causes
        if cause != NOT_CHECKED
    ]


def _field_of(cause: Cause) -> str:
    """A cause's field as ModelSpec calls it; the one rule on the whole object is about its name."""
    path = cause.field.replace(NO_FIELD, "name").removeprefix("metadata.").removeprefix("spec.")
    return to_snake(path)


def _problem(field: str, code: str, message: str) -> Notice:
    """A sentence that names its field."""
    return wrong(field, code, message if field in message or field == "spec" else f"{field}: {message}")
