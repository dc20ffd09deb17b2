"""What JupyterLab's sidebar and agents ask of a Jupyter Server: verbs over HTTP, a stream of changes, and tools.

Jupyter Server imports this when it starts, for people who may never open the sidebar. So only `handlers` and `table`
are imported then, which need nothing but what Jupyter Server has imported itself; clients of Kubernetes, pydantic and
pandas come with the first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    from .handlers import install

    install(serverapp)
