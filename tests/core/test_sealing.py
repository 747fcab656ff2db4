"""Secrets at rest: sealed by a key, bound to their place, and readable while a key is replaced."""

import base64
import stat
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import ValidationError

from app.core.sealing import MARK, CannotOpen, EncryptionKeysMissing, Keyring, own_keys, parse_keys, place_of
from app.core.settings import Settings

OLD, NEW = (f"{name}:{base64.b64encode(bytes([number]) * 32).decode()}" for number, name in enumerate(("old", "new")))
PLACE = place_of(uuid4(), uuid4(), "secret")


def test_what_is_sealed_opens_at_its_own_place_only() -> None:
    keys = Keyring(parse_keys(OLD))
    sealed = keys.seal("hs-app-client-secret", PLACE)
    assert sealed.startswith(f"{MARK}old:")
    assert "hs-app" not in sealed
    assert sealed != keys.seal("hs-app-client-secret", PLACE)
    assert keys.open(sealed, PLACE) == "hs-app-client-secret"
    for place in (place_of(uuid4(), uuid4(), "secret"), PLACE.replace("secret", "token")):
        with pytest.raises(CannotOpen):
            keys.open(sealed, place)


def test_a_changed_text_does_not_open_and_nothing_is_told_of_it() -> None:
    keys = Keyring(parse_keys(OLD))
    sealed = keys.seal("hs-app-client-secret", PLACE)
    changed = "A" if sealed[-5] != "A" else "B"
    for text in (
        sealed[:-5] + changed + sealed[-4:],
        f"{MARK}old:",
        f"{MARK}old:%%%",
        f"{MARK}other:AAAA",
        sealed[:40],
    ):
        with pytest.raises(CannotOpen) as told:
            keys.open(text, PLACE)
        assert "client" not in str(told.value)


def test_an_earlier_key_opens_what_it_sealed_and_the_first_seals() -> None:
    before = Keyring(parse_keys(OLD)).seal("a secret", PLACE)
    both = Keyring(parse_keys(f"{NEW}, {OLD}"))
    assert both.open(before, PLACE) == "a secret"
    assert both.seal("a secret", PLACE).startswith(both.current) is not before.startswith(both.current)
    with pytest.raises(CannotOpen):
        Keyring(parse_keys(NEW)).open(before, PLACE)


def test_text_from_before_there_were_keys_is_taken_as_it_is_but_nothing_new_is_kept() -> None:
    none = Keyring({})
    assert none.open("user:password", PLACE) == "user:password"
    with pytest.raises(EncryptionKeysMissing):
        none.seal("user:password", PLACE)


@pytest.mark.parametrize(
    "text", ["abcdefgh", "a:AAAA", f"{OLD},{OLD}", "a b:" + "A" * 44, ":" + "A" * 44, "a:" + "é" * 44, "a:" + "A" * 88]
)
def test_wrong_keys_stop_the_start_without_being_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"key [12]") as told:
        parse_keys(text)
    assert text.rpartition(":")[2] not in str(told.value)
    with pytest.raises(ValidationError) as refused:
        Settings(encryption_keys=text)
    assert text.rpartition(":")[2] not in str(refused.value)


def test_the_embedded_database_has_a_key_of_its_own_for_us_alone(tmp_path: Path) -> None:
    keys = own_keys(tmp_path)
    assert own_keys(tmp_path) == keys
    assert list(parse_keys(keys)) == ["own"]
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
