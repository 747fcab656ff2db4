"""The envelopes of Fxiaoke's calls: who sealed one, and what is in it.

Both kinds are proved by SHA-1 over their parts and a static key, and encrypted by AES-256 in CBC mode with an IV that
is the beginning of the key. Neither is what one would choose today; both are what Fxiaoke does. A signature is checked
before anything is decrypted, and whatever is wrong with an envelope, the verdict is the same.
"""

import base64
import binascii
import hashlib
import json
import re
import secrets as random
from collections.abc import Mapping as Mapped
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from app.integrations.adapters import proofs, wire
from app.integrations.adapters.base import Json, NotAuthentic, Unparseable

AGE = timedelta(minutes=5)
"""How old a call may be: a limit of ours, on the time at which it was sent."""

_KEY_BYTES, _BLOCK = 32, 16
_LEGACY_BLOCK = 32  # of the padding of pushes, which is the one of WeChat
_LEGACY_HEAD = 16 + 4  # random bytes and a length before the message
_LEGACY_SECRET = re.compile(r"token=(?P<token>[^;]+);encodingAesKey=(?P<key>[^;]+)")
_PARTS = ("timestamp", "nonce", "messageId", "retryTimes", "enterpriseAccount", "encryptedContent")
_LEGACY_PARTS = ("timeStamp", "nonce", "content")


def fault_of_secret(secret: str) -> str | None:
    """What is wrong with a secret, in either of its written forms."""
    if secret.startswith("token="):
        legacy = _LEGACY_SECRET.fullmatch(secret)
        is_key = legacy is not None and _key(f"{legacy['key']}=") is not None
        return None if is_key else "A secret of pushes is written token=…;encodingAesKey=…, the key with 43 characters."
    return None if _key(secret) else "A secret of Fxiaoke is an aesKey: the Base64 of 32 bytes, with 44 characters."


def _key(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == _KEY_BYTES else None


@dataclass(frozen=True, slots=True)
class Callback:
    """A CRM event that was opened: what its envelope says, the event, and the secret and key that opened it."""

    account_id: str
    message_id: str
    sent_at: datetime
    event: dict[str, Json]
    secret: str
    key: bytes


def opened(told: Mapped[str, Json], secrets: Sequence[str]) -> Callback:
    """The event in an envelope. Raises `NotAuthentic`, whatever is wrong."""
    parts = {name: _part(told[name]) for name in _PARTS if told.get(name) is not None}
    signed = "".join(parts.values())
    secret = _prover(_part(told.get("signature")), {each: _digest(signed + each) for each in secrets})
    key = _key(secret)
    event = _event(_decrypted(key, parts.get("encryptedContent", "")))
    sent_at = wire.epoch_ms(parts.get("timestamp"))
    if key is None or event is None or sent_at is None or event.get("messageId") != parts.get("messageId"):
        raise NotAuthentic("the envelope cannot be opened")
    return Callback(parts.get("enterpriseAccount", ""), parts.get("messageId", ""), sent_at, event, secret, key)


def _part(value: Json) -> str:
    """A part as it is signed: text, or the digits of a number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise NotAuthentic("a part of the envelope is neither text nor a whole number")
    return str(value)


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _prover(given: str, candidates: Mapped[str, str]) -> str:
    """The secret that gives this signature; all are compared, in the same time whichever does."""
    proving = [secret for secret, signature in candidates.items() if proofs.is_among([given], [signature])]
    if not proving:
        raise NotAuthentic("no active secret gives this signature")
    return proving[0]


def _decrypted(key: bytes | None, content: str, block: int = _BLOCK) -> bytes | None:
    """The plain bytes; None if the content is none, or was not padded as it should be."""
    try:
        sealed = base64.b64decode("".join(content.split()), validate=True)  # some encoders break lines
    except (binascii.Error, ValueError):
        sealed = b""
    if key is None or not sealed or len(sealed) % _BLOCK:
        return None
    decryptor = _cipher(key).decryptor()
    padded = decryptor.update(sealed) + decryptor.finalize()
    length = padded[-1]
    is_padded = 1 <= length <= block and padded.endswith(bytes([length]) * length)
    return padded[:-length] if is_padded else None


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(key[:_BLOCK]))


def _event(plain: bytes | None) -> dict[str, Json] | None:
    try:
        event = wire.parse(plain or b"")
    except Unparseable:
        return None
    return event if isinstance(event, dict) else None


def answer(callback: Callback, now: datetime) -> bytes:
    """The answer that Fxiaoke takes for success: the word, sealed as its own calls are."""
    encryptor = _cipher(callback.key).encryptor()
    missing = _BLOCK - len(b"success") % _BLOCK
    sealed = encryptor.update(b"success" + bytes([missing]) * missing) + encryptor.finalize()
    result = base64.b64encode(sealed).decode()
    timestamp, nonce = int(now.timestamp() * 1000), str(random.randbelow(900_000) + 100_000)
    signature = _digest(f"{timestamp}{nonce}{result}{callback.secret}")
    told = {"signature": signature, "timestamp": timestamp, "nonce": nonce, "encryptedResult": result}
    return json.dumps(told, separators=(",", ":")).encode()


def check_push(told: Mapped[str, Json], secrets: Sequence[str]) -> datetime:
    """When a push of the old kind was sent. Raises `NotAuthentic`, whatever is wrong."""
    parts = {name: _part(told.get(name)) for name in _LEGACY_PARTS}
    known = [found for each in secrets if (found := _LEGACY_SECRET.fullmatch(each))]
    signatures = {found["key"]: _digest("".join(sorted([found["token"], *parts.values()]))) for found in known}
    key = _prover(_part(told.get("sig")), signatures)
    plain = _decrypted(_key(f"{key}="), parts["content"], _LEGACY_BLOCK)
    sent_at = wire.epoch_ms(parts["timeStamp"])
    if plain is None or len(plain) < _LEGACY_HEAD or sent_at is None:
        raise NotAuthentic("the envelope cannot be opened")
    return sent_at
