"""What is a secret and what only looks like one; the data is tests/golden/secrets.yaml."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import sys
import time
from urllib.parse import quote, quote_plus

import pytest

from kubeai_notebook.core.foreign import words_of
from kubeai_notebook.core.masking import (
    is_secret_name,
    masked,
    masked_args,
    masked_env,
    masked_lines,
    masked_spec,
    masked_texts,
    quoted,
    secret_values,
)
from kubeai_notebook.core.masking.model import _in_file
from kubeai_notebook.core.masking.spellings import spellings_of
from kubeai_notebook.core.spec import spec_of
from kubeai_notebook.text import plain
from tests.support import secrets

DATA = secrets.data()


@pytest.mark.parametrize("name", DATA["secret_names"])
def test_knows_a_secret_by_its_name(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", DATA["harmless_names"])
def test_takes_no_other_name_for_a_secrets(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize("text", DATA["hidden"])
def test_hides_the_value_and_nothing_beside_it(text):
    filled, _ = secrets.filled(text)
    known = secrets.values()
    expected = re.sub(r"\{([a-z0-9_]+)\}", lambda place: "***" if place[1] in known else place[0], text)
    assert masked(filled) == expected
    assert masked(expected) == expected


@pytest.mark.parametrize("text", DATA["shown"])
def test_leaves_a_line_without_a_secret_alone(text):
    assert masked(text) == text


@pytest.mark.parametrize("text", DATA["hidden"])
def test_hides_it_also_where_the_lines_come_one_by_one(text):
    filled, values = secrets.filled(text)
    shown = "\n".join(masked_lines(filled.split("\n")))
    assert [value for value in values if value in shown] == []


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (["--api-key=swordfish", "--port=1"], ("--api-key=***", "--port=1")),
        (["--api-key", "swordfish", "--port", "1"], ("--api-key", "***", "--port", "1")),
        (["--api-key", "one-key", "two-key", "--port"], ("--api-key", "***", "***", "--port")),
        (["--api-key swordfish"], ("--api-key ***",)),
        (["--api-key='sword fish'"], ("--api-key='***'",)),
        (["--api-key", "-swordfish"], ("--api-key", "***")),
        (["--token", "--port", "1"], ("--token", "--port", "1")),
        (["--api-key=$(API_KEY)", "--token", "$(HF_TOKEN)"], ("--api-key=$(API_KEY)", "--token", "$(HF_TOKEN)")),
        (["--header", "Authorization: Bearer swordfish"], ("--header", "Authorization: Bearer ***")),
        (["--override", '{"api_key": "swordfish", "n": 1}'], ("--override", '{"api_key": "***", "n": 1}')),
        (["-e", "HF_TOKEN=swordfish"], ("-e", "HF_TOKEN=***")),
        (["-u", "me:swordfish", "--user", "1000:1000"], ("-u", "***", "--user", "1000:1000")),
        (["--api-key", "swordfish", "--again=swordfish"], ("--api-key", "***", "--again=***")),
        (["--max-num-batched-token", "4096"], ("--max-num-batched-token", "4096")),
        (["--api-key-file", "/run/secrets/key"], ("--api-key-file", "/run/secrets/key")),
        (["--api-key", "abc"], ("--api-key", "***")),
        (["--api-key"], ("--api-key",)),
        ([], ()),
    ],
)
def test_walks_the_arguments(args, shown):
    assert masked_args(args) == shown


def test_hides_a_secrets_shape_under_an_innocent_name():
    token = secrets.values()["hf"]
    env = {"LEVEL": token, "PROXY": "http://me:swordfish@proxy:1", "MODE": "fast", "MAX_TOKENS": "12345678"}
    shown = masked_env(env)
    assert shown == {"LEVEL": "***", "PROXY": "http://me:***@proxy:1", "MODE": "fast", "MAX_TOKENS": "12345678"}


def test_gives_the_values_to_look_for():
    spec = {
        "url": "hf://org/model?token=url-secret-1",
        "args": ["--api-key", "swordfish", "--token=$(HF_TOKEN)", '--json={"password": "in-json"}', "--pwd", "abc"],
        "env": {"DB_PASS": "pelican", "PROXY": "http://me:walrus@proxy:1", "API_KEY": "none", "MODE": "fast"},
        "files": [
            {"path": "/root/.netrc", "content": "machine hub login me password netrc-word"},
            {"path": "/run/secrets/hf-token", "content": "file-secret-word\n"},
            {"path": "/template.jinja", "content": "{{ bos_token }} swordfish"},
        ],
    }
    expected = {"url-secret-1", "swordfish", "in-json", "pelican", "walrus", "netrc-word", "file-secret-word"}
    assert set(secret_values(spec)) == expected
    assert not [value for value in expected if value in str(masked_spec(spec))]


def test_hides_a_value_wherever_else_a_model_says_it():
    word = "swordfish99"
    spec = {
        "env": {"LOGIN_PASSWORD": word},
        "url": f"hf://org/{word}",
        "image": f"registry/{word}:1",
        "args": [f"--served-model-name={word}"],
        "adapters": [{"name": "loud", "url": f"hf://org/{word}"}, word],
        "files": [{"path": f"/data/{word}", "content": word}],
        "envFrom": [{"secretRef": {"name": word}}],
        "replicas": 2,
    }
    shown = masked_spec(spec)
    assert word not in str(shown)
    assert (shown["adapters"][0]["name"], shown["replicas"]) == ("loud", 2)
    assert shown["files"][0]["content"] == f"({len(word)} characters)"


def test_hides_in_a_model_spec_the_value_of_a_variable_wherever_else_it_stands():
    word = "swordfish99"
    fields = {"adapters": {"loud": f"hf://org/{word}"}, "image": f"registry/{word}:1", "env": {"DB_PASSWORD": word}}
    spec = spec_of({"url": f"hf://{word}/repo", "resource_profile": "cpu:1", **fields})
    assert word not in repr(spec)
    assert "hf://***/repo" in repr(spec)


def test_reads_no_secrets_from_a_broken_spec():
    assert secret_values({"args": "x", "env": [1], "files": [None, {"path": 1}], "adapters": 3, "url": None}) == ()
    assert masked_spec({"files": [None], "adapters": [1], "env": {"A_TOKEN": 12345}})["env"] == {"A_TOKEN": "***"}


def test_searches_a_short_value_as_a_word_of_its_own():
    assert masked("the latest test", ["test"]) == "the latest ***"
    assert masked("abc", ["abc"]) == "abc"


def test_finds_a_value_however_it_is_written():
    value = 'a"b/c d\u00e9f'
    text = 'a"b/c d\u00e9f a%22b%2Fc%20d%C3%A9f a\\"b/c d\\u00e9f'
    assert masked(text, [value]) == "*** *** ***"


def of_go(text):
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def lower_percent(text):
    return re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), text)


WRITTEN = {
    "Go's JSON": lambda value: of_go(json.dumps(value, ensure_ascii=False)),
    "JSON of PHP": lambda value: json.dumps(value).replace("/", r"\/"),
    "JSON in JSON": lambda value: json.dumps(json.dumps(value)),
    "Go's JSON in JSON": lambda value: json.dumps(of_go(json.dumps(value))),
    "HTML": html.escape,
    "HTML of Go": lambda value: html.escape(value).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    "percent": lambda value: quote(value, safe=""),
    "lower percent": lambda value: lower_percent(quote(value, safe="")),
    "plus": lambda value: f"q={quote_plus(value)}&",
    "lower plus": lambda value: f"q={lower_percent(quote_plus(value))}&",
    "shell": shlex.quote,
    "other shell": lambda value: "'" + value.replace("'", r"'\''") + "'",
    "YAML": lambda value: "'" + value.replace("'", "''") + "'",
    "bytes": lambda value: repr(value.encode()),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
}
VALUES = ("pa&ss<wo/rd>+12", "horse battery staple 7", "Grüße-lagoon/17", 'it\'s a "lagoon" 17', "back\\slash-lagoon")


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("value", VALUES)
def test_hides_a_value_in_each_programs_spelling(value, how):
    written = WRITTEN[how](value)
    (shown,) = masked_lines([f"INFO value {written} end"], [value])
    assert shown.startswith("INFO value ")
    assert shown.endswith(" end")
    assert re.sub(r"[^a-z0-9]", "", shown) in ("valueend", "valueqend", "valuebend")


@pytest.mark.parametrize("user", ["", "u:", "me:", "you:", "user:"])
@pytest.mark.parametrize("rest", ["", "\n", ":x", ":xy"])
@pytest.mark.parametrize("encoded", [base64.b64encode, base64.urlsafe_b64encode])
def test_hides_a_value_inside_of_base64(user, rest, encoded):
    for value in (*VALUES, "swordfish"):
        written = encoded(f"{user}{value}{rest}".encode()).decode()
        (shown,) = masked_lines([f"INFO {written} end"], [value])
        # What two values share in one character may stand beside it.
        kept = shown.removeprefix("INFO ").removesuffix(" end").replace("***", "", 1)
        assert len(kept) <= len(base64.b64encode(f"{user}{rest}".encode())) + 4
        assert "***" in shown


def test_hides_no_word_for_the_sake_of_a_short_value() -> None:
    words = "6162 6162636 YWI= YWJj a+b a%20b YWJjZA== 61626364 &amp; it''s"
    assert masked(words, ["ab", "a b", "it's", "abcd", "&"]) == words.replace("it''s", "***")


def test_looks_for_few_spellings_of_a_long_value() -> None:
    long = "&\u00e9" * 5_000
    assert sum(map(len, spellings_of(long))) < 30 * len(long)
    assert masked(f"is {long} {quote(long, safe='')} now", [long]) == "is *** *** now"


def test_takes_a_word_for_a_secret_by_its_annotation_only_where_it_looks_like_one() -> None:
    notes = {
        "team.test/db-password": "pelican-17",
        "ingress.test/auth-secret": "registry-login-2",
        "ingress.test/auth-secret-name": "registry-login-3",
        "team.test/api-token": "production",
        "team.test/config": '{"api_key": "walrus-9x"}',
        "kubectl.kubernetes.io/default-container": "server",
    }
    assert set(secret_values({"annotations": notes})) == {"pelican-17", "walrus-9x"}


def test_takes_the_password_alone_of_a_login_for_a_secret_too() -> None:
    assert set(secret_values({"args": ["-u", "me:swordfish", "--user", "1000:1000"]})) == {"me:swordfish", "swordfish"}


@pytest.mark.parametrize("size", range(1, 16))
def test_leaves_no_half_at_a_cut(size):
    secret = "swordfish-lagoon"
    text = "x" * (100 - size) + secret + "y" * 10_000
    assert secret[:1] not in masked(text, [secret], limit=100).replace("***", "")
    (line,) = masked_lines([text], [secret], limit=100)
    assert secret[:1] not in line.replace("***", "")


@pytest.mark.parametrize("place", range(4, 13))
def test_joins_a_value_that_two_lines_share(place):
    secret = "swordfish-lagoon"
    shown = list(masked_lines([f"\u2502 is {secret[:place]} \u2502", f"\u2502  {secret[place:]} now \u2502"], [secret]))
    assert shown == ["\u2502 is *** \u2502", "\u2502  *** now \u2502"]


def test_hides_a_private_key_line_by_line_and_goes_on_after_it():
    body = secrets.values()["pem"].strip().split("\n")
    lines = ["a", "-----BEGIN RSA PRIVATE KEY-----", *body, "-----END RSA PRIVATE KEY-----", "b"]
    shown = list(masked_lines(lines))
    assert shown == ["a", lines[1], *["***"] * len(body), lines[-2], "b"]


def test_shows_no_secret_in_a_specs_repr():
    files = [{"path": "/root/.netrc", "content": "machine a login b password netrc-word"}]
    fields = {"args": ["--api-key", "swordfish", "--again=swordfish"], "env": {"MODE": "swordfish"}, "files": files}
    shown = repr(spec_of({"name": "m", "url": "ollama://a:b", "engine": "OLlama", **fields}))
    assert "swordfish" not in shown
    assert "netrc-word" not in shown


def test_quotes_what_is_a_name_and_hides_what_is_a_key():
    assert quoted("kubeai-huggingface") == '"kubeai-huggingface"'
    assert quoted(secrets.values()["hf"]) == '"***"'
    assert quoted(secrets.values()["long"]) == '"***"'
    assert len(quoted("a-" * 100)) == 82


@pytest.mark.parametrize("cut", range(780, 800, 3))
def test_leaves_no_half_of_a_key_in_the_words_of_a_body(cut):
    value = secrets.values()["gitlab"]
    body = "x x password=" + "q" * 700
    assert value[:8] not in words_of(f"{body:{cut}}{value}".encode())


UNSEEN = (
    "\x1b[1;36m", "\x1b[0m", "\x9b1m", "\x1b]0;title\x07", "\x1bPdevice\x1b\\", "\x1bc", "\x00", "\x07", "\x08", "\x7f",
    "\x84", "\u200b", "\u200d", "\u200f", "\u202e", "\u2060", "\ufeff", "\u00ad", "\ufffd", "\ud800", "\U000e0041",
    "\\x1b[1m", "\\u001b[36m", "\\033[0m", "\\e[0m",
)  # fmt: skip


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
@pytest.mark.parametrize("secret", ["swordfish-of-mine-77", secrets.values()["hf"]])
def test_looks_through_what_is_not_seen_inside_a_secret(secret, unseen):
    for place in (1, 6, len(secret) - 1):
        text = f"it is {unseen}{secret[:place]}{unseen}{secret[place:]}{unseen} now"
        halves = [half for half in (secret[:place], secret[place:]) if len(half) > 1]
        faces = [
            plain(masked(text, [secret])),
            masked(plain(text), [secret]),
            *masked_lines([text], [secret]),
            plain(masked(text * 100, [secret], limit=500)),
        ]
        assert [face for face in faces if any(half in face for half in halves)] == []
        assert all(face.startswith("it is") for face in faces[:3])
        assert faces[1].endswith(" now")


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_finds_a_value_behind_a_coloured_name_and_behind_a_glued_word(unseen):
    value = secrets.values()["hf"]
    for text in (f"HF_TO{unseen}KEN{unseen}={unseen}{value}", f"Level{unseen}{value}{unseen}"):
        assert value not in plain(masked(text))
        assert [line for line in masked_lines([text]) if value in line] == []


def test_leaves_colours_around_harmless_words_alone():
    text = "\x1b[32mINFO\x1b[0m 12\x1b[1m34\x1b[0m tokens, \\x1b[1mC:\\users\\e[0]"
    assert masked(text) == text


def test_makes_a_log_plain_and_keeps_its_number_of_lines():
    lines = ["\x1b[32mINFO\x1b[0m ready\r", "10%\r20% sword\rfish-lagoon", "end\x07"]
    assert list(masked_lines(lines, ["swordfish-lagoon"])) == ["INFO ready", "10%\n20% ***\n***", "end\ufffd"]


def test_looks_for_the_secrets_of_a_large_file_once():
    content = "{{ bos_token }} {% for message in messages %}\n" * 20_000
    spec = {"files": [{"path": "/t.jinja", "content": content}], "args": ["--api-key", "swordfish"]}
    began = time.process_time()
    first = secret_values(spec)
    once = time.process_time() - began
    began = time.process_time()
    assert all(secret_values({**spec}) == first for _ in range(20))
    assert time.process_time() - began < 5 * once


def test_forgets_files_again():
    size = _in_file.cache_info().maxsize
    for number in range(2 * size):
        secret_values({"files": [{"path": "/a", "content": f"text {number}"}]})
    assert size <= 32
    assert _in_file.cache_info().currsize <= size


@pytest.mark.parametrize("size", range(9_970, 10_001, 5))
def test_leaves_no_half_of_a_key_at_the_end_of_a_long_quotation(size):
    value = secrets.values()["gitlab"]
    assert value[:10] not in quoted("a " * (size // 2) + value + " b" * 5_000, 20_000)


HOSTILE = (
    "token=", "token=a ", 'token="', 'token=\\"', "://", "http://a@", "eyJ", "hf_", "sk-",
    "-----BEGIN PRIVATE KEY-----",
    "authorization: a ", '"authorization": "a', "bearer ", "cookie: ", "%26token%3D", "token=['a',", "--api-key ",
    "machine a login b password ", "token: |\n  a\n", '{"api_key": "x"}, ', "token \t", "token=,,,", "key",
    ":secret", "token:", "dsn=", "cookie={", "authorization:", "--token,", "key:'",
    "\\", "<token=<", "\x1b]", "\x90", "\x9b0", "\x1b ", "to\x1b[0mken=", "\\x1b[",
)  # fmt: skip


@pytest.mark.parametrize("end", ["", " x"])
@pytest.mark.parametrize("unit", HOSTILE)
def test_takes_time_in_proportion_to_the_text(unit, end):
    def seconds(size: int) -> float:
        text = (unit * (size // len(unit) + 1))[:size] + end
        began = time.process_time()
        masked(text)
        return time.process_time() - began

    seconds(1_000)
    # Twenty times as long would be four hundred times as slow, were it quadratic; a bound that no load reaches.
    assert seconds(200_000) < max(20 * seconds(10_000) * 5, 2.0)


def test_hides_a_value_that_no_word_is_as_long_as() -> None:
    assert masked("secret: " + "a" * 501) == "secret: ***"
    assert masked("secret: " + "a" * 12) == "secret: " + "a" * 12


def many(count: int) -> dict:
    """A spec with as many keys, every second of them as long as another."""
    return {"args": [word for number in range(count) for word in ("--api-key", f"w{number:07d}{'é' * (number % 2)}")]}


def test_looks_for_many_secrets_in_steps_in_proportion_to_their_number() -> None:
    def calls(count: int) -> int:
        made = [0]

        def count_one(_frame, event, _argument) -> None:
            made[0] += event in ("call", "c_call")

        sys.setprofile(count_one)
        try:
            masked_spec(many(count))
        finally:
            sys.setprofile(None)
        return made[0]

    # Linear is 4 times as many, quadratic 16 times.
    assert calls(1200) < 6 * calls(300)


class Counted(str):
    """A text that counts how often it is looked at, to be found in a table or to be compared with a line's end."""

    __slots__ = ()
    hashed = compared = 0

    def __hash__(self) -> int:
        Counted.hashed += 1
        return super().__hash__()

    def rfind(self, *given) -> int:
        Counted.compared += 1
        return super().rfind(*given)


def test_reads_many_secrets_once_however_many_texts_they_are_looked_for_in() -> None:
    known = tuple(Counted(f"w{number:07d}") for number in range(100))
    before = Counted.hashed
    assert masked_texts([f"it is w{number:07d}" for number in range(100)], known) == ["it is ***"] * 100
    assert Counted.hashed - before < 10 * len(known)


def test_follows_so_many_secrets_from_line_to_line_and_no_more() -> None:
    known = tuple(Counted(f"w{number:07d}") for number in range(3_000))
    before = Counted.compared
    assert list(masked_lines(["it is w00", "00007 or", "w0002999"], known)) == ["it is w00", "*** or", "***"]
    assert 0 < Counted.compared - before < 2 * 3 * 1_000


def test_hides_each_of_many_secrets_in_each_spelling() -> None:
    values = secret_values(many(600))
    assert len(values) == 600
    text = " ".join(["made up", *values, "xw0000002x", *(quote(value) for value in values), "w000"])
    assert set(masked(text, values).split()) == {"made", "up", "***", "x***x", "w000"}
    short = tuple(f"k{number:03d}" for number in range(40))
    assert masked("k001 k0011 xk001 k039.", short) == "*** k0011 xk001 ***."


def test_finds_many_secrets_that_begin_alike_quickly() -> None:
    alike = tuple("a" * size for size in range(4, 604))
    lines = ("a" * 20_000, ("a" * 605 + "b") * 33)
    began = time.process_time()
    assert [masked(line, alike) for line in lines] == ["***", "***b" * 33]
    # It takes a tenth of a second; a step for each length at each place takes many.
    assert time.process_time() - began < 2


def test_finds_of_many_secrets_the_longest_at_each_place() -> None:
    alike = tuple("abcabcabcabcabc"[:size] for size in range(4, 16)) + tuple(f"abca{n}" for n in range(10))
    assert masked("abcabcabcabcabc, abcabcabcX abca-abca7 abca77 abcabcX abcab.", alike) == (
        "***, ***X ***-*** abca77 abcabcX ***."
    )
