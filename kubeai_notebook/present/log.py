"""Log: the end of a container's log, which shows itself line by line."""

from __future__ import annotations

from kubeai_notebook.text import LONGEST, ShownAsText


class Log(ShownAsText, str):
    """The end of one container's log, plain and masked; a str that shows itself line by line."""

    __slots__ = ("pod",)
    pod: str

    def __new__(cls, text: str, *, pod: str) -> Log:
        """Make it of the text and the name of its Pod."""
        log = super().__new__(cls, text)
        log.pod = pod
        return log

    def _text(self) -> str:
        if len(self) > LONGEST:
            return f"…{self[-LONGEST + 1 :]}"
        return str(self) or f"{self.pod} has written nothing so far."
