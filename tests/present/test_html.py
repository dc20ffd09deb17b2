from kubeai_notebook.present.html import ShownAsHtml, element, joined, page, table
from kubeai_notebook.present.plain_frame import PlainFrame

SCRIPT = "<script>x</script>"


def test_escapes_every_text_that_goes_in() -> None:
    assert element("div", SCRIPT) == "<div>&lt;script&gt;x&lt;/script&gt;</div>"
    assert element("div", class_=f'"{SCRIPT}') == '<div class="&#34;&lt;script&gt;x&lt;/script&gt;"></div>'
    assert "<script" not in joined([SCRIPT, element("b", SCRIPT)]) + table([[SCRIPT]], head=[SCRIPT]) + page(SCRIPT)


def test_keeps_elements_in_elements() -> None:
    assert element("p", element("b", "a"), " & ", "b") == "<p><b>a</b> &amp; b</p>"
    assert table([["a", element("code", "b")]]).count("<code>b</code>") == 1


def test_has_a_head_only_where_one_is_given() -> None:
    assert "<thead>" not in table([["a"]])
    assert table([["a"]], head=["title"]).startswith("<table><thead><tr><th")


def test_draws_no_formulas_and_no_control_characters() -> None:
    class Shows(ShownAsHtml):
        def _html(self):
            return element("p", "$a$ \x1b[31mred")

    html = Shows()._repr_html_()
    assert html == '<div class="mathjax_ignore tex2jax_ignore"><p>$a$ red</p></div>'
    assert type(html) is str


def test_keeps_its_tags_whatever_a_text_before_them_begins() -> None:
    shown = page(table([["a\x1b", "b"], ["c\x1b]", "hidden"], ["d", "\x07z"]]), element("p", "x", title="y\x1b"))
    assert shown.count("</td>") == 6
    assert "hidden" in shown
    assert '<p title="y\N{REPLACEMENT CHARACTER}">x</p>' in shown
    frame = PlainFrame({"q\x1b[": ["a\x1b", "b"]})._repr_html_()
    assert frame is not None
    assert (frame.count("</td>"), frame.count("<tr"), frame.count("</th>")) == (2, 3, 4)
