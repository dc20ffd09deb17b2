"""Who served a Model and what they said of it: two annotations of the Model, and what they mean for serving it again.

A kernel ends and its Models go on, so nothing about them may live in a process: a restarted kernel would find its own
Models to be somebody else's. Whose a Model is stands with the Model, by the API server's name for the login. It is a
guard against slips: whoever may write to a Model may write there too.

Serving again compares three things, as ``kubectl apply`` does: what was said last, what is said now, and what is there.
What was said last and is left out now goes; what `scale`, a fix or somebody else set stays. To know that, the names of
the fields are enough; so no value of a variable or an argument is kept, and no secret can be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .fields import FIELDS
from .manifest import cleaned, spec_of_manifest, to_manifest
from .merge_patch import merged
from .objects import at, map_at, text_at, texts_at

if TYPE_CHECKING:
    from .model_spec import ModelSpec

SERVED_BY = "kubeai-notebook/served-by"
LAST_SERVED = "kubeai-notebook/last-served"

_SHARED = ("system:serviceaccount:", "system:anonymous")
_LONGEST_NAME = 256
_REPLICAS = ("minReplicas", "maxReplicas", "replicas", "autoscalingDisabled")
"""What `scale` and `pause` set: of these only what a line says anew is set back."""
_OF_THE_URL = ("engine", "features")
_INFERRED = {"url": "url", "engine": "engine", "features": "features", "resource_profile": "resourceProfile"}


def user_name(login: str, person: str) -> str:
    """Who somebody is: the API server's name for the login, with the person's own where many share that login.

    >>> user_name("alice@example.org", "jovyan"), user_name("system:serviceaccount:hub:default", "bob")
    ('alice@example.org', 'bob (system:serviceaccount:hub:default)')
    """
    shared = not login or login.startswith(_SHARED)
    name = " ".join(filter(None, [person, f"({login})" if login else ""])) if shared and person else login
    return (name or "an unknown user")[:_LONGEST_NAME]


def served_by(model: Mapping[str, Any]) -> str:
    """Who served the Model, as `user_name` has it; ``""`` where nobody did with this package."""
    return text_at(model, "metadata", "annotations", SERVED_BY)[:_LONGEST_NAME]


def stated_fields(spec: ModelSpec) -> dict[str, Any]:
    """The fields that a spec's author wrote, by their names in a Manifest: what `three_way` has to remember.

    Numbers and switches are kept as they are, of ``env`` and ``labels`` the names, of all else that it was there.
    """
    manifest = to_manifest(spec)
    left_out = {_INFERRED[field.field] for field in spec.inferred if field.field in _INFERRED and not field.stated}
    if "min_replicas" not in spec.scaling.model_fields_set:
        left_out.add("minReplicas")
    stated = {key: _remembered(value) for key, value in manifest["spec"].items() if key not in left_out}
    labels = map_at(manifest, "metadata", "labels")
    return {**stated, **({"labels": sorted(labels)} if labels else {})}


def _remembered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sorted(value)
    return value if isinstance(value, int) else True


def last_stated_fields(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `stated_fields` the spec that the Model was served with last; empty where that is not known."""
    try:
        return map_at(json.loads(text_at(model, "metadata", "annotations", LAST_SERVED)))
    except (ValueError, RecursionError):
        return {}


def to_remember(model: Mapping[str, Any], spec: ModelSpec) -> str:
    """The annotation `LAST_SERVED` once ``spec`` is served; what only changes a few fields adds to what was said."""
    stated = stated_fields(spec)
    before = {} if "url" in stated else last_stated_fields(model)
    names = {key: sorted({*stated[key], *texts_at(before, key)}) for key in ("env", "labels") if key in stated}
    return json.dumps({**before, **stated, **names}, separators=(",", ":"))


def three_way(current: Mapping[str, Any], spec: ModelSpec, *, seen: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The Manifest that serving ``spec`` makes of the Model that is there; a label that goes is None.

    A spec whose url is the Model's own says only what is to change: then nothing goes.

    ``seen``: the Model as its editor saw it when they began, whoever made it. What they saw and have left out goes,
    too; what came to be there since stays.
    """
    manifest, stated = to_manifest(spec), stated_fields(spec)
    before = last_stated_fields(current) if "url" in stated else {}
    if seen is not None:
        fields = spec_of_manifest(cleaned(seen)).model_copy(update={"rest": {}})  # the rest is in no field
        manifest = _with_defaults(manifest, to_manifest(fields))
        shown = stated_fields(fields)
        names = {key: sorted({*texts_at(shown, key), *texts_at(before, key)}) for key in ("env", "labels")}
        before = {**before, **shown, **{key: value for key, value in names.items() if value}}
    now, wanted = cleaned(current)["spec"], manifest["spec"]
    moved = wanted["url"] != now.get("url")
    target: dict[str, Any] = {}
    for key in {**now, **wanted}:
        if key in stated:
            source = now if key in _REPLICAS and before.get(key) == wanted[key] else wanted
        elif key in before or (moved and key in _OF_THE_URL):
            source = wanted
        else:
            source = now if key in now else wanted
        if key in source:
            target[key] = source[key]
    if env := _joined(map_at(now, "env"), map_at(wanted, "env"), texts_at(before, "env")):
        target["env"] = env
    least, most = target.get("minReplicas"), target.get("maxReplicas")
    if isinstance(least, int) and isinstance(most, int) and most < least:
        target["maxReplicas"] = least
    labels = map_at(manifest, "metadata", "labels")
    gone = dict.fromkeys(texts_at(before, "labels"))
    return {**manifest, "metadata": {**manifest["metadata"], "labels": {**gone, **labels}}, "spec": target}


def _with_defaults(manifest: dict[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """The Manifest with the default of what was seen inside its balancing and is left out: a patch keeps what it omits.

    KubeAI lets nobody change ``replication``, so that stays.
    """
    balancing = map_at(manifest, "spec", "loadBalancing")
    gone = [
        field
        for field in FIELDS
        if "load_balancing" in field.within and field.name != "replication"
        if at(manifest, *field.place) is None and at(seen, *field.place) is not None
    ]
    for field in gone if balancing else ():
        default = field.default
        for part in reversed(field.place):
            default = {part: default}
        manifest = merged(manifest, default)
    return manifest


def _joined(now: Mapping[str, Any], wanted: Mapping[str, Any], before: tuple[str, ...]) -> dict[str, Any]:
    """The variables that are wanted, and those of others."""
    return {**{name: value for name, value in now.items() if name not in before}, **wanted}
