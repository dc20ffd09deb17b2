"""A Model's secrets against every face that shows the Model: two-word arguments, plain words, innocent names."""

from __future__ import annotations

import base64
import json
import textwrap
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from kubeai_notebook.errors import KubeAIError, SpecError
from kubeai_notebook.session.session import Session
from tests.magics.conftest import here, run, shell  # noqa: F401 - fixtures
from tests.support import secrets
from tests.support.daemon import SMOL
from tests.support.fake_api import EVENTS, MODELS, PODS, FakeApi, model, pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kubeai_notebook.session.model import Model

WORD, OTHER, THIRD = "swordfish-lagoon", "pelican-harbour", "walrus-meadow"
FOURTH = "otter/brook+lake"
SHAPED = secrets.values()["github"]
SECRETS = (WORD, OTHER, THIRD, FOURTH, quote(FOURTH, safe=""), SHAPED)
ARGS = ["--api-key", WORD, "--repeated", WORD, f"--also={WORD}"]
ENV = {"DB_PASS": OTHER, "LEVEL": SHAPED, "JOIN_TOKEN": FOURTH, "PROXY": f"http://me:{THIRD}@proxy:3128"}


def leaked(text: object) -> list[str]:
    """The secrets, or halves of them, that stand in what was shown."""
    shown = str(text)
    return [value for value in SECRETS if value in shown or value[: len(value) // 2 + 1] in shown]


@pytest.fixture
def served(session: Session) -> Model:
    return session.serve(name="hush", args=ARGS, env=ENV, force=True, **SMOL).wait(90)


@pytest.mark.finding("H8")
def test_shows_no_two_word_secret_in_report_repr_or_log(served: Model) -> None:
    log = served.logs(tail_lines=500)
    assert "--repeated ***" in log
    followed = []
    for line in served.follow_logs(tail_lines=500):
        followed.append(line)
        if "listening on" in line:
            break
    faces = [served.report(), repr(served.spec), log, *followed, repr(served), served.events().to_string()]
    assert [leaked(face) for face in faces if leaked(face)] == []


@pytest.mark.finding("L9")
def test_tells_that_a_secret_changed_and_shows_neither(served: Model) -> None:
    args = ["--api-key", OTHER, "--repeated", OTHER, f"--also={OTHER}"]
    receipt = served.session.plan(name="hush", args=args, env={**ENV, "DB_PASS": WORD}, **SMOL)
    assert "DB_PASS=… (changed)" in receipt.plan.diff
    assert "--api-key … (changed)" in receipt.plan.diff
    assert "in another order" not in receipt.plan.diff
    assert leaked(repr(receipt)) == []
    note = served.session.serve(name="hush", args=args, env=ENV, force=True, **SMOL).note
    assert "--api-key … (changed)" in note
    assert leaked(note) == []
    assert leaked(served.rollback().note) == []


@pytest.mark.finding("H8")
def test_masks_the_value_and_not_its_neighbour_in_the_diff(session: Session) -> None:
    session.serve(name="hush", min_replicas=0, args=["--port-like", "1"], force=True, **SMOL)
    args = ["--api-key", WORD, "--max-model-len", "64"]
    diff = session.plan(name="hush", min_replicas=0, args=args, **SMOL).plan.diff
    assert diff == "args: without --port-like, without 1, with --api-key …, with --max-model-len, with 64"


@pytest.mark.finding("H8")
def test_prints_no_secret_from_a_magic_line(
    here: Callable[[str], Any],  # noqa: F811 - the fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = " ".join(ARGS)
    here(f"m = %kubeai_serve hush {SMOL['url']} --env DB_PASS={OTHER} --wait -q -y -- {words}")
    shown = [here("%kubeai_logs hush"), here("m.report()"), here("m.spec"), here("%kubeai_why hush")]
    shown.append(here(f"%kubeai_serve hush {SMOL['url']} --dry-run -- --api-key {THIRD}"))
    here("%kubeai_status hush")
    out = capsys.readouterr().out
    assert [leaked(one) for one in [out, *map(repr, shown)] if leaked(one)] == []
    with pytest.raises(KubeAIError) as raised:
        here(f"%kubeai_serve hush {SMOL['url']} --api-key={WORD}")
    assert leaked(raised.value) == []


@pytest.mark.finding("M3")
@pytest.mark.parametrize("entry", [SHAPED, secrets.values()["jwt"], secrets.values()["long"]])
def test_quotes_no_secret_in_the_place_of_a_name_or_url(entry: str, session: Session) -> None:
    attempts: list[dict[str, Any]] = [
        {"name": "hush", "secrets": [entry], **SMOL},
        {"name": "hush", "url": entry},
        {"name": "hush", "url": f"hf://me:{entry}@host/model"},
        {"name": "hush", "url": f"hf://?token={entry}"},
        {"name": entry, **SMOL},
        {"name": "hush", "engine": entry, "url": SMOL["url"]},
        {"name": "hush", "resource_profile": f"{entry}:x:y", **SMOL},
    ]
    for fields in attempts:
        with pytest.raises(SpecError) as raised:
            session.serve(**fields)
        said = f"{raised.value} {raised.value._render_traceback_()}"
        assert entry[4:20] not in said, fields.keys()


@pytest.fixture
def canned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeApi, Session]]:
    """An API of canned objects, and a Session that a kubeconfig leads there."""
    with FakeApi.empty().in_thread() as api:
        config = tmp_path / "config"
        config.write_text(
            textwrap.dedent(f"""\
            apiVersion: v1
            kind: Config
            current-context: canned
            clusters: [{{name: canned, cluster: {{server: "{api.url}"}}}}]
            contexts: [{{name: canned, context: {{cluster: canned, user: me, namespace: default}}}}]
            users: [{{name: me, user: {{}}}}]
            """)
        )
        monkeypatch.setenv("KUBECONFIG", str(config))
        session = Session(context="canned", namespace="default")
        yield api, session
        session.close()


def crashed(log: str, api: FakeApi, **spec: Any) -> dict[str, Any]:
    """A Model whose engine crashed with this log, and its Pod; an Event repeats its last line."""
    state = {
        "name": "server",
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": f"back-off: {log.splitlines()[-1]}"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": log.splitlines()[-1]}},
    }
    for key in ("model-m-a-1/server", "model-m-a-1/server previous"):
        api.logs[key] = log
    api.change(MODELS, model("m", **spec))
    made = pod("model-m-a-1", "m", ready=False, containerStatuses=[state])
    made["metadata"]["uid"] = "uid-of-the-pod"
    api.change(PODS, made)
    api.change(
        EVENTS,
        {
            "metadata": {"name": "e1", "namespace": "default", "uid": "e1", "resourceVersion": "90"},
            "involvedObject": {"kind": "Pod", "name": "model-m-a-1", "uid": "uid-of-the-pod"},
            "reason": "BackOff", "type": "Warning", "message": log.splitlines()[-1],
            "lastTimestamp": "2026-11-27T10:00:00Z", "count": 2,
        },
    )  # fmt: skip
    return made


def faces_of(found: Model) -> dict[str, str]:
    """Everything that shows a Model."""
    with pytest.raises(KubeAIError) as raised:
        found.wait(20)
    return {
        "error": f"{raised.value} {raised.value._render_traceback_()}",
        "findings": repr(found.findings),
        "why": f"{found.why()!r} {found.why()._repr_html_()}",
        "logs": found.logs(),
        "previous": found.logs(previous=True),
        "events": found.events().to_string(max_colwidth=None),
        "report": found.report(),
        "status": repr(found.status),
        "bundle": str(found._repr_mimebundle_()),
        "table": found.session.models().to_string(max_colwidth=None),
    }


@pytest.mark.finding("H8")
def test_hides_what_the_engine_says_of_the_models_own_secrets(canned: tuple[FakeApi, Session]) -> None:
    api, session = canned
    tail = f"PicoError: the key {WORD} was refused, {OTHER} too, via {ENV['PROXY']} with {SHAPED}"
    log = f"starting\nin a url {quote(FOURTH, safe='')} x\nbase64 {base64.b64encode(OTHER.encode()).decode()}\n{tail}"
    crashed(log, api, engine="VLLM", args=ARGS, env=ENV)
    faces = faces_of(session.attach("m"))
    assert {name: leaked(text) for name, text in faces.items() if leaked(text)} == {}
    assert base64.b64encode(OTHER.encode()).decode() not in str(faces)


def test_hides_what_only_an_earlier_spec_or_a_pod_has(canned: tuple[FakeApi, Session]) -> None:
    api, session = canned
    log = f"starting\nthe args are {WORD}\nPicoError: refused {WORD}, {OTHER}, {THIRD} and {FOURTH}"
    made = crashed(log, api)
    changed = model("m", engine="VLLM", args=["--api-key", "new-and-unsaid"])
    earlier = json.dumps([{**changed["spec"], "args": ["--api-key", WORD]}])
    changed["metadata"]["annotations"] = {"kubeai-notebook/applied": earlier}
    made["spec"]["containers"][0] |= {"args": ["--api-key", OTHER]}
    made["spec"]["containers"].append({"name": "proxy", "env": [{"name": "DB_PASS", "value": THIRD}]})
    made["spec"]["initContainers"] = [{"name": "before", "args": [f"--token={FOURTH}"]}]
    api.change(MODELS, changed)
    api.change(PODS, made)
    faces = faces_of(session.attach("m"))
    assert {name: leaked(text) for name, text in faces.items() if leaked(text)} == {}
    assert "PicoError: refused ***, ***, *** and ***" in faces["logs"]


def test_hides_what_only_a_command_a_probe_a_hook_or_an_annotation_has(canned: tuple[FakeApi, Session]) -> None:
    api, session = canned
    said = [
        f"{place}-lagoon-{number}7x" for number, place in enumerate(("command", "asked", "probe", "hook", "pod", "own"))
    ]
    command, asked, probe, hook, of_pod, own = said
    made = crashed(f"starting\nPicoError: refused {', '.join(said)} at registry-9", api)
    changed = model("m", engine="VLLM")
    changed["metadata"]["annotations"] = {"team.test/db-password": own}
    made["metadata"]["annotations"] = {"team.test/api-token": of_pod, "ingress.test/auth-secret": "registry-9"}
    made["spec"]["containers"][0] |= {
        "command": ["sh", "-c", f"export API_TOKEN={command}; run"],
        "readinessProbe": {"httpGet": {"path": "/", "httpHeaders": [{"name": "X-Api-Key", "value": asked}]}},
        "livenessProbe": {"exec": {"command": ["curl", "--header", f"Authorization: Bearer {probe}"]}},
        "lifecycle": {"preStop": {"exec": {"command": ["curl", "-u", f"me:{hook}"]}}},
    }
    api.change(MODELS, changed)
    api.change(PODS, made)
    faces = faces_of(session.attach("m"))
    assert {name: [word for word in said if word in text] for name, text in faces.items() if "lagoon" in text} == {}
    assert f"PicoError: refused {', '.join(['***'] * 6)} at registry-9" in faces["logs"]


@pytest.mark.finding("H8")
def test_leaves_no_half_of_a_secret_at_a_cut_or_a_line_end(canned: tuple[FakeApi, Session]) -> None:
    api, session = canned
    filling = "x" * (7_990 - len(WORD))
    wrapped = f"it was {WORD[:9]}\n        {WORD[9:]} that\nPicoError: refused {OTHER[:8]}\n{OTHER[8:]}"
    log = f"{filling} {WORD} {WORD}\n{wrapped}\nPicoError: no"
    crashed(log, api, engine="VLLM", args=ARGS, env=ENV)
    found = session.attach("m")
    shown = [found.logs(), found.report(), *(line for line in found.view.observation.logs[0].text.splitlines())]
    assert [text[-40:] for text in shown if WORD[:9] in text or WORD[9:] in text or OTHER[8:] in text] == []


@pytest.mark.finding("H8")
@pytest.mark.parametrize("unseen", ["\x1b[1;36m", "\x1b]0;t\x07", "\x00", "\u200b"], ids=ascii)
def test_hides_a_secret_that_is_coloured_or_broken_inside(unseen: str, canned: tuple[FakeApi, Session]) -> None:
    api, session = canned
    parts = [f"{value[:6]}{unseen}{value[6:]}" for value in (WORD, OTHER, SHAPED)]
    crashed(
        f"starting\nthe key {parts[0]} was tried\nPicoError: refused {' and '.join(parts)}", api, args=ARGS, env=ENV
    )
    found = session.attach("m")
    shown = {**faces_of(found), "followed": "\n".join(islice(found.follow_logs(tail_lines=20), 2))}
    halves = [half for value in (WORD, OTHER, SHAPED) for half in (value[:6], value[6:])]
    assert {name: text for name, text in shown.items() if any(half in text for half in halves)} == {}
    assert "\x1b" not in shown["logs"] + shown["followed"]


@pytest.mark.finding("M3")
def test_hides_every_known_shape_of_a_secret_in_a_log(canned: tuple[FakeApi, Session]) -> None:
    api, session = canned
    texts = [secrets.filled(text) for text in secrets.data()["hidden"]]
    crashed("\n".join(["starting", *(text for text, _ in texts), "PicoError: no"]), api, engine="VLLM")
    shown = session.attach("m").logs()
    missed = [text for text, values in texts if any(value in shown for value in values if value != "swordfish")]
    assert missed == []
    assert [line for line in shown.splitlines() if "swordfish" in line] == []


@pytest.mark.finding("M3")
def test_leaves_every_line_without_a_secret_as_it_is(canned: tuple[FakeApi, Session]) -> None:
    api, session = canned
    log = "\n".join(["starting", *secrets.data()["shown"], "PicoError: no"])
    crashed(log, api, engine="VLLM")
    assert str(session.attach("m").logs()) == log


@pytest.mark.finding("M3")
def test_takes_a_counting_argument_for_no_secret(session: Session) -> None:
    args = ["--max-num-batched-token=16384"]
    receipt = session.plan(name="hush", engine="VLLM", url="hf://org/model", args=args)
    assert "stored in plain text" not in repr(receipt)
    assert "--max-num-batched-token=16384" in repr(receipt.spec)
