"""How the Remedies of a rule are made: each template gives one for a case, or None where a value is not known."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from kubeai_notebook.core.arguments import SPREAD, value_of, with_argument, without_arguments
from kubeai_notebook.core.masking import masked_args
from kubeai_notebook.core.objects import map_at, texts_at
from kubeai_notebook.core.remedy import Command, Remedy, SetArgument, SetEnv, SetField

from .rule import Case, Template, filled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


_SHELL_SAFE = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


def advise(*templates: str) -> Template:
    """Words only: what a person has to do."""

    def remedy(case: Case) -> Remedy | None:
        title = filled(templates, case.values)
        return Remedy(title=title) if title else None

    return remedy


def without(value: str, title: str) -> Template:
    """Words for the case that a value could not be read, so that the exact Remedy could not be made."""
    return lambda case: None if value in case.values else Remedy(title=title)


def _command(words: Iterable[str | None]) -> Command:
    """The argv of each program between the pipes."""
    argvs: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            argvs.append([])
        elif word is not None:
            argvs[-1].append(word)
    first, *rest = map(tuple, argvs)
    return Command(arguments=first, into=tuple(rest))


def run(title: str, command: str) -> Template:
    """A shell command with the real names in it; none where a name would mean something to the shell."""

    def remedy(case: Case) -> Remedy | None:
        known = {key: value for key, value in case.values.items() if _SHELL_SAFE.fullmatch(value)}
        namespace = known.get("namespace")
        known["in_ns"] = f"-n {namespace} " if namespace else ""
        said = filled([title], {**case.values, **known})
        # The namespace option is the one value that may be empty.
        words = [filled([word], known) for word in shlex.split(command.replace("{in_ns}", known["in_ns"]))]
        return Remedy(title=said, command=_command(words)) if said and None not in words else None

    return remedy


def set_argument(name: str, value: str, title: str = "Set {argument}.") -> Template:
    """Put ``name=value`` into the args."""

    def remedy(case: Case) -> Remedy | None:
        wanted = filled([value], case.values) if value else ""
        if wanted is None:
            return None
        item = f"{name}={wanted}" if wanted else name
        said = filled([title], {**case.values, "argument": item})
        args = with_argument(case.scene.args, name, item)
        # What is so already cures nothing.
        remedy = said and Remedy(title=said, changes=(SetArgument(name=name, value=wanted),))
        return remedy if remedy and args != list(case.scene.args) else None

    return remedy


def drop_argument(*templates: str, title: str = "Remove {argument}.") -> Template:
    """Take arguments (templates) out of the args; no Remedy where none of them is there."""

    def remedy(case: Case) -> Remedy | None:
        known = [name for name in (filled([template], case.values) for template in templates) if name]
        names = [word for name in known for word in name.split()]
        _, gone = without_arguments(case.scene.args, names)
        if not gone:
            return None
        shown = " ".join(masked_args(gone))
        said = filled([title], {**case.values, "argument": shown}) or f"Remove {shown}."
        return Remedy(
            title=said,
            changes=tuple(
                SetArgument(name=name, value=None) for name in names if without_arguments(case.scene.args, [name])[1]
            ),
        )

    return remedy


def set_env(name: str, value: str, title: str = "Set env.{variable}.") -> Template:
    """Set a variable in the Model's env."""

    def remedy(case: Case) -> Remedy | None:
        wanted = filled([value], case.values)
        if wanted is None or case.scene.env.get(name) == wanted:
            return None
        said = filled([title], {**case.values, "variable": f"{name}={wanted}"})
        return Remedy(title=said or f"Set env.{name}.", changes=(SetEnv(name=name, value=wanted),))

    return remedy


def drop_env(*names: str) -> Template:
    """Take variables (templates, of several names with commas) out of env; no Remedy where none of them is there."""

    def remedy(case: Case) -> Remedy | None:
        known = [name for name in (filled([template], case.values) for template in names) if name]
        present = [name for text in known for name in text.split(", ") if name in case.scene.env]
        if not present:
            return None
        title = f"Remove {' and '.join(present)} from env."
        return Remedy(title=title, changes=tuple(SetEnv(name=name, value=None) for name in present))

    return remedy


def set_field(field: str, value: str | None, title: str) -> Template:
    """Set one field of the spec; ``None`` removes it."""

    def remedy(case: Case) -> Remedy | None:
        wanted = filled([value], case.values) if value is not None else None
        said = filled([title], {**case.values, "value": wanted or ""})
        if said is None or (value is not None and wanted is None):
            return None
        return Remedy(title=said, changes=(SetField(name=field, value=wanted),))

    return remedy


def set_features(*features: str) -> Template:
    """Say what the model is used for; no Remedy where the Model says so already."""

    def remedy(case: Case) -> Remedy | None:
        if texts_at(case.scene.spec, "features") == features:
            return None
        changes = (SetField(name="features", value=list(features)),)
        return Remedy(title=f"Set features to {', '.join(features)}.", changes=changes)

    return remedy


def _resized(change: Callable[[int], int], title: str) -> Template:
    def remedy(case: Case) -> Remedy | None:
        name, count = case.scene.profile
        wanted = change(count)
        if not name or not count or wanted in (0, count):
            return None
        profile = f"{name}:{wanted}"
        said, sized = title.format(profile=profile), SetField(name="resourceProfile", value=profile)
        if wanted < count and value_of(case.scene.args, SPREAD) == str(count):
            # Otherwise the engine would ask for the GPUs that it no longer gets.
            said += f" And set {SPREAD}={wanted}."
            return Remedy(title=said, changes=(sized, SetArgument(name=SPREAD, value=str(wanted))))
        return Remedy(title=said, changes=(sized,))

    return remedy


def _download_once(case: Case) -> Remedy | None:
    """Let the cluster's volume keep the weights; only for sources that KubeAI can cache."""
    caches = sorted(str(name) for name in map_at(case.scene.config, "cacheProfiles"))
    if not caches or case.scene.spec.get("cacheProfile") or case.scene.scheme not in ("hf", "s3", "gs", "oss"):
        return None
    title = f"Keep the weights on the cluster's volume: cacheProfile {caches[0]}."
    return Remedy(title=title, changes=(SetField(name="cacheProfile", value=caches[0]),))


download_once: Template = _download_once
more_units = _resized(lambda count: count * 2, "Take more of the profile: resourceProfile {profile}.")
fewer_units = _resized(lambda count: count // 2, "Take less of the profile: resourceProfile {profile}.")
APPLIED = " --dry-run=client -o yaml | kubectl apply -f -"
"""Behind ``kubectl create``: replaces what is there, and sends YAML, which every API server takes."""
delete_pod = run("Delete the Pod; KubeAI makes a new one.", "kubectl {in_ns}delete pod {pod}")
read_log = run("Read the whole log.", "kubectl {in_ns}logs {pod} --all-containers --tail=400")
touch = run(
    "After the cure, make KubeAI look again at once; otherwise it may wait 17 minutes.",
    "kubectl {in_ns}annotate model {name} touch={touches} --overwrite",
)
stop_another = run(
    "Stop a Model that is not needed: find it, then scale it to 0 replicas.",
    "kubectl {in_ns}get models"
    " -o custom-columns=NAME:.metadata.name,PROFILE:.spec.resourceProfile,REPLICAS:.spec.replicas",
)
