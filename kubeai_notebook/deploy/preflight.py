"""Preflight: what can be known before a Model is sent, a Notice each; what is well is one of severity info."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.catalog.known import KNOWN
from kubeai_notebook.core.kubeai.releases import PULLS_NOTHING
from kubeai_notebook.core.kubeai.this_machine import RUNS_AS_YOU, code_refusal, kept
from kubeai_notebook.core.masking import masked, quoted
from kubeai_notebook.core.model_spec import SecretName
from kubeai_notebook.core.near_urls import misspelt_url
from kubeai_notebook.core.notice import NOT_ASKED, Notice
from kubeai_notebook.core.objects import desired_replicas, number_at, text_at
from kubeai_notebook.core.remedy import SetField
from kubeai_notebook.core.rules.lint import problems_of
from kubeai_notebook.core.rules.machine_checks import against_machine, replicas_notices
from kubeai_notebook.core.rules.operator_checks import against_operator_config, wants_gpu
from kubeai_notebook.core.rules.subject import error, warning
from kubeai_notebook.core.source import check_source
from kubeai_notebook.core.validation import check_choices

from .quota import quota_notices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeai_notebook.core.catalog.offers import Offer
    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.plan import Plan

    from .facts import Facts


def preflight(facts: Facts, spec: ModelSpec, planned: Plan) -> tuple[Notice, ...]:
    """All Notices, in the order in which things would go wrong."""
    return (
        _well("ApiAnswers", f"The Kubernetes API at {facts.host} answers."),
        _kubeai(facts, spec),
        _namespace(facts),
        *_rights(facts),
        *_admitted(facts, spec),
        *(problems_of(spec) or _loads(facts, spec)),
        *_misspelt(facts, spec),
        *(_against_operator_config(facts, spec) or [_profile_exists(facts, spec)]),
        *(_this_machine(facts, spec) if facts.this_machine else ()),
        *quota_notices(facts, spec, planned),
        _name(spec, planned),
        *_beside_the_old(facts, planned),
    )


def _well(code: str, message: str) -> Notice:
    return Notice(code=code, severity="info", message=message)


def _kubeai(facts: Facts, spec: ModelSpec) -> Notice:
    version = facts.operator.version
    if version is None:
        return _well("KubeAIInstalled", "KubeAI is installed; its version cannot be read here.")
    bare = version.removeprefix("v")
    if spec.engine == "OLlama" and PULLS_NOTHING.holds(version):
        message = f"KubeAI {bare} does not pull Ollama models: Pods become ready, and every request is answered 404."
        step = "Ask who runs KubeAI for another release than 0.23.2 to 0.23.4, or use another engine."
        return warning("engine", "ModelNotPulledThoughReady", message, step=step)
    return _well("KubeAIInstalled", f"KubeAI {bare} is installed.")


def _namespace(facts: Facts) -> Notice:
    own, here = facts.operator.namespace, facts.namespace
    config = facts.operator_config
    if own is None or config.watches(here, own=own):
        return _well("NamespaceWatched", f'The Model goes into namespace "{here}".')
    watched = config.watched or (own,)
    names = " and ".join(f'"{name}"' for name in watched)
    message = f'KubeAI looks after namespace {names} only, and this Session works in "{here}".'
    step = f"Add -n {watched[0]}, or use Session(namespace={watched[0]!r})."
    return error("namespace", "WrongNamespace", message, step=step)


def _admitted(facts: Facts, spec: ModelSpec) -> Iterator[Notice]:
    """What the cluster's own schema does not list, or its gateway cannot do."""
    schema = facts.schema
    yield from check_choices(spec, engines=schema.engines, features=schema.features)
    yield from check_source(spec.url, schema.schemes, schema.url_patterns)
    if not facts.operator_config.has_gateway and spec.scaling.min_replicas == 0 and not spec.scaling.replicas:
        message = "KubeAI takes no requests here (proxy.mode: external), so that nothing wakes a Model that sleeps."
        change = SetField(name="minReplicas", value=1)
        yield warning("scaling.min_replicas", "NothingWakesIt", message, change, step="Set scaling.min_replicas to 1.")
    twin = next((space for space, name in facts.elsewhere if name == spec.name), None)
    if twin:
        message = f'Namespace "{twin}" has a Model of this name too, and KubeAI\'s gateway answers for one of the two.'
        yield warning("name", "NameTwice", message, step="Choose another name.")


def _rights(facts: Facts) -> Iterator[Notice]:
    for right in facts.missing_rights:
        say = error if (right.verb, right.resource) == ("create", "models") else warning
        message = f"You may not {right.verb} {right.resource} here: {right.purpose}."
        yield say("", "RightMissing", message, step=f"A Role with this rule grants it: {right.role_line}")
    if not facts.missing_rights:
        yield _well("RightsGranted", "You have every right that is needed.")


def _loads(facts: Facts, spec: ModelSpec) -> Iterator[Notice]:
    """What is known of the engine and the url: nobody has asked the url whether it holds what the engine can load."""
    if url_notices(facts, spec):
        return
    offer = _offer(facts, spec.url)
    if offer and offer.here and offer.engine == spec.engine:
        yield _well("EngineLoadsUrl", f"{spec.engine} can load {masked(spec.url)}, which lies on this machine.")
    else:
        message = f"{spec.engine} loads {spec.url.scheme}:// urls; whether this one holds a model for it is not known."
        yield Notice(code=NOT_ASKED, severity="info", message=message)


def _misspelt(facts: Facts, spec: ModelSpec) -> Iterator[Notice]:
    """A url that is one letter away from one that is known; that a Model asks for it in vain makes it no known one."""
    in_vain = {text_at(model, "spec", "url") for model in facts.models if _has_none_ready(model)}
    urls = [one.url for one in facts.offers if one.here or one.url in KNOWN or one.url not in in_vain]
    if near := misspelt_url(spec.url, urls):
        message = f"No model {quoted(spec.url)} is known here, and there is {quoted(near)}."
        step = f"Did you mean {near}?"
        yield warning("url", "UrlNotKnown", message, SetField(name="url", value=near), step=step)


def _has_none_ready(model: Mapping[str, Any]) -> bool:
    """Whether it is to have replicas, and none is ready."""
    return bool(number_at(model, "spec", "replicas")) and not number_at(model, "status", "replicas", "ready")


def _against_operator_config(facts: Facts, spec: ModelSpec) -> list[Notice]:
    """What the cluster lacks; where no GPU can be had, which profiles of GPUs there are is no answer."""
    notices = against_operator_config(spec, facts)
    name, profiles = spec.resource_profile.name, facts.operator_config.profiles
    if not (facts.this_machine and wants_gpu(name, facts.operator_config)):
        return notices
    accelerator = facts.machine.machine.accelerator if facts.machine and facts.machine.machine else None
    why = "engines on this machine take theirs by themselves" if accelerator else "this machine has no GPU"
    missing, asks = f'There is no resource profile "{name}"', f'The resource profile "{name}" asks for a GPU'
    message = f"{asks if name in profiles else missing}, and {why}."
    instead = next((one.name for one in profiles.values() if not one.gpus), "cpu") + ":1"
    change = SetField(name="resourceProfile", value=instead)
    refused = error("resource_profile", "NoGpuHere", message, change, step=f'Use resource_profile="{instead}".')
    return [refused, *(notice for notice in notices if notice.field != "resource_profile")]


def _profile_exists(facts: Facts, spec: ModelSpec) -> Notice:
    wanted = spec.resource_profile
    profile = facts.operator_config.profiles.get(wanted.name)
    amounts = {**profile.limits, **profile.requests} if profile else {}
    holds = ", ".join(f"{resource} {amount}" for resource, amount in amounts.items())
    times = "" if wanted.multiple in (None, 1) else f", times {wanted.multiple}"
    return _well("ProfileExists", f'Profile "{wanted}" exists{f" ({holds}{times})" if holds else ""}.')


def room_for(facts: Facts, model: Mapping[str, Any], replicas: int) -> tuple[Notice, ...]:
    """What speaks against so many replicas of a Model that is there: nothing in a cluster, whose room is not known."""
    machine = facts.machine.machine if facts.machine else None
    if machine is None:
        return ()
    offer = _offer(facts, text_at(model, "spec", "url"))
    return tuple(replicas_notices(replicas, machine, offer.size_bytes if offer else None))


def _offer(facts: Facts, url: str) -> Offer | None:
    return next((offer for offer in facts.offers if offer.url == url), None)


def _this_machine(facts: Facts, spec: ModelSpec) -> Iterator[Notice]:
    """What a Model may not say where it runs as the user; what Secrets hold is known only when its Pod starts."""
    own = [entry.env for entry in spec.secrets if not isinstance(entry, SecretName)]
    yield _well("RunsAsYou", RUNS_AS_YOU)
    for field, names in (("env", list(spec.env)), ("secrets", own)):
        if refusal := code_refusal(names):
            message = f"{refusal[0].upper()}{refusal[1:]}."
            yield error(field, "CodeInEnvironment", message, step="Leave it out, or serve the Model in a cluster.")
    variables, files = {**dict.fromkeys(own, ""), **spec.env}, [file.path for file in spec.files]
    for message in kept(spec.engine, spec.args, variables, files=files).notices:
        yield Notice(code="OnThisMachine", severity="warning", message=message)
    yield from _larger_than_machine(facts, spec)


def _larger_than_machine(facts: Facts, spec: ModelSpec) -> Iterator[Notice]:
    if facts.machine and facts.machine.machine:
        profile = facts.operator_config.profiles.get(spec.resource_profile.name)
        yield from against_machine(spec, facts.machine.machine, offer=_offer(facts, spec.url), profile=profile)


def url_notices(facts: Facts, spec: ModelSpec) -> tuple[Notice, ...]:
    """What `preflight` says of the url alone, for a spec that is still being written."""
    larger = _larger_than_machine(facts, spec) if facts.this_machine else ()
    return tuple(notice for notice in (*_misspelt(facts, spec), *larger) if notice.field == "url")


def _beside_the_old(facts: Facts, planned: Plan) -> Iterator[Notice]:
    """What is seen of an update: people take the Pod beside the old ones for a duplicate."""
    surge, replicas = facts.operator_config.surge, desired_replicas(planned.current)
    if planned.action == "update" and planned.restarts and replicas and surge > 0:
        more = f"KubeAI starts {surge} more before it ends an old Pod, so up to {replicas + surge} run at a time."
        message = f"{more} Where no node has room, the old ones go on and the change waits."
        yield _well("RolloutSurge", message)


def _name(spec: ModelSpec, planned: Plan) -> Notice:
    messages = {
        "create": f'The name "{spec.name}" is free.',
        "attach": f'"{spec.name}" is served already and equal to this: nothing would change.',
        "update": f'"{spec.name}" exists and would be changed.',
    }
    return _well("NameKnown", messages[planned.action])
