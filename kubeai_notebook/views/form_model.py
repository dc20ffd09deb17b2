"""What a form holds and says, without a widget: fields, their Draft, the texts that stand for them, and their starts.

A form with its rules in event handlers can be tried in a browser only. So the handlers of `views.form` set fields here
and show what comes back, and all else is tested without a browser. What this needs of a Session are plain functions
(`FormContext`), so a test gives its own.

The fields are what the user has stated and nothing else: what is inferred is inferred anew at every key that is
pressed, so an inferred name follows the url. They are kept flat, each under its own name, since a form has one control
for each; what a control holds is kept as it is, also where it is wrong, so that the Notice under it can say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubeai_notebook.core import inference, pasted
from kubeai_notebook.core.estimate import estimate_of, figures_of_name
from kubeai_notebook.core.field_aliases import canonical, fields_of, flattened, nested, read_fields, repeated, to_snake
from kubeai_notebook.core.fields import FIELDS, FIELDS_BY_NAME
from kubeai_notebook.core.masking import masked, quoted
from kubeai_notebook.core.merge_patch import merged
from kubeai_notebook.core.notice import wrong
from kubeai_notebook.core.objects import map_at, name_of
from kubeai_notebook.core.remedy import SetField
from kubeai_notebook.core.rules.subject import warning
from kubeai_notebook.core.source import Source, check_source
from kubeai_notebook.core.source_spellings import read_spelling
from kubeai_notebook.core.spec import draft_of
from kubeai_notebook.core.stated import destination, restored, stated_fields, without_secrets
from kubeai_notebook.core.validation import checked
from kubeai_notebook.errors import SpecError, UsageError
from kubeai_notebook.present.field_words import in_form
from kubeai_notebook.present.serve_code import Texts, texts_of
from kubeai_notebook.text import plain
from kubeai_notebook.views.form_context import FormContext, shown, started, starts_of

if TYPE_CHECKING:
    from kubeai_notebook.core.estimate import Estimate, Figures
    from kubeai_notebook.core.facts import ClusterFacts
    from kubeai_notebook.core.model_spec import ModelSpec
    from kubeai_notebook.core.notice import Notice
    from kubeai_notebook.core.remedy import Remedy
    from kubeai_notebook.core.spec import Draft
    from kubeai_notebook.present.plan_report import PlanReport
    from kubeai_notebook.present.profile_choices import ProfileChoice
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.views.form_context import Start

_Filling = tuple[dict[str, Any], Any, Mapping[str, Any] | None]
"""The fields, the url that their secrets were given for, and the Model that they were filled from."""
_MAGIC = re.compile(r"\s*(?:\w[\w.]*\s*=\s*)?%%?kubeai")
_PARTS = frozenset([*(part for field in FIELDS for part in field.within), "prefix_hash"])
_SHOWN_UNDER = {"env_from": "secrets", "resources": "resource_profile", "processors": "resource_profile"}
# What rules compare on the whole spec, among whose words "name" and "url" may stand for anything.
_COMPARED = frozenset({"min_replicas", "max_replicas", "engine", "adapters", "cache_profile", "files"})
_MOST_UNDONE = 20


class FormModel:
    """The fields of one form, and all that follows from them.

    Raises:
        SpecError: one of ``fields`` is given twice, or has a shape that no field has.
    """

    def __init__(self, context: FormContext | None = None, *, fields: Mapping[str, Any] | None = None) -> None:
        self.context = context or FormContext()
        self._flat = flattened(fields_of(fields)) if fields else {}
        self._seen: Mapping[str, Any] | None = None
        """The Model that the form was filled from, as it was then: what it had and the form has not is to go."""
        self._undone: list[_Filling] = []
        self._filled: list[_Filling] = []
        """What `undo` goes back to, and `redo` forward to."""
        self._draft: Draft | None = None
        self._facts: ClusterFacts | None = None
        self._plan: tuple[dict[str, Any], PlanReport] | None = None
        self._figures: dict[str, Figures | None] = {}
        self._free: Mapping[str, int] | None = None
        self._url_notices: tuple[Any, tuple[Notice, ...]] = (None, ())
        """A url that was looked up, and what the plan will say of it."""
        self._touched: set[str] = set()
        self._secrets_for = self._flat.get("url")
        """The url that stood here when the secrets were given."""
        self._refused: dict[str, Notice] = {}
        """Of fields whose last value was not taken, why."""

    def __repr__(self) -> str:
        return f"FormModel({', '.join(self._flat)})"

    @property
    def fields(self) -> dict[str, Any]:
        """What the user has stated, as `draft_of` and `Session.serve` take it."""
        return nested(self._flat)

    def set(self, name: str, value: Any) -> None:
        """State a field by any of its names, those of scaling and balancing too; None, "" or nothing takes it back."""
        name = canonical(name)
        self._touched.add(name)
        value = value.strip() if isinstance(value, str) else value  # what is pasted brings blanks along
        if name == "secrets":
            self._secrets_for = self._flat.get("url")
        try:
            _check_pairs(name, value)
            value = self._with_hidden(name, value)
        except SpecError as error:
            self._refused[name] = error.notices[0]
            return
        self._refused.pop(name, None)
        self._undone = []
        if value is None or (isinstance(value, str | list | tuple | Mapping) and not value):
            self._take({key: kept for key, kept in self._flat.items() if key != name})
        else:
            self._take({**self._flat, name: value})

    def hidden(self, name: str) -> Any:
        """The field as it is stated, with what looks like a secret hidden; `set` gives that back by its place."""
        value = without_secrets(self._plain()).get(canonical(name), self._flat.get(canonical(name)))
        return masked(value) if isinstance(value, str) else value

    def _with_hidden(self, name: str, value: Any) -> Any:
        """The value with what `hidden` hides in this field; SpecError where it hides what is not here."""
        stated = self._plain()
        if name == "secrets" or name not in stated or without_secrets(stated)[name] == stated[name]:
            return value
        given = stated_fields({name: value}, None)
        return restored(given, stated)[name] if given else value

    def _take(self, flat: dict[str, Any]) -> None:
        self._flat, self._draft = flat, None

    def _fill(self, flat: dict[str, Any]) -> None:
        """Take the fields of something else than a control; `undo` takes that back."""
        self._filled = [*self._filled[1 - _MOST_UNDONE :], self._filling]
        self._undone = []
        self._take(flat)
        self._refused = {}

    @property
    def _filling(self) -> _Filling:
        return self._flat, self._secrets_for, self._seen

    @property
    def draft(self) -> Draft:
        """All that can be said of the fields as they are now, and by what is known of the cluster now."""
        facts = self.context.facts()
        if self._draft is None or facts is not self._facts:
            self._draft = draft_of(self.fields, facts, default_profile=self.context.default_profile)
            self._facts = facts
        return self._draft

    def value(self, name: str) -> Any:
        """The field as it is stated, else as it would be sent; ``None`` where nothing is."""
        name = canonical(name)
        if name in self._flat:
            return self._flat[name]
        if self.draft.spec is not None:
            return stated_fields({name: None}, self.draft.spec).get(name)
        given, _ = read_fields(self.fields)
        url = given.get("url")
        if not isinstance(url, str):
            return None
        completed, _ = inference.complete(given, Source(_meant(url)), default_profile=self.context.default_profile)
        return flattened(completed).get(name)

    def inferred(self, name: str) -> bool:
        """Whether the user has not stated the field."""
        return canonical(name) not in self._flat

    def notices(self, name: str) -> tuple[Notice, ...]:
        """What is said of a field and its parts, errors first; ``""``: of no field that a form has.

        What is wrong between two fields is said of both.
        """
        wanted = canonical(name)
        return tuple(notice for notice in self._notices() if wanted in (self._fields_of(notice) or ("",)))

    def shown(self, name: str) -> tuple[Notice, ...]:
        """The same for a reader: what a field still needs that nobody has touched is a hint, no mistake of theirs."""
        untouched = self.inferred(name) and canonical(name) not in self._touched
        return tuple(
            replace(notice, severity="info") if untouched and notice.code == "Required" else notice
            for notice in self.notices(name)
        )

    def show_all(self) -> None:
        """Take every field as touched: somebody wants to deploy."""
        self._touched |= {*FIELDS_BY_NAME}

    def _notices(self) -> list[Notice]:
        """Of refused values, of the Draft, of the url as it was looked up and of secrets older than it, each once."""
        url, more = self._url_notices
        every = [
            *self._refused.values(),
            *self.draft.notices,
            *(more if url == self.value("url") else ()),
            *self._old_secrets(),
        ]
        return sorted(dict.fromkeys(every), key=lambda notice: ("error", "warning", "info").index(notice.severity))

    def _old_secrets(self) -> Iterator[Notice]:
        """That secrets were given for a url of another place.

        They are not taken out with it: a url changes at every key that is pressed, and a value that was typed once is
        shown nowhere, so it could not be typed back.
        """
        old, new = self._secrets_for, self._flat.get("url")
        if "secrets" not in self._flat or not (isinstance(old, str) and isinstance(new, str)):
            return
        if _place_of(old) == _place_of(new) or check_source(Source(_meant(new))):
            return
        names = [secret.get("env") or secret["name"] for secret in self._plain().get("secrets", ())]
        if len(names) == 1:
            message = f"The secret {names[0]} was given for {shown(old)} and still goes along with {shown(new)}."
            step = "Remove it."
        else:
            message = (
                f"The secrets {', '.join(names)} were given for {shown(old)} and still go along with {shown(new)}."
            )
            step = "Remove them."
        remedy = SetField(name="secrets", value=None)
        yield warning("secrets", "SecretOfAnotherUrl", message, remedy, step=step)

    def first_error(self) -> Notice | None:
        """The error that comes first in the order of the fields; `field_of` says where the focus goes."""
        return next(iter((*self._refused.values(), *self.draft.errors)), None)

    def field_of(self, notice: Notice) -> str:
        """The name, as `set` takes it, of the (first) field that a Notice is about; ``""``: of none.

        >>> from kubeai_notebook.core.notice import wrong
        >>> FormModel().field_of(wrong("scaling.min_replicas", "", "")), FormModel().field_of(wrong("args[2]", "", ""))
        ('min_replicas', 'args')
        """
        return next(iter(self._fields_of(notice)), "")

    def _fields_of(self, notice: Notice) -> tuple[str, ...]:
        """The fields that it is about, of the two that `replicas` states the one that somebody has typed."""
        stands_for = {"min_replicas": "replicas"} if "replicas" in self._flat and self.inferred("min_replicas") else {}
        return tuple(stands_for.get(name, name) for name in _named_in(notice))

    def apply(self, remedy_id: str) -> None:
        """Make the change of a Remedy that the fields' Notices, or those of the last `plan`, show now.

        Raises:
            UsageError: what is wrong has changed since it was shown, or the Remedy is no change of fields.
        """
        shown = [*self._notices(), *(self._plan[1].notices if self._plan else ())]
        remedies = [remedy for notice in shown for remedy in notice.remedies if remedy.id == remedy_id]
        if not remedies or remedies[0].kind != "change":
            raise UsageError("What this button would change has changed meanwhile.", "Look at the fields again.")
        self._fill(_cured(self._flat, self._plain(), remedies[0]))

    def _plain(self) -> dict[str, Any]:
        return stated_fields(self._flat, self.draft.spec)

    @property
    def texts(self) -> Texts:
        """The four texts that stand for the fields; no secret is in them.

        They are short where the Model is new. Of one that is there they state everything: what is left out is kept.
        """
        name, facts = self.value("name"), self.context.facts()
        there = facts is not None and any(name_of(model) == name for model in facts.models)
        texts = texts_of(self._flat, self.draft, default_profile=self.context.default_profile, short=not there)
        refused = next(iter(self._refused.values()), None)  # the texts are those of the value before it
        return texts._replace(problem=plain(f"Nothing to run yet. {in_form(refused.message)}")) if refused else texts

    def paste(self, text: str) -> None:
        """Take the fields of YAML, of a line or cell of ``%kubeai_serve``, or of a call in Python; nothing is run.

        What the text hides keeps the value that it has here, as long as that goes to the same place.

        Raises:
            KubeAIError: the text cannot be read; the fields stay as they were.
        """
        if _MAGIC.match(text):
            given = pasted.checked_fields(self.context.read_magic(text))
        else:
            given = pasted.fields_of_text(text)
        stated = self._plain()
        elsewhere = destination(given) != destination(stated)
        self._fill(restored(given, stated, elsewhere=elsewhere))
        # A value that was typed here was given for the url of then, whatever a text says now.
        if elsewhere or not any("value" in secret for secret in self._plain().get("secrets", ())):
            self._secrets_for = self._flat.get("url")

    def undo(self) -> bool:
        """Take back the last `paste`, `start` or `apply`, and what was typed since; whether there was one."""
        return self._go(self._filled, self._undone)

    def redo(self) -> bool:
        """Take the last `undo` back, as long as nothing else was done since; whether there was one."""
        return self._go(self._undone, self._filled)

    def _go(self, there: list[_Filling], back: list[_Filling]) -> bool:
        if not there:
            return False
        back.append(self._filling)
        flat, self._secrets_for, self._seen = there.pop()
        self._take(flat)
        self._refused = {}
        return True

    @property
    def can_undo(self) -> bool:
        """Whether `undo` has something to go back to."""
        return bool(self._filled)

    @property
    def can_redo(self) -> bool:
        """Whether `redo` has something to go forward to."""
        return bool(self._undone)

    def starts(self) -> list[Start]:
        """What the form can be filled from, the user's own first; may ask the cluster."""
        return starts_of(self.context)

    def start(self, key: str) -> None:
        """Fill the form from one of `starts`; `undo` takes it back.

        Raises:
            UsageError: there is no such start any more.
        """
        fields, seen = started(self.context, key)
        self._fill(fields)
        self._secrets_for, self._seen = fields.get("url"), seen

    def look_up(self) -> None:
        """Ask the hub, and once the cluster, for what `profiles` and the `notices` of the url may say besides.

        Call it in a thread when the url has changed: it takes up to two seconds, and the first time as long as the
        cluster takes.
        """
        url = self.value("url")
        if isinstance(url, str) and _meant(url) not in self._figures:
            self._figures[_meant(url)] = self.context.figures(_meant(url))
        if isinstance(url, str):
            self._url_notices = (url, tuple(self.context.url_notices(self._spec())))
        if self._free is None:
            self._free = self.context.free() or {}

    def profiles(self) -> list[ProfileChoice]:
        """The resource profiles that the cluster is known to have; asks nobody."""
        from kubeai_notebook.present.profile_choices import choices_of

        facts = self.context.facts()
        if facts is None:
            return []
        return choices_of(facts.operator_config, self._spec(), figures=self._known_figures(), free=self._free or None)

    def estimate(self) -> Estimate | None:
        """Whether the model fits on the profile that is chosen; ``None`` where too little is known."""
        facts, figures = self.context.facts(), self._known_figures()
        return estimate_of(figures, self._spec(), facts.operator_config) if facts and figures else None

    def _known_figures(self) -> Figures | None:
        """What is known of the model's size; none on this machine, which knows better what fits (`Offer.fits`)."""
        if getattr(self.context.facts(), "this_machine", False):
            return None
        url = _meant(str(self.value("url") or ""))
        return self._figures.get(url) or figures_of_name(url)

    def _spec(self) -> ModelSpec:
        """The spec, or as much of one as the fields make."""
        parts = {name: self.value(name) for name in ("url", "engine", "features", "args")}
        if isinstance(parts["url"], str):
            parts["url"] = _meant(parts["url"])
        return self.draft.spec or checked(parts)[0]

    def plan(self) -> PlanReport:
        """What serving would do, with the diff to a Model that is there; asks the cluster.

        Raises:
            SpecError: a field is wrong, or the API server's dry run refused it.
        """
        flat = self._flat  # the fields may change while the cluster is asked
        seen = {"seen": self._seen} if self._seen and name_of(self._seen) == self.value("name") else {}
        report = self.context.plan(nested(flat), **seen)
        self._plan = (flat, report)
        return report

    def serve(self, report: PlanReport | None = None, *, force: bool = False, yes: bool = False) -> Model:
        """Serve what was planned, whatever the fields are by now; without a report the fields, by their last plan.

        Somebody else's change since that plan is a ConflictError, and nothing is written. Errors as `Session.serve`.
        """
        shown, last = self._plan or (None, None)
        if not report and self._seen and shown is not self._flat:
            last, shown = self.plan(), self._flat  # the fields alone do not say what is to go
        what = report or (last if shown is self._flat else self.fields)
        return self.context.serve(what, force=force, yes=yes)


def _check_pairs(name: str, value: Any) -> None:
    """Refuse rows of which two have one name; they come as pairs.

    Raises:
        SpecError: the fields as they are would lose one of them.
    """
    pairs = value if isinstance(value, tuple) and all(isinstance(one, tuple) and len(one) == 2 for one in value) else ()
    if twice := repeated(first for first, _ in pairs):
        message = f"Two rows are called {quoted(twice)}, and only one of them can be sent. Rename or remove the other."
        raise SpecError([wrong(name, "DuplicateRow", message)])


def _meant(url: str) -> str:
    """The url that is meant by one of the other ways in which people write it."""
    read = read_spelling(url)
    return read.url if read else url


def _place_of(url: str) -> tuple[str, str]:
    """Where a url leads to: its scheme, with the bucket or the claim. Those of a hub are all one place."""
    source = Source(_meant(url))
    return source.scheme, "" if source.scheme in ("hf", "ollama") else source.reference.partition("/")[0]


def _named_in(notice: Notice) -> tuple[str, ...]:
    """The fields that a Notice is about; one of the whole spec names them in its message."""
    if not notice.field:
        return tuple(name for name in FIELDS_BY_NAME if name in _COMPARED and re.search(rf"\b{name}\b", notice.message))
    words = [word for word in re.sub(r"\[.*?\]", "", notice.field).split(".") if word not in _PARTS]
    name = to_snake(words[0]) if words else "strategy" if "load_balancing" in notice.field else "min_replicas"
    name = _SHOWN_UNDER.get(name, name)
    return (name,) if name in FIELDS_BY_NAME else ()


def _cured(flat: Mapping[str, Any], stated: Mapping[str, Any], remedy: Remedy) -> dict[str, Any]:
    """The flat fields with a Remedy's changes, which name fields as KubeAI does."""
    now = {name: stated[name] for name in ("args", "env") if name in stated}
    now |= {change.name: flat.get(canonical(change.name)) for change in remedy.changes if isinstance(change, SetField)}
    cured = dict(flat)
    for key, value in map_at(remedy.patch({"spec": now}), "spec").items():
        name = canonical(key)
        if name == "env":
            cured[name] = merged(now.get(name, {}), value)
        elif value is None:
            cured.pop(name, None)
        else:
            cured |= flattened(read_fields({name: value})[0])
    return cured
