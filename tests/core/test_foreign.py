import pytest

from kubeai_notebook.core.foreign import described, is_page, origin_of, page_of, shown, words_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://me:secret@sso.example:8443/login?token=secret#x", "https://sso.example:8443"),
        ("//other.example/x", "http://other.example"),
        ("http://[::1]:80/x", "http://[::1]:80"),
        ("/login?token=secret", "another path of its own"),
        ("http://[bad", "an address that cannot be read"),
        ("http://host:99999/", "an address that cannot be read"),
        (None, "another path of its own"),
    ],
)
def test_tells_an_address_without_what_may_be_secret(url: str | None, origin: str) -> None:
    assert origin_of(url) == origin


def test_names_a_page_by_its_title() -> None:
    assert page_of(b"<!doctype html><TITLE class=x>\n Log\x1b[31m in &lt;\n</TITLE>") == 'the web page "Log in <"'
    assert page_of(b"<html><body>") == "a web page"
    assert len(page_of(b"<html><title>" + b"x" * 900 + b"</title>")) < 100


@pytest.mark.parametrize(
    "data", [b"<html>", b" \n<!DOCTYPE HTML>", b"\xef\xbb\xbf<html>", b'<?xml version="1.0"?><html>']
)
def test_knows_a_page(data: bytes) -> None:
    assert is_page(data)
    assert not is_page(b'{"html": "<html>"}')


def test_shows_short_words_and_no_structure() -> None:
    assert words_of(b"upstream  connect\nerror") == "upstream connect error"
    assert words_of(b'{"a": 1}') == words_of(b"\x00\x01") == words_of(b"") == ""
    assert len(words_of(b"x" * 10_000)) <= 200
    assert len(shown("x" * 10_000)) <= 2_000


def test_shows_no_half_of_a_secret_where_a_body_is_cut() -> None:
    token = b"glpat-ABCDEFGHIJ1234567890"
    for blanks in range(700, 810):
        assert "glpat" not in words_of(b"no entry" + b" " * blanks + token)


def test_says_what_a_body_without_json_is() -> None:
    assert described(b" \n") == "nothing"
    assert described(b"<html><title>Log in</title>") == 'the web page "Log in"'
    assert described(b"oops") == "no JSON"
