"""What a cell shows of a value: no login of an address, and no key, is in any ``repr`` of the package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import kubeai_notebook
from kubeai_notebook.core.observation import Observation
from kubeai_notebook.core.remedy import SetArgument, SetEnv
from kubeai_notebook.session.session import Session
from kubeai_notebook.settings import Settings
from tests.support.fake_api import MODELS, FakeApi, kubeconfig, model, pod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORD = "walrus-meadow"
ADDRESS = f"https://admin:{WORD}@cluster.test:6443"
HOLD_AN_ADDRESS = {"address", "base_url", "endpoint", "host", "own_url", "platform_endpoint", "proxy", "server"}

HOLD = {*HOLD_AN_ADDRESS, "headers"}


def dataclasses() -> Iterator[type]:
    """All of the package that a notebook's kernel may have."""
    modules = pkgutil.walk_packages(kubeai_notebook.__path__, "kubeai_notebook.")
    for name in (module.name for module in modules if not module.name.endswith("__main__")):
        if name.startswith("kubeai_notebook.local"):
            continue
        for kind in vars(importlib.import_module(name)).values():
            if inspect.isclass(kind) and is_dataclass(kind) and kind.__module__ == name:
                yield kind


def of_address(kind: Any) -> Any:
    """An instance of it with the login in each field that may hold an address."""
    made = object.__new__(kind)
    for one in fields(kind):
        held = ADDRESS if one.name in HOLD_AN_ADDRESS else {"authorization": WORD} if one.name == "headers" else None
        object.__setattr__(made, one.name, held)
    return made


def test_shows_no_login_of_an_address_in_any_values_repr() -> None:
    told = [kind for kind in dataclasses() if HOLD & {one.name for one in fields(kind)}]
    assert len(told) >= 8
    assert [kind.__name__ for kind in told if WORD in repr(of_address(kind))] == []


@pytest.mark.parametrize(
    "value",
    [
        Settings(endpoint=f"{ADDRESS}/openai/v1"),
        SetEnv(name="HF_ENDPOINT", value=ADDRESS),
        SetEnv(name="DB_PASSWORD", value=WORD),
        SetArgument(name="--api-key", value=WORD),
        Observation(
            model={"spec": {"args": ["--api-key", WORD]}},
            pods=({"spec": {"containers": [{"name": "server", "args": ["--seen", WORD]}]}},),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_shows_no_secret_in_a_values_repr(value: object) -> None:
    assert WORD not in repr(value)
    assert repr(value).startswith(f"{type(value).__name__}(")


def test_shows_no_login_of_the_kubeconfigs_server(tmp_path: Path) -> None:
    with FakeApi.empty().in_thread() as api:
        api.put(MODELS, model("smol"))
        api.put(MODELS, pod("model-smol-1", "smol"))
        path = kubeconfig(api, tmp_path)
        config = yaml.safe_load(path.read_text())
        cluster = config["clusters"][0]["cluster"]
        cluster["server"] = cluster["server"].replace("://", f"://admin:{WORD}@")
        path.write_text(yaml.safe_dump(config))
        with Session(settings=Settings(kubeconfig=str(path))) as session:
            smol = session.attach("smol")
            shown = [session, session.settings, session.where, session.cluster, session.endpoint]
            shown += [smol, smol.view, smol.why(), smol.endpoint, smol.outcome]
            assert WORD in session.where.server
            assert [type(value).__name__ for value in shown if WORD in repr(value)] == []
