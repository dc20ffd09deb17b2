"""What a text that somebody pastes says as fields: YAML of several kinds, or a call in Python.

Nothing of it is run. Of Python only literals are read, and of a secret only its name: what stands in a notebook's cell
as a value has been seen by whoever read the notebook.
"""

from __future__ import annotations

import ast
import re
import shlex
from typing import TYPE_CHECKING, Any

from kubeai_notebook.errors import SpecError

from . import digitalhub
from .documents import Described, described_in
from .field_aliases import ASK, flattened, nested, read_fields
from .fields import FIELDS
from .manifest import SECRETS_ANNOTATION, cleaned, dumped, fields_of_manifest, to_manifest
from .masking import quoted
from .messages import did_you_mean
from .model_fields import what_of
from .notice import wrong
from .objects import map_at, text_at
from .plain_data import check_fields, whole
from .spec import draft_of
from .validation import checked
from .yaml_text import MAX_BYTES, UnreadableYamlError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CALLS = frozenset({"serve", "plan", "new_function"})
_NO_FIELDS = frozenset({"unique", "force", "yes", "wait", "action", "kind", "local_execution"})
_LOOKS_LIKE_A_CALL = re.compile(r"\b(?:serve|plan|new_function)\s*\(")
_IN_A_SPEC = frozenset(field.place[1] for field in FIELDS if field.place[0] == "spec")
_NO_FIELDS_AT_ALL = frozenset({"WrongType", "UnknownField", "TooDeep", "TooLarge"})


class SeveralModelsError(SpecError):
    """A text holds several Models: which one is meant is for its reader to say."""

    def __init__(self, models: Iterable[Described]) -> None:
        self.choices: dict[str, str] = {}
        """Each Model as a text of its own, under its name."""
        for model in models:
            again = sum(title.partition(" (")[0] == model.title for title in self.choices)
            title = f"{model.title} ({again + 1})" if again else model.title
            self.choices[title] = dumped(model.fields)
        super().__init__(
            [wrong("", "SeveralModels", f"The text holds {len(self.choices)} Models. Choose one of them.")]
        )


def fields_of_text(text: str) -> dict[str, Any]:
    """The flat fields (`field_aliases.flattened`) of YAML or of Python.

    Raises:
        SeveralModelsError: it holds several Models.
        SpecError: it is neither, says nothing of a Model, or has fields that no Model has.
    """
    if len(text) > MAX_BYTES:
        raise _refused("The text is longer than 1 MiB.")
    if not text.strip():
        raise _refused("There is no text to read. Paste YAML, or a call of serve(…).")
    call = _call_in(text)
    if call:
        return checked_fields(_fields_of_call(call))
    described = _described(text)
    try:
        if described.notices:
            raise SpecError([])
        return checked_fields(_fields_of(described))
    except SpecError as error:
        raise SpecError(described.located(error.notices)) from None


def checked_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields flat and in their shapes, where a form can hold them; what is wrong otherwise is said beside them.

    Raises:
        SpecError: a field is given twice, is none of a Model's, or has a value of another type.
    """
    check_fields(fields)
    given, notices = read_fields(fields)
    notices += [notice for notice in draft_of(given).errors if notice.code in _NO_FIELDS_AT_ALL]
    if notices:
        raise SpecError(notices)
    return flattened(given)


def fields_of_model(model: Mapping[str, Any]) -> dict[str, Any]:
    """The flat fields of a Model that somebody wrote, or that a cluster holds; what no field holds is left out."""
    plain = cleaned(model)
    given, _ = read_fields({name: value for name, value in fields_of_manifest(plain).items() if value not in ("", ())})
    flat = flattened(given)
    if "autoscaling_disabled" not in flat:
        flat.setdefault("min_replicas", 0)  # KubeAI's own default; ours is 1
    return flat


def _described(text: str) -> Described:
    """The one Model of a text in YAML; what else it describes is left aside.

    Raises:
        SeveralModelsError: there are several.
    """
    try:
        parts = described_in(text)
    except UnreadableYamlError as error:
        raise _refused(f"The text is no call in Python, and as YAML it {error}.") from None
    models = [part for part in parts if part.fields.get("kind", "Model") == "Model"]
    wanted = [model for model in models if model.enabled] or models
    if len(parts) == 1 or len(wanted) == 1:
        return (wanted or parts)[0]
    if not parts:
        raise _refused("The text says nothing of a Model. Paste one.")
    if not wanted:
        raise _refused(f"None of the {len(parts)} objects of the text is a Model. Paste a Model.")
    raise SeveralModelsError(wanted)


def _fields_of(model: Described) -> dict[str, Any]:
    check_fields(model.fields)
    if "kind" in model.fields or "apiVersion" in model.fields:
        return _fields_of_manifest(model.fields)
    return dict(model.fields)


def _fields_of_manifest(document: Mapping[str, Any]) -> dict[str, Any]:
    if document.get("kind") != "Model":
        raise _refused(f"The YAML describes a {quoted(text_at(document, 'kind'))}, not a Model.")
    spec = map_at(document, "spec")
    unknown = [name for name, value in spec.items() if name not in _IN_A_SPEC and value not in (None, "", [], {})]
    if unknown:
        fix = did_you_mean(unknown[0], _IN_A_SPEC) or " Leave it out."
        message = f"The field {quoted(unknown[0])} of this Model is none that can be edited here.{fix}"
        raise _refused(message, unknown[0])
    fields = fields_of_model(document)
    secrets = _annotated_secrets(document)
    return nested({**fields, "secrets": secrets} if secrets else fields)


def _annotated_secrets(document: Mapping[str, Any]) -> list[Any]:
    """The secrets as they were given, where the Secrets that the Model names are still those that they make."""
    try:
        words = shlex.split(text_at(document, "metadata", "annotations", SECRETS_ANNOTATION))
    except ValueError:
        return []
    given, _ = read_fields({"name": text_at(document, "metadata", "name"), "secrets": words})
    made = to_manifest(checked(given)[0])["spec"].get("envFrom")
    return given["secrets"] if made == map_at(document, "spec").get("envFrom") else []


def _call_in(text: str) -> dict[str, ast.Call] | None:
    """The calls that say what a Model is, by the function's name; ``None`` where the text is no Python with one."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if _LOOKS_LIKE_A_CALL.search(text):
            line = f" (line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
            raise _refused(f"The text looks like Python, and is none{line}.") from None
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = whole(node.value)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) in {*_CALLS, "run"}]
    models = [call for call in calls if _called(call) in _CALLS]
    if len(models) > 1:
        raise _refused(f"The text has {len(models)} calls that serve a model. Paste one of them.")
    runs = [call for call in calls if _called(call) == "run"]
    return {"model": models[0], **({"run": runs[0]} if runs else {})} if models else None


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _fields_of_call(calls: Mapping[str, ast.Call]) -> dict[str, Any]:
    call = calls["model"]
    positional, fields = _arguments(call)
    if _called(call) != "new_function":
        what, url = (*positional[:2], None, None)[:2]
        given = what_of(what, url, {name: value for name, value in fields.items() if name not in _NO_FIELDS})
        if len(positional) > 2 or not isinstance(given, dict):
            raise _refused("A call of serve takes a name and a url, and all other fields by their names.")
        return given
    kind = fields.pop("kind", positional[1] if len(positional) > 1 else "kubeai-text")
    fields.pop("name", None)  # the function's own
    function = digitalhub.function_fields(str(kind), fields)
    run = _arguments(calls["run"])[1] if "run" in calls else {}
    given = digitalhub.run_fields(function, {name: run[name] for name in run if name not in _NO_FIELDS})
    secrets = given.get("secrets")
    if isinstance(secrets, list):  # a project's own, of which nothing but the names is known here
        given["secrets"] = [f"{word}={ASK}" if isinstance(word, str) and "=" not in word else word for word in secrets]
    return given


def _arguments(call: ast.Call) -> tuple[list[Any], dict[str, Any]]:
    positional = [_literal(node, "what is served") for node in call.args]
    fields: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise _refused("The call takes fields from a variable (**), whose value is not known here. Write them out.")
        read = _secrets if keyword.arg == "secrets" else _literal
        fields[keyword.arg] = read(keyword.value, keyword.arg)
    return positional, fields


def _literal(node: ast.expr, name: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        message = f'The value of "{name}" is no literal, and nothing is run here. Write the value itself.'
        raise _refused(message, name) from None


def _secrets(node: ast.expr, name: str) -> Any:
    """Secrets by their names: a value, however it is written, becomes one that is to be given here."""
    if isinstance(node, ast.Dict):
        rows = {_literal(key, name): value for key, value in zip(node.keys, node.values, strict=True) if key}
        return {env: value.value if isinstance(value, ast.Constant) else ASK for env, value in rows.items()}
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_secret(item, name) for item in node.elts]
    return _literal(node, name)


def _secret(node: ast.expr, name: str) -> Any:
    if isinstance(node, ast.Dict) and any(isinstance(key, ast.Constant) and key.value == "value" for key in node.keys):
        envs = [value for key, value in zip(node.keys, node.values, strict=True) if getattr(key, "value", "") == "env"]
        return f"{_literal(envs[0], name)}={ASK}" if envs else ""
    return _literal(node, name)


def _refused(message: str, field: str = "") -> SpecError:
    return SpecError([wrong(field, "UnreadableText", message)])
