"""Signatures of webhook calls by published conventions: Standard Webhooks (and Svix), GitHub, Stripe, plain HMAC."""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.integrations.adapters import wire
from app.integrations.adapters.base import NotAuthentic, RawRequest

TOLERANCE = timedelta(minutes=5)
FAMILIES = ("webhook", "svix")
SHARED, PUBLIC, PRIVATE = "whsec_", "whpk_", "whsk_"

_SECONDS = re.compile(r"[0-9]{1,12}")
_ENTRIES = 50  # of a list of signatures


def message_id(headers: Mapping[str, str]) -> str | None:
    """The id of a message by Standard Webhooks or Svix: the same for each of its repetitions."""
    return headers.get(f"{_family(headers)}-id")


def standard_webhooks(request: RawRequest, secrets: Sequence[str], now: datetime) -> None:
    """Raise `NotAuthentic` unless a signature of Standard Webhooks 1.0 or Svix holds (`v1` HMAC, `v1a` Ed25519).

    One family of headers counts, never a mixture. An id with a full stop would make what is signed ambiguous.
    """
    family = _family(request.headers)
    id_, sent = (request.headers.get(f"{family}-{part}", "") for part in ("id", "timestamp"))
    if not id_ or "." in id_:
        raise NotAuthentic("the message has no id, or an ambiguous one")
    _check_age(sent, now)
    signed = f"{id_}.{sent}.".encode("utf-8", "replace") + request.body
    entries = request.headers.get(f"{family}-signature", "").split(" ")[:_ENTRIES]
    given = [entry.partition(",") for entry in entries]
    symmetric = [_decoded(value) for version, _, value in given if version == "v1"]
    asymmetric = [_decoded(value) for version, _, value in given if version == "v1a"]
    holds = _has_one(symmetric, (hmac.digest(key, signed, "sha256") for key in _shared_keys(secrets)))
    if not holds and not any(_verifies(key, each, signed) for key in _public_keys(secrets) for each in asymmetric):
        raise NotAuthentic("no active secret gives one of these signatures")


def stripe(request: RawRequest, secrets: Sequence[str], now: datetime, header: str = "stripe-signature") -> None:
    """Raise `NotAuthentic` unless `t=…,v1=…` holds: HMAC by the secret as it is written, over time and body."""
    parts = [part.strip().partition("=") for part in request.headers.get(header, "").split(",")[:_ENTRIES]]
    sent = next((value for name, _, value in parts if name == "t"), "")
    _check_age(sent, now)
    signed = f"{sent}.".encode() + request.body
    given = [_hexadecimal(value) for name, _, value in parts if name == "v1"]
    if not _has_one(given, (hmac.digest(secret.encode(), signed, "sha256") for secret in secrets if secret)):
        raise NotAuthentic("no active secret gives one of these signatures")


def hmac_sha256(request: RawRequest, secrets: Sequence[str], header: str) -> None:
    """Raise `NotAuthentic` unless the header has the HMAC of the body, in hexadecimal or Base64.

    `sha256=` may stand before it. There is no timestamp: a repetition is known by what it says.
    """
    text = request.headers.get(header, "").strip().removeprefix("sha256=")
    given = [_hexadecimal(text), _decoded(text)]
    if not _has_one(given, (hmac.digest(secret.encode(), request.body, "sha256") for secret in secrets if secret)):
        raise NotAuthentic("no active secret gives this signature")


def fault_of(secret: str) -> str | None:
    """What is wrong with a secret that says by its prefix how it is written; None if nothing is."""
    for prefix, sizes in ((SHARED, range(16, 65)), (PUBLIC, range(32, 33)), (PRIVATE, range(64, 65))):
        if secret.startswith(prefix):
            key = _decoded(secret.removeprefix(prefix))
            return None if key and len(key) in sizes else f"After {prefix} stands the key in Base64."
    return None


def _family(headers: Mapping[str, str]) -> str:
    first, second = FAMILIES
    return first if any(f"{first}-{part}" in headers for part in ("id", "timestamp", "signature")) else second


def _check_age(seconds: str, now: datetime) -> None:
    sent = wire.epoch(seconds, 1) if _SECONDS.fullmatch(seconds) else None
    if sent is None or abs(now - sent) > TOLERANCE:
        raise NotAuthentic("the timestamp is missing or too far from now")


def _decoded(text: str) -> bytes:
    """Base64, padded or not; empty for anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex(text) if text.isascii() else b""
    except ValueError:
        return b""


def _has_one(given: Sequence[bytes], expected: Iterable[bytes]) -> bool:
    """Whether one of them is given; all are compared, in the same time whichever matches."""
    return any([hmac.compare_digest(each, wanted) for wanted in expected for each in given])  # noqa: C419


def _shared_keys(secrets: Sequence[str]) -> list[bytes]:
    shared = [secret for secret in secrets if not secret.startswith((PUBLIC, PRIVATE))]
    keys = [_decoded(each.removeprefix(SHARED)) if each.startswith(SHARED) else each.encode() for each in shared]
    return [key for key in keys if key]


def _public_keys(secrets: Sequence[str]) -> list[Ed25519PublicKey]:
    keys = []
    for secret in secrets:
        if secret.startswith(PUBLIC) and len(key := _decoded(secret.removeprefix(PUBLIC))) == 32:
            keys.append(Ed25519PublicKey.from_public_bytes(key))
        elif secret.startswith(PRIVATE) and len(key := _decoded(secret.removeprefix(PRIVATE))) == 64:
            keys.append(Ed25519PrivateKey.from_private_bytes(key[:32]).public_key())
    return keys


def _verifies(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True
