"""What a notebook shows: the status card, and its snapshot where no kernel lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from kubeai_notebook.calls.job import Job
    from kubeai_notebook.session.embedding_map import EmbeddingMap
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.waiting_line import Line


_CHATS, _EMBEDS = ("TextGeneration", "a Model that chats"), ("TextEmbedding", "an embedding Model")
_PLAYGROUND_OPTIONS = {
    "tools": _CHATS,
    "new": _CHATS,
    "data": _EMBEDS,
    "column": _EMBEDS,
    "color": _EMBEDS,
}
"""The feature that each is for, and what a Model with it is called."""


def _refuse(model_name: str, misplaced: list[str]) -> None:
    """Raise where there are options of other playgrounds: all of them at once."""
    from kubeai_notebook.errors import UsageError

    if not misplaced:
        return
    *others, last = (f"{name}=" for name in misplaced)
    named, are, them = (f"{', '.join(others)} and {last}", "are", "them") if others else (last, "is", "it")
    kinds = " or ".join(dict.fromkeys(_PLAYGROUND_OPTIONS[name][1] for name in misplaced))
    raise UsageError(f"{named} {are} for the playground of {kinds}, and {model_name} is none.", f"Leave {them} out.")


class CardFace:
    """Shows a Model as its status card; imports nothing until one is shown."""

    def show(self, model: Model) -> None:
        """Display the live card; NotImplementedError where no notebook listens."""
        from kubeai_notebook.views.live import show

        show(model)

    def bundle(self, model: Model) -> dict[str, Any]:
        """The card's text and snapshot."""
        from kubeai_notebook.views.live import bundle

        return bundle(model)

    def widget(self, model: Model) -> Any:
        """The live card; one line of text where the Model is gone."""
        from kubeai_notebook.errors import NotFoundError
        from kubeai_notebook.views.live import follow

        try:
            return follow(model)
        except NotFoundError:
            return repr(model)

    def show_batch(self, job: Job) -> None:
        """Display a batch, now and as it goes on."""
        from kubeai_notebook.views.batch import show

        show(job)

    def follow_batch(self, job: Job) -> None:
        """Show how far a batch is until it is over."""
        from kubeai_notebook.views.batch import follow

        follow(job)

    def show_map(self, embedding_map: EmbeddingMap) -> None:
        """Display a map of texts; NotImplementedError where no notebook listens."""
        from kubeai_notebook.views.embedding_map import show

        show(embedding_map)

    def playground(self, model: Model, features: Collection[str], **options: Any) -> Any:
        """The playground for what the Model does, the first of its features.

        Raises:
            UsageError: there is none for that, or an option is for another.
        """
        from kubeai_notebook.core.messages import what_it_does
        from kubeai_notebook.core.model_spec import FEATURES
        from kubeai_notebook.errors import UsageError

        feature = next((known for known in FEATURES if known in features), None)
        if feature is None:
            message = f"{model.name} has no feature that can be tried, so there is no playground for it."
            raise UsageError(message, f"%kubeai_code {model.name} shows code that calls it.")
        beside = " and ".join(options.get("columns", ()))
        if beside and feature != "TextGeneration":
            message = f"{model.name} {what_it_does([feature])}; {beside} cannot answer beside it."
            raise UsageError(message, "Open them one at a time.")
        _refuse(model.name, [name for name in options if _PLAYGROUND_OPTIONS.get(name, (feature,))[0] != feature])
        if feature == "TextGeneration":
            from kubeai_notebook.views.playground import chat_playground

            return chat_playground(model, **options)
        if feature == "TextEmbedding":
            from kubeai_notebook.views.embedding_playground import embedding_playground

            return embedding_playground(model, **options)
        from kubeai_notebook.views.trial import Trial

        return Trial(model, feature)

    def line(self, name: str = "") -> Line:
        """An output of the cell that is renewed; on stderr where no notebook listens."""
        from kubeai_notebook.views.waiting_line import line

        return line(name)


def install() -> None:
    """Give every Model its card."""
    from kubeai_notebook.session import presenter as display

    display.install(CardFace())
