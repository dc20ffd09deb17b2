"""An answer as ipywidgets' documentation shows a text that changes: the value of an ``HTML``, set anew at each piece.

A cell runs this file; ``show`` is then called with each piece of the answer and with all that has come.
"""

import ipywidgets
from IPython.display import display

html = ipywidgets.HTML()
display(html)


def show(_text: str, whole: str) -> None:
    html.value = whole
