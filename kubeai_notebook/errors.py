"""Every error that is raised on purpose.

::

    KubeAIError                    message, hint; a cell shows these two and no stack
    ├── SpecError                  nothing was sent; ``notices`` holds each wrong field
    ├── UsageError                 an argument, of a call or of a line, cannot be used; nothing was sent
    ├── SessionClosedError         the Session was closed, or what it was made for is no longer set
    ├── NotYoursError              somebody else served the Model; ``stake`` says what would be lost
    ├── ClusterError               the Kubernetes API did not do what was asked
    │   ├── NotFoundError          the object (or its namespace) does not exist
    │   ├── ForbiddenError         a right is missing
    │   ├── UnauthorizedError      the credentials were refused
    │   ├── ConflictError          it exists already, or changed meanwhile
    │   ├── QuotaError             a ResourceQuota refused it
    │   ├── KubeconfigError        the kubeconfig cannot be used; nothing was sent
    │   ├── UnreachableError       no answer from the API server
    │   └── NotInstalledError      this cluster has no KubeAI
    ├── DeployError                the Model cannot become ready; ``findings`` say why
    ├── WaitTimeoutError           what was waited for did not come within the time given; it may come still
    ├── CallError                  the gateway or the engine refused a request
    └── LocalError                 this machine lacks an engine, weights or room for them

    WaitInterruptedError           a KeyboardInterrupt that says what goes on without you

Anything else that reaches a user is a bug and keeps its traceback. A message may quote an engine, a log or an API
server; what it quotes is made plain here, where every error begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from kubeai_notebook.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST = 10_000
"""Characters of a message or a hint."""
LOCAL_GONE = (
    "KubeAI on this machine is not running.",
    # A kernel need not have kubeai-local on its PATH.
    'kubeai_notebook.Session(context="local").models() starts it again.',
)
"""Message and hint where our own daemon has ended."""


class _Sentence(BaseException):
    """Renders an error as its message and its hint, without a stack."""

    message: str
    hint: str

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = plain(message, LONGEST)
        self.hint = plain(hint, LONGEST)
        super().__init__(self.message, self.hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def reword(self, word: Callable[[str], str]) -> None:
        """Put the hint into a face's own words: it names verbs of Python."""
        self.hint = word(self.hint)
        self.args = (self.message, self.hint)

    def _render_traceback_(self) -> list[str]:
        """Lines that IPython shows instead of a traceback: what is wrong, with the type to catch, and what to do."""
        first, *others = self._lines()
        return [f"{first} ({type(self).__name__})", *others]

    def _lines(self) -> list[str]:
        return [self.message, *([self.hint] if self.hint else [])]


class KubeAIError(_Sentence, Exception):
    """Base of all errors below; ``message`` says what is wrong, ``hint`` the next step."""


class SpecError(KubeAIError):
    """The ModelSpec is wrong; nothing was sent. A cell shows a sentence a line, one for each of ``notices``."""

    def __init__(self, notices: Sequence[Any]) -> None:
        # Each is a `core.notice.Notice`, which stands above this module; all that is asked of one here is its text.
        super().__init__(" ".join(map(str, notices)))
        self.notices = tuple(notices)
        self._word: Callable[[str], str] = str

    def reword(self, word: Callable[[str], str]) -> None:
        """Put the Notices into a face's own words: their Remedies name fields and verbs of Python."""
        self._word = word
        self.message = plain(" ".join(word(str(notice)) for notice in self.notices), LONGEST)
        self.args = (self.message, self.hint)

    def _lines(self) -> list[str]:
        return [plain(self._word(str(notice)), LONGEST) for notice in self.notices] or [""]


class UsageError(KubeAIError):
    """An argument, of a call or of a magic's line, cannot be used; nothing was sent."""


class SessionClosedError(KubeAIError):
    """The Session was closed, or the settings that it was made for have changed; nothing was sent."""


class NotYoursError(KubeAIError):
    """A verb would change a Model that somebody else served; nothing was done to it."""

    def __init__(self, message: str, hint: str = "", *, stake: Any = None, done: Sequence[str] = ()) -> None:
        super().__init__(message, hint)
        self.stake = stake
        """A `core.plan.Stake`: what would be lost."""
        self.done = tuple(done)
        """Of several Models those that the verb changed: they were the user's own."""


class ClusterError(KubeAIError):
    """The Kubernetes API did not do what was asked."""

    server_message: str = ""
    """The API server's own words, if there were some."""


class NotFoundError(ClusterError):
    """The object, or its namespace, does not exist."""


class ForbiddenError(ClusterError):
    """A right is missing."""


class UnauthorizedError(ClusterError):
    """The credentials were refused or have expired."""


class ConflictError(ClusterError):
    """The object exists already, or was changed meanwhile."""


class QuotaError(ClusterError):
    """A ResourceQuota refused the object."""


class KubeconfigError(ClusterError):
    """The kubeconfig, or its context, cannot be used; nothing was sent."""


class UnreachableError(ClusterError):
    """The API server gave no answer."""


class NotInstalledError(ClusterError):
    """The cluster has no KubeAI."""


class DeployError(KubeAIError):
    """The Model cannot become ready as it is; ``findings`` say why."""

    def __init__(self, message: str, hint: str = "", *, findings: tuple[Any, ...] = ()) -> None:
        super().__init__(message, hint)
        self.findings = findings


class WaitTimeoutError(KubeAIError):
    """What was waited for did not come within the time given; it may come still."""


Refuser = Literal["", "engine", "gateway", "proxy", "mesh", "login", "api-server", "network"]
"""Who refused a call.

``engine``: the Model's; ``gateway``: KubeAI's; ``proxy``: an ingress or a load balancer between here and the gateway;
``mesh``: a service mesh; ``login``: a login page; ``api-server``: the Kubernetes API, on the way through it;
``network``: nobody answered; ``""``: nothing was sent.
"""


class CallError(KubeAIError):
    """A call to a Model failed.

    ``status`` is the HTTP status, if there was one, ``code`` that of the Finding that explains it. ``retryable``: the
    same request may succeed later; where the other side said how much later, ``retry_after_seconds`` holds it.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        status: int | None = None,
        kind: Refuser = "",
        code: str = "",
        retryable: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.code = code
        self.kind: Refuser = kind
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds


class LocalError(KubeAIError):
    """The machine lacks an engine, weights, or room for them."""


class WaitInterruptedError(_Sentence, KeyboardInterrupt):
    """Waiting was interrupted; what was waited for goes on."""
