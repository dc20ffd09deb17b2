"""Messages of other versions than the recorded ones: the deciding words are the same, the rest is not."""

from pathlib import Path

import pytest
import yaml

from kubeai_notebook.core.diagnosis import diagnose

from .scenes import NOW, crash, model

VARIANTS = yaml.safe_load((Path(__file__).parents[2] / "golden" / "variants.yaml").read_text())


@pytest.mark.parametrize("row", VARIANTS, ids=lambda row: row["code"])
def test_knows_the_message_in_other_versions(row):
    log = f"INFO starting\n{row['text']}\nRuntimeError: Engine core initialization failed."
    found = diagnose(crash(log, model(**row.get("spec", {}))), now=NOW)
    assert [finding.code for finding in found] == [row["code"]]


@pytest.mark.parametrize(
    ("line", "title"),
    [
        (
            "api_server.py: error: argument --dtype: invalid choice: 'fp16' (choose from 'auto', 'half')",
            "--dtype may not be 'fp16'; choose from 'auto', 'half'.",
        ),
        (
            "api_server.py: error: argument --tensor-parallel-size/-tp: invalid int value: 'auto'",
            "--tensor-parallel-size may not be 'auto'.",
        ),
        (
            "api_server.py: error: argument --enable-prefix-caching: ignored explicit argument 'true'",
            "--enable-prefix-caching may not be 'true'.",
        ),
        (
            "api_server.py: error: argument --max-model-len: expected one argument",
            "--max-model-len has a value that the engine does not take.",
        ),
    ],
)
def test_names_the_argument_that_argparse_refuses(line, title):
    (found,) = diagnose(crash(line, model(args=[])), now=NOW)
    assert (found.code, found.message) == ("BadArgumentValue", title)
