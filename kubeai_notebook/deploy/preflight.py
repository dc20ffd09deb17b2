"""Preflight: what can be known before a Model is sent, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.diagnosis.tables.responses import BROKEN_PULLS
from kubeai_notebook.core.kubeai.this_machine import RUNS_AS_YOU, code_refusal, kept
from kubeai_notebook.core.masking import quoted
from kubeai_notebook.core.messages import did_you_mean
from kubeai_notebook.core.model_spec import SecretKey, SecretName
from kubeai_notebook.core.rules.catalog_checks import against_catalog
from kubeai_notebook.core.rules.lint import problems_of
from kubeai_notebook.errors import Problem, SpecError

from .check import Check, State
from .quota import quota_checks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.plan import Plan
    from kubeai_notebook.core.rules.advice import Advice

    from .facts import Facts


def preflight(facts: Facts, spec: ModelSpec, planned: Plan) -> tuple[Check, ...]:
    """All lines, in the order in which things would go wrong."""
    return (
        Check(name="API", state="ok", message=f"The Kubernetes API at {facts.host} answers."),
        *_kubeai(facts, spec),
        _namespace(facts),
        *_rights(facts),
        *_group("engine and url", "This engine can load this url.", problems_of(spec)),
        *_group("profile and Secrets", _profile_said(facts, spec), _against(facts, spec)),
        *_secrets(facts, spec),
        *(_this_machine(spec) if facts.this_machine else ()),
        *quota_checks(facts, spec, planned),
        _name(spec, planned),
    )


def refused(checks: tuple[Check, ...]) -> SpecError | None:
    """The error that the failed lines make, if there are some."""
    failed = [one for one in checks if one.state == "fail"]
    problems = [Problem(one.field, one.code, f"{one.message} {one.hint}".rstrip()) for one in failed]
    return SpecError(problems) if problems else None


def _kubeai(facts: Facts, spec: ModelSpec) -> Iterator[Check]:
    version = facts.operator.version
    if version is None:
        yield Check(name="KubeAI", state="ok", message="KubeAI is installed; its version cannot be read here.")
        return
    bare = version.removeprefix("v")
    if spec.engine == "OLlama" and bare in BROKEN_PULLS:
        message = f"KubeAI {bare} does not pull Ollama models: Pods become ready, and every request is answered 404."
        hint = "Ask who runs KubeAI for another release than 0.23.2 to 0.23.4, or use another engine."
        yield Check(
            name="KubeAI", state="warn", message=message, hint=hint, field="engine", code="ModelNotPulledThoughReady"
        )
        return
    yield Check(name="KubeAI", state="ok", message=f"KubeAI {bare} is installed.")


def _namespace(facts: Facts) -> Check:
    own, here = facts.operator.namespace, facts.namespace
    if own is None or own == here:
        return Check(name="namespace", state="ok", message=f'The Model goes into namespace "{here}".')
    message = f'KubeAI looks after namespace "{own}" only, and this Session works in "{here}".'
    hint = f"Add -n {own}, or use Session(namespace={own!r})."
    return Check(name="namespace", state="fail", message=message, hint=hint, field="namespace", code="WrongNamespace")


def _rights(facts: Facts) -> Iterator[Check]:
    missing = facts.missing_rights
    for right in missing:
        state: State = "fail" if (right.verb, right.resource) == ("create", "models") else "warn"
        message = f"You may not {right.verb} {right.resource} here: {right.purpose}."
        hint = f"A Role with this rule grants it: {right.role_line}"
        yield Check(name="rights", state=state, message=message, hint=hint, code="RightMissing")
    if not missing:
        yield Check(name="rights", state="ok", message="You have every right that is needed.")


def _against(facts: Facts, spec: ModelSpec) -> list[Advice]:
    return against_catalog(
        spec,
        facts.catalog,
        secrets=facts.secret_names,
        priority_classes=facts.priority_classes,
        models=facts.models,
    )


def _profile_said(facts: Facts, spec: ModelSpec) -> str:
    name, _, multiple = spec.resource_profile.partition(":")
    profile = facts.catalog.profiles.get(name)
    amounts = {**profile.limits, **profile.requests} if profile else {}
    holds = ", ".join(f"{resource} {amount}" for resource, amount in amounts.items())
    times = f", times {multiple}" if multiple not in ("", "1") else ""
    return f'Profile "{spec.resource_profile}" exists{f" ({holds}{times})" if holds else ""}.'


def _group(name: str, well: str, found: list[Advice]) -> Iterator[Check]:
    """A line for each piece of advice, or one that all is well."""
    for one in found:
        state: State = "fail" if one.severity == "error" else "warn"
        yield Check(name=name, state=state, message=one.message, hint=one.fix, field=one.field, code=one.code)
    if not found:
        yield Check(name=name, state="ok", message=well)


def _secrets(facts: Facts, spec: ModelSpec) -> Iterator[Check]:
    """Secrets that the spec names and the namespace has not: the Pod would wait for them for ever."""
    names = [one.name for one in spec.secrets if isinstance(one, SecretName)]
    names += [one.secret for one in spec.secrets if isinstance(one, SecretKey)]
    for name in dict.fromkeys(names):
        shown = quoted(name, 253)
        if facts.secret_names is None:
            message = f"Whether the Secret {shown} exists cannot be seen here."
            yield Check(name="Secrets", state="warn", message=message, field="secrets", code="SecretUnknown")
        elif name not in facts.secret_names:
            message = f'There is no Secret {shown} in namespace "{facts.namespace}".'
            hint = did_you_mean(name, facts.secret_names).strip() or f"kubectl create secret generic {shown} makes one."
            yield Check(
                name="Secrets", state="fail", message=message, hint=hint, field="secrets", code="SecretNotFound"
            )


def _this_machine(spec: ModelSpec) -> Iterator[Check]:
    """What a Model may not say where it runs as the user; what Secrets hold is known only when its Pod starts."""
    name, own = "this machine", [one.env for one in spec.secrets if not isinstance(one, SecretName)]
    yield Check(name=name, state="ok", message=RUNS_AS_YOU)
    for field, names in (("env", list(spec.env)), ("secrets", own)):
        if refusal := code_refusal(names):
            hint = "Leave it out, or serve the Model in a cluster."
            message = f"{refusal[0].upper()}{refusal[1:]}."
            yield Check(name=name, state="fail", message=message, hint=hint, field=field, code="CodeInEnvironment")
    variables, files = {**dict.fromkeys(own, ""), **spec.env}, [file.path for file in spec.files]
    for notice in kept(spec.engine, spec.args, variables, files=files).notices:
        yield Check(name=name, state="warn", message=notice, code="OnThisMachine")


def _name(spec: ModelSpec, planned: Plan) -> Check:
    said = {
        "create": f'The name "{spec.name}" is free.',
        "attach": f'"{spec.name}" is served already and equal to this: nothing would change.',
        "update": f'"{spec.name}" exists and would be changed.',
    }
    return Check(name="name", state="ok", message=said[planned.action])
