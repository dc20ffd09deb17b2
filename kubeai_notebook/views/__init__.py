"""What a notebook shows: the status card, and its snapshot where no kernel lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubeai_notebook.calls.job import Job
    from kubeai_notebook.session.model import Model
    from kubeai_notebook.session.presenter import Line


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

    def show_batch(self, job: Job) -> None:
        """Display a batch, now and as it goes on."""
        from kubeai_notebook.views.batch import show

        show(job)

    def follow_batch(self, job: Job) -> None:
        """Show how far a batch is until it is over."""
        from kubeai_notebook.views.batch import follow

        follow(job)

    def line(self) -> Line:
        """An output of the cell that is renewed; on stderr where no notebook listens."""
        from kubeai_notebook.views.waiting_line import line

        return line()


def install() -> None:
    """Give every Model its card."""
    from kubeai_notebook.session import presenter as display

    display.install(CardFace())
