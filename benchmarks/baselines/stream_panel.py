"""An answer in panel's ChatInterface, by ``stream`` as its documentation has it. Needs panel and jupyter_bokeh.

A cell runs this file; ``show`` is then called with each piece of the answer and with all that has come.
"""

import panel
from IPython.display import display

panel.extension()
chat = panel.chat.ChatInterface()
display(chat)
message = chat.stream("", user="smol")


def show(text: str, _whole: str) -> None:
    chat.stream(text, message=message)
