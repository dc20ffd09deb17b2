"""How the Fixes of a rule are made: each remedy gives a Fix for a case, or None where a value it needs is not known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core.arguments import SPREAD, spread_over, value_of, with_argument, without_arguments
from kubeai_notebook.core.masking import masked_args
from kubeai_notebook.core.objects import map_at, texts_at

from .finding import Fix
from .rule import Case, Remedy, filled

if TYPE_CHECKING:
    from collections.abc import Callable


_SHELL_SAFE = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


def _spec_patch(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


def advise(*templates: str) -> Remedy:
    """Words only: what a person has to do."""

    def remedy(case: Case) -> Fix | None:
        title = filled(templates, case.values)
        return Fix(title=title) if title else None

    return remedy


def without(value: str, title: str) -> Remedy:
    """Words for the case that a value could not be read, so that the exact Fix could not be made."""
    return lambda case: None if value in case.values else Fix(title=title)


def run(title: str, command: str) -> Remedy:
    """A shell command with the real names in it; none where a name would mean something to the shell."""

    def remedy(case: Case) -> Fix | None:
        known = {key: value for key, value in case.values.items() if _SHELL_SAFE.fullmatch(value)}
        namespace = known.get("namespace")
        known["in_ns"] = f"-n {namespace} " if namespace else ""
        said = filled([title], {**case.values, **known})
        # The namespace option is the one value that may be empty.
        line = filled([command.replace("{in_ns}", known["in_ns"])], known)
        return Fix(title=said, command=line) if said and line else None

    return remedy


def set_argument(name: str, value: str, title: str = "Set {argument}.") -> Remedy:
    """Put ``name=value`` into the args."""

    def remedy(case: Case) -> Fix | None:
        wanted = filled([value], case.values) if value else ""
        if wanted is None:
            return None
        item = f"{name}={wanted}" if wanted else name
        said = filled([title], {**case.values, "argument": item})
        args = with_argument(case.scene.args, name, item)
        # What is so already cures nothing.
        return Fix(title=said, patch=_spec_patch(args=args)) if said and args != list(case.scene.args) else None

    return remedy


def drop_argument(*names: str, title: str = "Remove {argument}.") -> Remedy:
    """Take arguments (templates) out of the args; no Fix where none of them is there."""

    def remedy(case: Case) -> Fix | None:
        known = [name for name in (filled([template], case.values) for template in names) if name]
        args, gone = without_arguments(case.scene.args, [word for name in known for word in name.split()])
        if not gone:
            return None
        shown = " ".join(masked_args(gone))
        said = filled([title], {**case.values, "argument": shown}) or f"Remove {shown}."
        return Fix(title=said, patch=_spec_patch(args=args or None))

    return remedy


def set_env(name: str, value: str, title: str = "Set env.{variable}.") -> Remedy:
    """Set a variable in the Model's env."""

    def remedy(case: Case) -> Fix | None:
        wanted = filled([value], case.values)
        if wanted is None or case.scene.env.get(name) == wanted:
            return None
        said = filled([title], {**case.values, "variable": f"{name}={wanted}"})
        return Fix(title=said or f"Set env.{name}.", patch=_spec_patch(env={name: wanted}))

    return remedy


def drop_env(*names: str) -> Remedy:
    """Take variables (templates, of several names with commas) out of env; no Fix where none of them is there."""

    def remedy(case: Case) -> Fix | None:
        known = [name for name in (filled([template], case.values) for template in names) if name]
        present = [name for text in known for name in text.split(", ") if name in case.scene.env]
        if not present:
            return None
        title = f"Remove {' and '.join(present)} from env."
        return Fix(title=title, patch=_spec_patch(env=dict.fromkeys(present)))

    return remedy


def set_field(field: str, value: str | None, title: str) -> Remedy:
    """Set one field of the spec; ``None`` removes it."""

    def remedy(case: Case) -> Fix | None:
        wanted = filled([value], case.values) if value is not None else None
        said = filled([title], {**case.values, "value": wanted or ""})
        if said is None or (value is not None and wanted is None):
            return None
        return Fix(title=said, patch=_spec_patch(**{field: wanted}))

    return remedy


def set_features(*features: str) -> Remedy:
    """Say what the model is used for; no Fix where the Model says so already."""

    def remedy(case: Case) -> Fix | None:
        if texts_at(case.scene.spec, "features") == features:
            return None
        return Fix(title=f"Set features to {', '.join(features)}.", patch=_spec_patch(features=list(features)))

    return remedy


def _resized(change: Callable[[int], int], title: str) -> Remedy:
    def remedy(case: Case) -> Fix | None:
        name, count = case.scene.profile
        wanted = change(count)
        if not name or not count or wanted in (0, count):
            return None
        profile = f"{name}:{wanted}"
        said, spec = title.format(profile=profile), {"resourceProfile": profile}
        if wanted < count and value_of(case.scene.args, SPREAD) == str(count):
            # Otherwise the engine would ask for the GPUs that it no longer gets.
            said += f" And set {SPREAD}={wanted}."
            return Fix(title=said, patch=_spec_patch(**spec, args=spread_over(case.scene.args, wanted)))
        return Fix(title=said, patch=_spec_patch(**spec))

    return remedy


def _download_once(case: Case) -> Fix | None:
    """Let the cluster's volume keep the weights; only for sources that KubeAI can cache."""
    caches = sorted(str(name) for name in map_at(case.scene.config, "cacheProfiles"))
    if not caches or case.scene.spec.get("cacheProfile") or case.scene.scheme not in ("hf", "s3", "gs", "oss"):
        return None
    title = f"Keep the weights on the cluster's volume: cacheProfile {caches[0]}."
    return Fix(title=title, patch=_spec_patch(cacheProfile=caches[0]))


download_once: Remedy = _download_once
more_units = _resized(lambda count: count * 2, "Take more of the profile: resourceProfile {profile}.")
fewer_units = _resized(lambda count: count // 2, "Take less of the profile: resourceProfile {profile}.")
APPLIED = " --dry-run=client -o yaml | kubectl apply -f -"
"""Behind ``kubectl create``: replaces what is there, and sends YAML, which every API server takes."""
delete_pod = run("Delete the Pod; KubeAI makes a new one.", "kubectl {in_ns}delete pod {pod}")
read_log = run("Read the whole log.", "kubectl {in_ns}logs {pod} --all-containers --tail=400")
touch = run(
    "After the cure, make KubeAI look again at once; otherwise it may wait 17 minutes.",
    "kubectl {in_ns}annotate model {name} touch=$(date +%s) --overwrite",
)
stop_another = run(
    "Stop a Model that is not needed: find it, then scale it to 0 replicas.",
    "kubectl {in_ns}get models"
    " -o custom-columns=NAME:.metadata.name,PROFILE:.spec.resourceProfile,REPLICAS:.spec.replicas",
)
