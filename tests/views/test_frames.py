"""Pieces that are sent by the frame, where the process ends between two frames."""

import subprocess
import sys

AT_THE_END = """
import threading

from kubeai_notebook.views.frames import Frames

frames = Frames(lambda pieces: print(*pieces), seconds=60)


def add():
    for piece in ("first", "second", "third"):
        frames.add(piece)


# A timer that a daemon's thread starts is a daemon, too: Python does not wait for it.
thread = threading.Thread(target=add, daemon=True)
thread.start()
thread.join()
"""


def test_sends_what_waits_for_its_frame_where_the_process_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.stdout, ended.stderr) == ("first\nsecond third\n", "")
