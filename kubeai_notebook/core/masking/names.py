"""Which names stand before a secret, as data.

A name is split into words (``HF_TOKEN``, ``apiKey`` and ``--api-key`` alike), and its last words
decide. One list says what is secret; the other what only looks like it, because in the world of
language models a "token" is mostly a piece of text and a "key" mostly a tensor. A third answer,
`WEAK`, is for names such as ``cookie`` or ``some_key``: behind them a value is hidden where the
name is a field of its own (a variable, an argument), but in running text only if it looks random.
"""

from __future__ import annotations

import re
from functools import lru_cache

NONE, WEAK, STRONG = 0, 1, 2

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
LONGEST_NAME = 128


def words_of(text: str) -> frozenset[str]:
    """The words of a table that is written as text."""
    return frozenset(text.split())


# A name that ends in one of these; several words are written with a blank.
_STRONG = words_of(
    """
    token password passwd passphrase passcode pwd pw pass pswd secret credential credentials cred creds
    apikey secretkey accesskey privatekey authkey bearer jwt authorization mnemonic
    webhook webhook-url hook-url slack-url connection-string conn-str connectionstring
    access-key-id secret-access-key secret-key-base amz-signature goog-signature amz-credential goog-credential
    shared-access-signature dockerconfigjson dockercfg awsaccesskeyid
    """
)
_WEAK = words_of(
    """
    key pat sas dsn auth authn cookie cookies salt otp totp mfa csrf xsrf sessionid sessid jsessionid phpsessid
    kubeconfig netrc macaroon credstore
    """
)
# Words that end in these are secret too: PGPASSWORD, csrftoken.
_GLUED = (
    "password", "passwd", "passphrase", "apikey", "secretkey", "accesskey", "privatekey", "accountkey", "authkey",
    "sshkey", "gpgkey", "hmackey", "token", "credentials", "secret", "pwd", "keypass", "sshpass", "pgpass", "dbpass",
    "userpass", "adminpass", "rootpass", "smtppass", "mailpass", "ftppass", "storepass",
)  # fmt: skip
# Before "key" or "keys": surely a secret.
_KEY_OF = words_of(
    """
    api access secret private license licence auth encryption encrypt decryption signing sign account storage master
    admin service client deploy ssh gpg pgp hmac aes rsa shared subscription session cookie server webhook jwt fernet
    application app ingest functions host vault unseal recovery write
    """
)
# Before "key": a name in a map, a tensor, a button. Never a secret.
_KEY_IS_NONE = words_of(
    """
    primary foreign sort partition public cache kv group hash map dict index lookup object label annotation tag node
    topology routing route row column field json yaml config hot arrow enter return escape any first last next
    previous prefix suffix missing unknown invalid wrong unexpected extra dedup idempotency layer weight state param
    parameter tensor query q k v num head attention attn past score rope scale norm proj mm metadata meta text image
    audio video input output data hidden feature features target source src dst with no by of for in the a an
    duplicate required optional model adapter lora module quant dataset record order distinct unique composite
    natural surrogate shard bucket pair short cut
    """
)
# Before "tokens" it is a secret: elsewhere the plural counts.
_TOKENS_OF = words_of("api auth access secret bearer refresh hf user admin session github gitlab valid")
# Before "token": a piece of text, or a tokenizer's.
_TOKEN_IS_NONE = words_of(
    """
    pad eos bos unk cls sep mask image video audio speech stop special end start begin begins ends eot eog eom lf nl
    fim pre suf mid rep dec enc decoder encoder sot eop prefix suffix middle think thinking reasoning tool placeholder
    first last next prev previous new current one single each every inter per output input prompt completion
    generated generation cached draft speculative spec context time to batched max min num n total count sampled
    accepted rejected unknown additional added added forced suppress vision patch row col newline blank punct word sub
    byte text no any some more many extra long logit logits by of slot chunk
    """
)
_COUNTS = words_of("max min num number n total count batched per avg mean median sum limit budget len length")
# A switch such as --allow-credentials holds no secret.
_SWITCHES = words_of("allow enable disable no is has require requires skip show verify validate ignore needs without")
# What may follow the word that decides.
_TAILS = words_of(
    """
    json b64 base64 value raw data pem old new prod dev test staging plain plaintext plaintxt ro rw base text str
    string content encoded default primary secondary main live readonly
    """
)
# Whole names that the rules above would take for secrets.
_HARMLESS = words_of(
    """
    google-application-credentials pin pin-memory key keys image-pull-secret token-text token-str token-string
    token-type auth-type tokens per-token hf-transfer pass-through
    """
)


def strength(name: str) -> int:
    """How surely a secret stands behind this name: `NONE`, `WEAK` or `STRONG`."""
    return _strength(name[-LONGEST_NAME:])


@lru_cache(maxsize=4096)
def _strength(name: str) -> int:
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or "-".join(words) in _HARMLESS or words[0] in _SWITCHES:
        return NONE
    while len(words) > 1 and "-".join(words[-2:]) not in _STRONG and (words[-1] in _TAILS or words[-1].isdigit()):
        words.pop()
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in ("token", "tokens"):
        return _of_token(words, plural=last == "tokens")
    if last in ("key", "keys"):
        return _of_key(before, plural=last == "keys")
    if last in _STRONG or "-".join(words[-2:]) in _STRONG or "-".join(words[-3:]) in _STRONG:
        return STRONG
    if last in _WEAK:
        return WEAK
    return STRONG if last.endswith(_GLUED) and not _is_piece(last) else NONE


def _of_token(words: list[str], *, plural: bool) -> int:
    before = words[-2] if len(words) > 1 else ""
    if plural:
        return STRONG if before in _TOKENS_OF and not _COUNTS & set(words) else NONE
    return NONE if before in _TOKEN_IS_NONE or _COUNTS & set(words) else STRONG


def _of_key(before: str, *, plural: bool) -> int:
    if before in _KEY_OF:
        return STRONG
    return NONE if plural or not before or before in _KEY_IS_NONE else WEAK


def _is_piece(word: str) -> bool:
    """Whether a glued word is a tokenizer's: ``padtoken``, ``subtoken``."""
    return word.endswith("token") and word.removesuffix("token") in _TOKEN_IS_NONE


def is_secret_name(name: str) -> bool:
    """Whether a variable, argument or header of this name holds a secret.

    >>> is_secret_name("HF_TOKEN"), is_secret_name("pad_token"), is_secret_name("--max-num-batched-token")
    (True, False, False)
    """
    return strength(name) != NONE
