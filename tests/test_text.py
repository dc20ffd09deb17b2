from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nbconvert.filters.markdown_mistune import InvalidNotebook, markdown2html_mistune

from kubeai_notebook.text import LONGEST, markdown, one_line, plain
from kubeai_notebook.text.formulas import typeset
from tests.support.hostile import Hostile, acting, hostile, live

COMMONMARK = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# What the constructs of Markdown, HTML and TeX are made of, for texts that nobody wrote.
PIECES = [
    "`", "``", "```", "~~~", "$", "$$", "\\(", "\\)", "\\[", "\\]", "\\\\(", "\\\\[", "\\", "|", "\n", "\n\n", "\t",
    "<img src=x onerror=1>", "<script>1</script>", "</code>", "[x](javascript:1)", "![x](http://h/i)", "[", "](", ")",
    "](http://h/", '"onx="1', "*", "_", "~~", "~", "- ", "> ", "    ", "1. ", "# ", "a", "b c", "&lt;", "&#96;",
    "&#36;", "@@0@@", "@", "http://h/", "www.a.b/", "\\begin{align}", "\\end{align}", "{", "}", "\\{", "\\}", "<", ">",
    "| a | b |\n|---|---|\n", "\u00a0\n", "!", "x`<b>`", "`$a`", "\\href{javascript:1}{x}", "---\n", "```python\n",
    "\n```\n", ":::", "[x]: javascript:1\n", "\\$", "\\`", "\\<", "`<i>`", " ", "<!--", "-->", "{=html}", "\ufeff",
]  # fmt: skip
SMALL = [one for one in hostile() if one.where != "size"]


def drawn(text: str) -> list[str]:
    """What two programs that draw Markdown make of it beyond words; both leave HTML as it is."""
    return live(markdown2html_mistune(text)) + live(COMMONMARK.render(text))


def of(hostile: Hostile) -> str:
    return hostile.id


@pytest.mark.parametrize("one", SMALL, ids=of)
def test_draws_only_words_of_a_hostile_answer(one: Hostile) -> None:
    assert drawn(markdown(one.text)) == []


@pytest.mark.parametrize("one", hostile(), ids=of)
def test_shows_no_character_that_acts(one: Hostile) -> None:
    for shown in (plain(one.text), one_line(one.text), markdown(one.text)):
        assert acting(shown) == []


def test_would_draw_more_than_words_without_the_guard() -> None:
    tricks = [one for one in SMALL if one.acts != "show" and one.where not in ("attribute", "math", "encoding")]
    alive = 0
    for one in tricks:
        try:
            alive += bool(drawn(one.text))
        except InvalidNotebook:  # a picture that is attached to nothing
            alive += 1
    assert alive / len(tricks) > 0.7


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_draws_only_words_of_any_answer(text: str) -> None:
    shown = markdown(text)
    assert drawn(shown) == []
    assert acting(shown) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=15).map("".join))
def test_leaves_nothing_in_a_formula_that_markdown_knows(text: str) -> None:
    formula = typeset(text) or ""
    for sign in ("<", "`", "](", "![", "@@", "://"):
        assert sign not in formula


@given(st.text())
def test_makes_plain_what_is_plain_already_no_different(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert acting(once) == []
    assert "\n" not in one_line(text)
    once.encode()


@given(st.text(), st.integers(1, 20))
def test_keeps_to_a_limit(text: str, limit: int) -> None:
    assert len(plain(text, limit)) <= limit
    assert len(one_line(text, limit)) <= limit


@pytest.mark.parametrize("one", [one for one in hostile() if one.where == "size"], ids=of)
def test_needs_little_time_for_any_size(one: Hostile) -> None:
    began = time.process_time()
    shown = markdown(one.text)
    assert time.process_time() - began < 5
    assert len(shown) < 7 * LONGEST


def test_cuts_an_answer_of_megabytes_and_says_so() -> None:
    shown = markdown("<b>words</b> " * 1_000_000)
    assert shown.startswith("This answer has 13,000,000 characters. The first 100,000 follow as plain text.\n\n```\n")
    assert len(shown) < LONGEST + 200


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# Title\n\nSome **bold** and _italic_ text.", "# Title\n\nSome **bold** and _italic_ text."),
        ("if a < b & c", "if a &lt; b &amp; c"),
        ("`a < b` and ``x``", "`a < b` and `x`"),
        ("`$HOME` and `a | b`", "`$HOME` and `a | b`"),
        ("`Vec<my_type>` and `__init__`", "`Vec<my_type>` and `__init__`"),
        ("- [x] done\n- [ ] open", "- [x] done\n- [ ] open"),
        ("```python\na < b\n```", "```python\na < b\n```"),
        ("text\n```\nx", "text\n\n```\nx\n```"),
        ("1. x\n   ```sh\n   ls\n   ```\n2. y", "1. x\n\n```sh\nls\n```\n\n2. y"),
        ("~~~\n```\n~~~", "````\n```\n````"),
        ("```mermaid\nx\n```", "```\nx\n```"),
        ("[docs](https://a.b/c?d=1&e=2)", "[docs](https://a.b/c?d=1&amp;e=2)"),
        ("[`f()`](https://a.b)", "[f()](https://a.b)"),
        ("<https://a.b>", "[https&#58;//a.b](https://a.b)"),
        ("see https://a.b/c_(d).", "see [https&#58;//a.b/c_(d)](https://a.b/c_%28d%29)."),
        ("mail <mailto:a@b.c>", "mail [a@b.c](mailto:a@b.c)"),
        ("![cat](https://a.b/cat.png)", "[cat](https://a.b/cat.png)"),
        ("[go](javascript:1)", "&#91;go&#93;(javascript:1)"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("$a<b$ and \\(x^2\\)", "$a\\lt b$ and $x^2$"),
        ("\\[\n\\frac{1}{2}\n\\]", "$$\n\\frac{1}{2}\n$$"),
        ("\\begin{align} a &= b \\\\[2pt] c \\end{align}", "$$\\begin{align} a &= b \\\\  c \\end{align}$$"),
        ("$\\href{javascript:1}{x}$", "$ \\text{href} {javascript:1}{x}$"),
        ("It costs $5.", "It costs \\$5."),
        ("It costs $5 or $6.", "It costs \\\\$5 or \\\\$6."),
        ("5 \\* 3 &lt; 16&nbsp;m", "5 &#42; 3 &lt; 16\u00a0m"),
        ("    code <b>", "```\ncode <b>\n```"),
        ("a\n\n---\n\nb", "a\n\n***\n\nb"),
    ],
)  # fmt: skip
def test_keeps_what_an_ordinary_answer_has(text: str, shown: str) -> None:
    assert markdown(text) == shown


def test_shows_every_beginning_of_an_answer_as_it_is_written() -> None:
    answer = "# A\n\n```python\nx = '<b>'\n```\n\n| a |\n|---|\n| `<i>` |\n\n$x<y$ [z](https://a.b) <script>1</script>"
    for end in range(len(answer)):
        assert drawn(markdown(answer[:end])) == []


@pytest.mark.parametrize(
    "unit", ["[a](" + " " * 19_000, "[a](" * 4_000, "![" * 9_000, "[a](x " + "'" * 15_000, "$a" * 9_000]
)
def test_reads_hostile_repetition_in_linear_time(unit: str) -> None:
    begun = time.process_time()
    markdown(f"{unit}\n\n" * (90_000 // len(unit)))
    assert time.process_time() - begun < 5  # a quadratic way takes a minute


def test_shows_very_many_paragraphs_as_plain_text() -> None:
    shown = markdown("- a\n\n" * 16_000)
    assert shown.startswith("This answer has very many paragraphs.")
    assert "\n\n```\n- a\n" in shown


def test_shows_very_many_dollars_as_code() -> None:
    assert markdown("$ " * 900).startswith("```")
