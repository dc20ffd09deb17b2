"""llama.cpp's own worker with the one default of vLLM that the guide rests on: a completion has 16 tokens.

The guide asks for a completion without saying how long; llama.cpp would write until its context is full.
"""

from __future__ import annotations

from typing import Any

import xllamacpp

from kubeai_notebook.local.engines import llamacpp_worker

_Server = xllamacpp.Server


def _server(parameters: Any) -> Any:
    parameters.n_predict = 16
    return _Server(parameters)


if __name__ == "__main__":
    xllamacpp.Server = _server
    llamacpp_worker.main()
