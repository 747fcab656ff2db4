"""Proofs of webhook calls that several systems use: secrets that are sent along, and how they are compared."""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl

from app.integrations.adapters.base import NotAuthentic, RawRequest

QUERY_NAMES = frozenset({"code", "key", "token"})
HEADER = "x-paceline-key"

# What is named like a secret in a form or in JSON, also one that is cut off. (An address may be echoed in a body.)
_NAMED = re.compile(
    rb"(\b(?:\w{0,30}(?:token|secret|password|key)|code)\"?\s*[=:]\s*)(\"(?:[^\"\\]|\\.)*\"?|[^&\s,}]*)",
    re.IGNORECASE | re.DOTALL,
)


def by_static_secret(request: RawRequest, secrets: Sequence[str]) -> None:
    """Raise `NotAuthentic` unless the call brings one of the secrets along.

    It may stand in the address (`?key=`, `?code=`, `?token=`), in the header `X-Paceline-Key`, or in
    `Authorization` as a Bearer token or as user and password.
    """
    if not is_among(_given(request), secrets):
        raise NotAuthentic("no active secret is sent along")


def is_among(given: Iterable[str], secrets: Sequence[str]) -> bool:
    """Whether any of the given texts is one of the secrets; all are compared, in the same time whichever matches."""
    matches = [hmac.compare_digest(_bytes(each), _bytes(secret)) for each in given for secret in secrets if secret]
    return any(matches)


def without_secrets(body: bytes) -> bytes:
    """A body that could not be read, without the values of what is named like a secret."""
    return _NAMED.sub(rb"\1", body)


def _given(request: RawRequest) -> list[str]:
    told = [value for name, value in _parameters(request.query) if name in QUERY_NAMES]
    if header := request.headers.get(HEADER):
        told.append(header)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        told.append(token.strip())
    elif scheme.lower() == "basic":
        told.append(_basic(token))
    return told


def _parameters(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, max_num_fields=50)
    except ValueError:
        return []


def _basic(token: str) -> str:
    try:
        return base64.b64decode(token.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
