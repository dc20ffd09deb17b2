"""How many of our modules a question passes through: three calls, traced.

``python benchmarks/hops.py`` starts the single-machine KubeAI in a home of its own and prints, for each call, the
modules in which a function ran: the url of a magic's line up to the Manifest (a dry run), a change of a Pod up to the
card, and a Delta of a chat up to the cell. Each call is made twice, and the second counts: the first also imports.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = f"{os.sep}kubeai_notebook{os.sep}"
seen: set[str] = set()
active = threading.Event()


def profile(frame: Any, event: str, _argument: object) -> None:
    """Note the module of a function of ours that is entered."""
    if event == "call" and active.is_set():
        _, inside, name = frame.f_code.co_filename.rpartition(PACKAGE)
        if inside and frame.f_code.co_name != "<module>":
            seen.add(name.removesuffix(".py").replace(os.sep, "."))


@contextmanager
def traced(label: str, *, here: bool) -> Iterator[None]:
    """Trace this thread, or all others that began under the trace."""
    seen.clear()
    if here:
        sys.setprofile(profile)
    active.set()
    yield
    active.clear()
    sys.setprofile(None)
    print(json.dumps({"call": label, "modules": len(seen), "names": sorted(seen)}))


def main() -> None:
    """Make the three calls."""
    os.environ["KUBEAI_LOCAL_HOME"] = tempfile.mkdtemp()
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.extension_manager.load_extension("kubeai_notebook")
    shell.run_line_magic("config", "KubeAI.context = 'local'")
    threading.setprofile(profile)
    line = "hops ollama://smollm2:135m --engine OLlama"
    shell.run_line_magic("kubeai_serve", f"{line} --dry-run")
    with traced("url: magic to Manifest", here=True):
        shell.run_line_magic("kubeai_serve", f"{line} --dry-run")
    model = shell.run_line_magic("kubeai_serve", f"{line} --wait --quiet")
    try:
        from kubeai_notebook.views.live import follow

        card = follow(model)
        time.sleep(3)
        with traced("Pod: event to card", here=False):
            model.scale(2)
            while "2 of 2" not in str(card.card):
                time.sleep(0.1)
        shell.run_cell_magic("kubeai_chat", "hops --max-tokens 5", "Hi")
        with traced("Delta: stream to cell", here=True):
            shell.run_cell_magic("kubeai_chat", "hops --max-tokens 5", "Hi")
    finally:
        model.delete()
        os.system(f"{sys.executable} -m kubeai_notebook.local stop")


main()
