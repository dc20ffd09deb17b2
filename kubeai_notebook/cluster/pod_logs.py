"""The logs of containers: their end, or their lines as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeai_notebook.core.framing import lines_of
from kubeai_notebook.errors import ClusterError, NotFoundError

from .api import BROKEN, CORE, Api, Query
from .requests import Requests

if TYPE_CHECKING:
    from collections.abc import Iterator

TAIL_LINES = 400
LONGEST_LINE_BYTES, MOST_LOG_BYTES = 64 << 10, 32 << 20
# An engine that serves nobody writes nothing for hours: that its node is gone is seen elsewhere.
FOLLOW_SECONDS = 3600.0


class LogStream:
    """The lines of a container's log as they come; `close` ends it at once, from any thread.

    Raises, while it is read, a ClusterError when the log may not be read; ends when the container does.
    """

    def __init__(self, api: Api, path: str, query: Query) -> None:
        self._api, self._path, self._query = api.apart(), path, query

    def __iter__(self) -> Iterator[str]:
        try:
            answer = self._api.open("GET", self._path, query=self._query, silence_seconds=FOLLOW_SECONDS)
            # The beginning of a long line is kept: a value without its name could not be known for a secret.
            for line in lines_of(iter(answer.read1, b""), LONGEST_LINE_BYTES, cut=True):
                yield line.decode(errors="replace")
        except BROKEN:
            return  # cut by us or by the other side: the lines so far are what there is
        finally:
            self._api.close()

    def close(self) -> None:
        """End the stream."""
        self._api.close()


class PodLogs:
    """The logs of one namespace's Pods."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self._requests = Requests(api, namespace)

    def read(self, pod: str, *, container: str = "server", tail_lines: int = TAIL_LINES, previous: bool = False) -> str:
        """The end of a container's log, ``""`` when there is none yet."""
        query: Query = {"container": container, "tailLines": tail_lines, "previous": str(previous).lower()}
        try:
            answer = self.api.open("GET", self._path_of(pod), query=query)
        except NotFoundError:
            return ""
        except ClusterError as error:
            # The API's 400 for a container that has no log: not created yet, or no run before this one.
            if "waiting to start" in error.message or "not found" in error.message:
                return ""
            raise
        data, _ = self.api.read(answer, most=MOST_LOG_BYTES)
        return data.decode(errors="replace")

    def follow(self, pod: str, *, container: str = "server", tail_lines: int = TAIL_LINES) -> LogStream:
        """The last lines of a container's log, and each new one until the container ends."""
        query: Query = {"container": container, "tailLines": tail_lines, "follow": "true"}
        return LogStream(self.api, self._path_of(pod), query)

    def _path_of(self, pod: str) -> str:
        return self._requests.path(CORE, "pods", pod) + "/log"
