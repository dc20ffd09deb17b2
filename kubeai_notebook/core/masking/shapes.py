r"""What looks like a secret by itself, whatever stands before it, as data.

Each row is a literal and what follows it. The literal is looked for first, with ``in``: a line of
a log that holds none of them costs some microseconds, and ``re`` finds a literal at the start of a
pattern many times faster than a look-behind. No pattern may walk the same text twice (bounded or
possessive quantifiers only), so that no line, however hostile, takes more than linear time.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_WORD = r"[A-Za-z0-9_-]"


class Shape(NamedTuple):
    """A kind of secret: ``hint`` in the text, in small letters, is what makes it worth a search."""

    hint: str
    pattern: re.Pattern[str]


def _starts(literal: str, rest: str) -> Shape:
    r"""``literal`` at the start of a word (or behind ``\n``, ``%20``, a colour), and ``rest`` behind it."""
    word = re.escape(literal)
    start = rf"(?:(?<!{_WORD}{word})|(?<=\\[nrt]{word})|(?<=%[0-9A-Fa-f][0-9A-Fa-f]{word})|(?<=[0-9]m{word}))"
    return Shape(literal.lower(), re.compile(rf"(?P<value>{word}{start}(?:{rest}))"))


_MIXED = r"(?=[a-z_-]{0,64}[A-Z0-9])"
_PREFIXES: dict[str, str] = {
    # Hugging Face; hf_config and hf_overrides are fields of vLLM.
    "hf_": r"(?:(?=[a-z]{0,64}[A-Z0-9])[A-Za-z0-9]{6,}|[a-z]{30,})",
    "api_org_": r"[A-Za-z0-9]{16,}",
    # OpenAI, Anthropic and all who copied them; Stripe.
    "sk-": rf"{_MIXED}[A-Za-z0-9_-]{{10,}}",
    "sk_live_": r"[A-Za-z0-9]{10,}", "sk_test_": r"[A-Za-z0-9]{10,}", "rk_live_": r"[A-Za-z0-9]{10,}",
    "whsec_": r"[A-Za-z0-9+/=]{16,}",
    "gsk_": r"[A-Za-z0-9]{20,}", "pplx-": r"[A-Za-z0-9]{20,}", "xai-": r"[A-Za-z0-9]{20,}",
    "nvapi-": r"[A-Za-z0-9_-]{10,}", "r8_": r"[A-Za-z0-9]{20,}", "tgp_v1_": r"[A-Za-z0-9_-]{20,}",
    "tvly-": r"[A-Za-z0-9-]{16,}", "pcsk_": r"[A-Za-z0-9_]{20,}", "jina_": r"[A-Za-z0-9]{24,}",
    "lsv2_": r"(?:pt|sk)_[A-Za-z0-9_]{16,}", "fw_": r"(?=[a-z]{0,64}[A-Z0-9])[A-Za-z0-9]{20,}",
    # Source hosts and registries.
    "ghp_": r"[A-Za-z0-9]{16,}", "gho_": r"[A-Za-z0-9]{16,}", "ghu_": r"[A-Za-z0-9]{16,}",
    "ghs_": r"[A-Za-z0-9]{16,}", "ghr_": r"[A-Za-z0-9]{16,}", "github_pat_": r"[A-Za-z0-9_]{16,}",
    "glpat-": r"[A-Za-z0-9_.-]{10,}", "gldt-": r"[A-Za-z0-9_.-]{16,}", "glrt-": r"[A-Za-z0-9_.-]{16,}",
    "glcbt-": r"[A-Za-z0-9_.-]{16,}", "glptt-": r"[A-Za-z0-9_.-]{16,}", "gloas-": r"[A-Za-z0-9_.-]{16,}",
    "npm_": r"(?=[a-z]{0,64}[A-Z0-9])[A-Za-z0-9]{16,}", "pypi-": r"[A-Za-z0-9_-]{30,}",
    "dckr_pat_": r"[A-Za-z0-9_-]{10,}", "dckr_oat_": r"[A-Za-z0-9_-]{10,}",
    # Talk.
    "xoxa-": r"[A-Za-z0-9-]{8,}", "xoxb-": r"[A-Za-z0-9-]{8,}", "xoxc-": r"[A-Za-z0-9-]{8,}",
    "xoxd-": r"[A-Za-z0-9%-]{8,}", "xoxe-": r"[A-Za-z0-9.-]{8,}", "xoxe.": r"[A-Za-z0-9.-]{8,}",
    "xoxo-": r"[A-Za-z0-9-]{8,}", "xoxp-": r"[A-Za-z0-9-]{8,}", "xoxr-": r"[A-Za-z0-9-]{8,}",
    "xoxs-": r"[A-Za-z0-9-]{8,}", "xapp-": r"[A-Za-z0-9-]{8,}",
    "hooks.slack.com/": r"(?:services|workflows|triggers)/[A-Za-z0-9/_-]{8,}",
    "discord.com/api/webhooks/": r"[0-9]{4,}/[A-Za-z0-9_-]{8,}",
    # Clouds.
    "AKIA": r"[A-Z0-9]{12,}", "ASIA": r"[A-Z0-9]{12,}", "ABIA": r"[A-Z0-9]{12,}", "ABSK": r"[A-Za-z0-9+/=]{40,}",
    "AIza": r"[A-Za-z0-9_-]{20,}", "ya29.": r"[A-Za-z0-9._-]{10,}", "GOCSPX-": r"[A-Za-z0-9_-]{16,}",
    "1//0": r"[A-Za-z0-9_-]{24,}",
    "dop_v1_": r"[a-f0-9]{16,}", "doo_v1_": r"[a-f0-9]{16,}", "dor_v1_": r"[a-f0-9]{16,}",
    "hvs.": r"[A-Za-z0-9_-]{16,}", "hvb.": r"[A-Za-z0-9_-]{16,}", "hvr.": r"[A-Za-z0-9_-]{16,}",
    "dapi": r"[a-f0-9]{32}(?:-[0-9])?", "sbp_": r"[a-f0-9]{30,}", "sb_secret_": r"[A-Za-z0-9_-]{16,}",
    "pscale_tkn_": r"[A-Za-z0-9_.-]{16,}", "pscale_pw_": r"[A-Za-z0-9_.-]{16,}", "tskey-": r"[A-Za-z0-9-]{12,}",
    "fm2_": r"[A-Za-z0-9+/=_-]{30,}", "fo1_": r"[A-Za-z0-9_-]{30,}", "rnd_": r"[A-Za-z0-9]{24,}",
    # Others.
    "SG.": r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", "key-": r"[a-f0-9]{32}", "SK": r"[a-f0-9]{32}",
    "glsa_": r"[A-Za-z0-9_]{20,}", "glc_": r"[A-Za-z0-9+/=]{30,}", "PMAK-": r"[a-f0-9-]{24,}",
    "NRAK-": r"[A-Z0-9]{20,}", "ATATT3": r"[A-Za-z0-9_=-]{20,}", "ATCTT3": r"[A-Za-z0-9_=-]{20,}",
    "shpat_": r"[a-fA-F0-9]{20,}", "shpss_": r"[a-fA-F0-9]{20,}", "lin_api_": r"[A-Za-z0-9]{20,}",
    "figd_": r"[A-Za-z0-9_-]{20,}", "sntrys_": r"[A-Za-z0-9_=+/-]{20,}", "sntryu_": r"[a-f0-9]{20,}",
    "sq0atp-": r"[A-Za-z0-9_-]{16,}", "sq0csp-": r"[A-Za-z0-9_-]{16,}", "ops_eyJ": r"[A-Za-z0-9_=-]{20,}",
    # A JWT, whole or cut, and what is JSON in base64: a docker login, a service account.
    "eyJ": r"[A-Za-z0-9_=+/-]{14,}+(?:\.[A-Za-z0-9_-]*+){0,4}",
    # A PEM block in base64, but for certificates and public keys.
    "LS0tLS1CRUdJTi": r"(?!BDRVJU|BQVUJMSU)[A-Za-z0-9+/=]{8,}",
    "AGE-SECRET-KEY-1": r"[A-Z0-9]{16,}",
}  # fmt: skip

_PEM = (
    r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    r"(?P<value>(?:[^-]++|-(?!----END [A-Z0-9 ]{0,60}PRIVATE KEY))*+)"
)
_BODY_OF_PEM = r"(?P<value>(?:^[A-Za-z0-9+/=]{16,80}\r?\n)+)(?=-----END [A-Z0-9 ]{0,60}PRIVATE KEY)"

_FREE: tuple[tuple[str, str], ...] = (
    ("private key", _PEM),
    ("private key", f"(?m){_BODY_OF_PEM}"),
    # "Bearer" before what is no word of a sentence.
    ("bearer", r"[Bb](?i:earer)(?:\s|%20|\+){1,3}+(?P<value>(?=[a-z._~+/-]{0,200}+[A-Z0-9])[A-Za-z0-9._~+/=-]{8,})"),
    # Telegram, Azure, Terraform, Discord: no literal at their start.
    (":aa", r"(?<![0-9A-Za-z])(?P<value>[0-9]{8,10}:AA[A-Za-z0-9_-]{30,})"),
    ("8q~", r"(?P<value>[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{24,})"),
    (".atlasv1.", r"(?P<value>\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9=_-]{20,})"),
    # netrc, and a login for curl; --user 1000:1000 is a container's.
    ("machine", r"(?i:\bmachine\s{1,9}\S{1,255}\s{1,9}login\s{1,9}\S{1,255}\s{1,9}password\s{1,9})(?P<value>\S+)"),
    (
        "-u",
        r"(?<![^\s\"'])-{1,2}(?:u|user|proxy-user)[ \t=]{1,4}[\"']?[^\s:\"'=]{1,64}:"
        r"(?P<value>(?=\d{0,200}[^\s\"'\d])[^\s\"']{3,})",
    ),
    # A sentence about a key: "Incorrect API key provided: abc".
    ("secretstr(", r"SecretStr\((?P<q>[\"'])(?P<value>(?!\*)[^\"']+)"),
    (
        "key",
        r"(?i:\b(?:api|access|secret|license) key(?: provided| is)?\s{0,3}[:=]\s{0,3}[\"']?)"
        r"(?P<value>[^\s\"',;]{5,}[^\s\"',;.])",
    ),
    (
        "token",
        r"(?i:\b(?:access|auth|bearer|refresh|hub) token\s{0,3}[:=]\s{0,3}[\"']?)"
        r"(?P<value>(?=[^\s\d]{0,200}\d)[^\s\"',;]{8,})",
    ),
)  # fmt: skip

SHAPES: tuple[Shape, ...] = (
    *(_starts(literal, rest) for literal, rest in _PREFIXES.items()),
    *(Shape(hint, re.compile(pattern)) for hint, pattern in _FREE),
)
"""Each pattern has the secret in its group ``value``."""
