"""Secrets at rest: sealed by a key that can be replaced, and each bound to the place where it is kept.

AES-256-GCM with a random nonce. What a sealed text is bound to (organization, source, purpose) is associated data:
copied to another row it does not open. A sealed text names its key, so that what an earlier key sealed stays readable
until it is sealed anew (`paceline rotate-keys`). Text without the mark is from before there were keys, and is taken as
it is.
"""

import base64
import binascii
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.problems import Problem

VARIABLE = "PACELINE_ENCRYPTION_KEYS"
MARK = "sealed:1:"
KEY_BYTES, NONCE_BYTES = 32, 12
KEY_FILE = "encryption-keys"

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class EncryptionKeysMissing(Problem):
    """The server has no keys to keep secrets by: its operator sets `PACELINE_ENCRYPTION_KEYS`. Nothing was stored."""

    status, code, title = 503, "encryption-keys-missing", "Encryption keys missing"


class CannotOpen(RuntimeError):  # noqa: N818 - what is so; it never holds the text
    """A sealed text whose key is not configured, or that was changed or copied from another place."""


def parse_keys(text: str) -> dict[str, bytes]:
    """The keys of `id:base64key,id:base64key`, the first of which seals. Raises `ValueError`, without the keys."""
    keys: dict[str, bytes] = {}
    for number, each in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        key_id, _, encoded = each.partition(":")
        if not _KEY_ID.fullmatch(key_id) or key_id in keys:
            raise ValueError(f"key {number} has no id of its own: write id:base64key,id:base64key")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(f"key {number} is not {KEY_BYTES} bytes in Base64: `openssl rand -base64 {KEY_BYTES}`")
        keys[key_id] = key
    return keys


class Keyring:
    """Keys by their ids: the first seals, all open. Without any, nothing can be sealed."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._first = next(iter(keys), None)

    @property
    def current(self) -> str:
        """What begins every text that the first key sealed. Raises `EncryptionKeysMissing`."""
        if self._first is None:
            raise EncryptionKeysMissing(f"This server keeps no secrets: {VARIABLE} is not set.")
        return f"{MARK}{self._first}:"

    def seal(self, text: str, place: str) -> str:
        """The text, sealed by the first key for this place alone. Raises `EncryptionKeysMissing`."""
        current = self.current
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[self._first or ""].encrypt(nonce, text.encode(), place.encode())
        return current + base64.b64encode(nonce + sealed).decode()

    def open(self, text: str, place: str) -> str:
        """The text that was sealed at this place, or itself where it is not sealed. Raises `CannotOpen`.

        It takes 3 microseconds, so nothing that was opened is kept.
        """
        if not text.startswith(MARK):
            return text
        key_id, _, encoded = text.removeprefix(MARK).partition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise CannotOpen(f"A secret is sealed by the key {key_id!r}, which {VARIABLE} does not name.")
        try:
            raw = base64.b64decode(encoded, validate=True)
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode()).decode()
        except (binascii.Error, ValueError, InvalidTag):
            raise CannotOpen("A sealed secret was changed, or belongs elsewhere.") from None


NO_KEYS = Keyring({})


def place_of(org_id: UUID, owner_id: UUID, purpose: str) -> str:
    """Where a secret is kept: whose, of which row, for what."""
    return f"{org_id}:{owner_id}:{purpose}"


def keyring_of(session: AsyncSession) -> Keyring:
    """The keys of the process, which its sessions carry (`core/db.py`)."""
    found: Keyring = session.info.get("keyring", NO_KEYS)
    return found


def own_keys(directory: Path) -> str:
    """Keys as `PACELINE_ENCRYPTION_KEYS` has them, made at the first start and kept in a file for us alone.

    For the embedded database only, whose data lies beside them: whoever has both can read everything.
    """
    path = directory / KEY_FILE
    if not path.exists():
        draft = path.with_name(f"{KEY_FILE}.{os.getpid()}.draft")
        draft.touch(0o600, exist_ok=False)
        draft.write_text(f"own:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n", encoding="utf-8")
        try:
            path.hardlink_to(draft)  # never over another's: what that sealed would be lost
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8").strip()
