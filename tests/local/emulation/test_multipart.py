"""How a multipart form is read: the part ``model`` comes out, the rest stays as it is."""

from __future__ import annotations

import pytest

from kubeai_notebook.local.emulation.multipart import MAX_HEADER_BYTES, MAX_PARTS, FormError, read_form

HEAD = b'--b\r\nContent-Disposition: form-data; name="'
FILE = HEAD + b'file"; filename="a.wav"\r\n\r\nRIFF\r\n'
KIND = "multipart/form-data; boundary=b"


def form_of(body, kind=KIND):
    return read_form(lambda start, end: body[start:end], len(body), content_type=kind)


def left(body, form):
    return b"".join(body[start:end] for start, end in form.kept)


@pytest.mark.parametrize("kind", [KIND, 'multipart/form-data; Boundary="b"', "multipart/form-data;x=y; boundary=b"])
def test_takes_the_model_out(kind):
    body = HEAD + b'model"\r\n\r\nwhisper_x\r\n' + FILE + b"--b--\r\n"
    form = form_of(body, kind)
    assert form.model == "whisper_x"
    assert left(body, form) == FILE + b"--b--\r\n"
    assert form.size == len(left(body, form))


@pytest.mark.parametrize(
    "header",
    [
        b"content-disposition:form-data;name=model",
        b'X-A: b\r\nContent-Disposition: form-data; filename="x;y"; name="model"',
    ],
)
def test_reads_headers_in_any_spelling(header):
    assert form_of(b"--b\r\n" + header + b"\r\n\r\nm\r\n--b--").model == "m"


@pytest.mark.parametrize(
    "header",
    [
        b'Content-Disposition: attachment; name="model"',
        b'Content-Disposition: form-data; filename="; name=model"',
        b'X-Other: form-data; name="model"',
        b'Content-Disposition: form-data; name="models"',
    ],
)
def test_takes_no_other_part_for_the_model(header):
    body = b"--b\r\n" + header + b"\r\n\r\nm\r\n--b--"
    form = form_of(body)
    assert (form.model, left(body, form)) == ("", body)


def test_finds_boundaries_at_the_beginning_of_lines_only_and_across_windows():
    noise = b"x--b" * 400_000
    body = FILE.replace(b"RIFF", noise) + HEAD + b'model"\r\n\r\nm\r\n--b--\r\nrest'
    form = form_of(body)
    assert form.model == "m"
    assert left(body, form) == FILE.replace(b"RIFF", noise) + b"--b--\r\nrest"


@pytest.mark.parametrize("size", range((1 << 20) - 8, (1 << 20) + 4))
def test_finds_a_boundary_wherever_a_window_ends(size):
    body = b"--b\r\n\r\n" + b"x" * size + b"\r\n" + HEAD + b'model"\r\n\r\nm\r\n--b--'
    assert form_of(body).model == "m"


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"x", "multipart/form-data", "no boundary specified"),
        (b"x", KIND, "NextPart: EOF"),
        (FILE, KIND, "NextPart: EOF"),
        (b"--b\r\n" * (MAX_PARTS + 1) + b"--b--", KIND, "more than"),
        (b"--b\r\n" + b"form-data;" * MAX_HEADER_BYTES, KIND, "header is over"),
    ],
)
def test_refuses_what_is_no_form(body, kind, reason):
    with pytest.raises(FormError, match=reason):
        form_of(body, kind)
