"""An answer printed into an ``Output`` widget, as its documentation shows first (``append_stdout`` sends all anew).

A cell runs this file; ``show`` is then called with each piece of the answer and with all that has come.
"""

import ipywidgets
from IPython.display import display

output = ipywidgets.Output()
display(output)


def show(text: str, _whole: str) -> None:
    with output:
        print(text, end="")
