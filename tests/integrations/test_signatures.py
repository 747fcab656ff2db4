"""Who may post: signatures and passwords over the exact bytes, and nothing else."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.integrations.adapters.base import NotAuthentic, RawRequest
from app.integrations.adapters.hubspot import HubSpot
from app.integrations.adapters.pipedrive import Pipedrive
from app.integrations.mapping import Mapping
from tests.integrations.crm import INDEX, VECTORS, at_ms, request_of

HUBSPOT = [sample for sample in INDEX if sample["file"].startswith("hubspot/")]
PIPEDRIVE = [sample for sample in INDEX if sample["file"].startswith("pipedrive/")]
SECRET = "hs-app-client-secret-0001"
NOW = at_ms(1790848800000)


def signed(url: str, *, as_signed: str | None = None, body: bytes = b"[]", ms: int = 1790848800000) -> RawRequest:
    message = b"POST" + (as_signed or url).encode() + body + str(ms).encode()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), message, "sha256")).decode()
    return RawRequest("POST", url, {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": str(ms)}, body)


@pytest.mark.parametrize("sample", HUBSPOT, ids=lambda sample: sample["file"])
def test_each_hubspot_sample_proves_itself_at_the_time_of_its_header(sample: dict[str, Any]) -> None:
    request = request_of(sample)
    now = at_ms(int(request.headers["x-hubspot-request-timestamp"]))
    HubSpot().authenticate(request, ["another secret", sample["secret"]], now, Mapping())
    without_v3 = replace(request, headers={k: v for k, v in request.headers.items() if not k.endswith("-v3")})
    HubSpot().authenticate(without_v3, [sample["secret"]], now, Mapping(accept_v1=True))
    with pytest.raises(NotAuthentic):
        HubSpot().authenticate(without_v3, [sample["secret"]], now, Mapping())


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["name"].startswith("hubspot")], ids=lambda vector: vector["name"]
)
def test_published_vectors_are_reproduced(vector: dict[str, Any]) -> None:
    told = vector["input"]
    body = told["body"].encode()
    if "timestamp" in told:
        headers = {"x-hubspot-signature-v3": vector["expected"], "x-hubspot-request-timestamp": told["timestamp"]}
        request = RawRequest(told["method"], told["uri"], headers, body)
        HubSpot().authenticate(request, [told["secret"]], at_ms(int(told["timestamp"])), Mapping())
    elif "method" not in told:
        request = RawRequest("POST", "", {"x-hubspot-signature": vector["expected"]}, body)
        HubSpot().authenticate(request, [told["secret"]], NOW, Mapping(accept_v1=True))
    else:  # v2 signs workflow actions and cards, not subscriptions: never accepted for them
        message = told["secret"] + told["method"] + told["uri"] + told["body"]
        assert hashlib.sha256(message.encode()).hexdigest() == vector["expected"]
        request = RawRequest(told["method"], told["uri"], {"x-hubspot-signature": vector["expected"]}, body)
        with pytest.raises(NotAuthentic):
            HubSpot().authenticate(request, [told["secret"]], NOW, Mapping(accept_v1=True))


@pytest.mark.parametrize(("off", "is_fine"), [(-300_001, False), (-300_000, True), (300_000, True), (300_001, False)])
def test_signatures_live_five_minutes_either_way(off: int, is_fine: bool) -> None:
    request = signed("https://x.example/hook")
    now = NOW + timedelta(milliseconds=off)
    if is_fine:
        HubSpot().authenticate(request, [SECRET], now, Mapping())
    else:
        with pytest.raises(NotAuthentic):
            HubSpot().authenticate(request, [SECRET], now, Mapping())


def test_the_url_is_signed_decoded_or_as_it_is() -> None:
    url = "https://x.example/hook?to=a%40b%2Fc%20d&again=%3f"
    decoded = "https://x.example/hook?to=a@b/c%20d&again=?"
    HubSpot().authenticate(signed(url), [SECRET], NOW, Mapping())
    HubSpot().authenticate(signed(url, as_signed=decoded), [SECRET], NOW, Mapping())
    with pytest.raises(NotAuthentic):
        HubSpot().authenticate(signed(url, as_signed=decoded.replace("%20", " ")), [SECRET], NOW, Mapping())


@pytest.mark.parametrize(
    "change",
    [
        {"body": b"[ ]"},
        {"method": "PUT"},
        {"url": "https://x.example/other"},
        {"headers": {}},
        {"headers": {"x-hubspot-signature-v3": "żółć", "x-hubspot-request-timestamp": "1790848800000"}},
        {"headers": {"x-hubspot-signature-v3": "", "x-hubspot-request-timestamp": "9" * 400}},
        {"headers": {"x-hubspot-signature-v3": "", "x-hubspot-request-timestamp": "-1"}},
        {"headers": {"x-hubspot-signature-v3": ""}},
    ],
)
def test_any_difference_is_refused(change: dict[str, Any]) -> None:
    request: RawRequest = replace(signed("https://x.example/hook"), **change)
    with pytest.raises(NotAuthentic):
        HubSpot().authenticate(request, [SECRET], NOW, Mapping(accept_v1=True))


def test_a_wrong_v3_does_not_fall_back_to_a_right_v1() -> None:
    request = request_of(HUBSPOT[0])
    headers = {**request.headers, "x-hubspot-signature-v3": "AAAA"}
    with pytest.raises(NotAuthentic):
        HubSpot().authenticate(replace(request, headers=headers), [SECRET], NOW, Mapping(accept_v1=True))


def test_a_source_without_secrets_lets_nobody_in() -> None:
    with pytest.raises(NotAuthentic):
        HubSpot().authenticate(signed("https://x.example/hook"), [], NOW, Mapping())
    with pytest.raises(NotAuthentic):
        Pipedrive().authenticate(request_of(PIPEDRIVE[0]), [], NOW, Mapping())


@pytest.mark.parametrize("sample", PIPEDRIVE, ids=lambda sample: sample["file"])
def test_each_pipedrive_sample_proves_itself_by_its_password(sample: dict[str, Any]) -> None:
    password = base64.b64decode(sample["headers"]["Authorization"].split()[1]).decode()
    Pipedrive().authenticate(request_of(sample), ["old:secret", password], NOW, Mapping())
    with pytest.raises(NotAuthentic):
        Pipedrive().authenticate(request_of(sample), ["old:secret"], NOW, Mapping())


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!!", "Bearer cGQtaG9vazpzM2NyM3QtcGQ=", "Basic żółć", "Basic Og=="]
)
def test_odd_basic_headers_are_refused(header: str) -> None:
    with pytest.raises(NotAuthentic):
        Pipedrive().authenticate(
            RawRequest("POST", "", {"authorization": header}, b"{}"), ["pd-hook:s3cr3t-pd"], NOW, Mapping()
        )
