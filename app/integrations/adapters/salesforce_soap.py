"""Outbound Messages: SOAP of hostile origin, and the answer that Salesforce takes for success."""

import re
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.ElementTree import DefusedXMLParser

from app.integrations.adapters.base import Json, Reply, Unparseable

ACKNOWLEDGED = Reply(
    200,
    "text/xml",
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>",
)
"""Never false: that would bring the whole message back for one notification that cannot be read."""

MOST_NOTIFICATIONS = 100
MOST_ELEMENTS = 100_000
DEEPEST = 10
LONGEST_NAMESPACE = 200

_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_OUTBOUND = "{http://soap.sforce.com/2005/09/outbound}"
_SOBJECTS = ("{urn:sobject.enterprise.soap.sforce.com}", "{urn:sobject.partner.soap.sforce.com}")
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_BODY = (f"{_SOAP}Envelope", f"{_SOAP}Body", f"{_OUTBOUND}notifications")
_NOTIFICATION = (*_BODY, f"{_OUTBOUND}Notification")
_SOBJECT = (*_NOTIFICATION, f"{_OUTBOUND}sObject")

# Bounded, and never across another tag: else a body of opening tags would take time by the square of its length.
_SESSION_ELEMENT = re.compile(
    rb"(<(?:[\w.-]{1,100}:)?SessionId\b[^<>]{0,500}(?<!/)>).*?(?=</(?:[\w.-]{1,100}:)?SessionId|\Z)",
    re.DOTALL | re.IGNORECASE,
)
# A session of the API wherever it stands: the organization's id, an exclamation mark (perhaps escaped), a token.
_SESSION = re.compile(rb"(00D[A-Za-z0-9]{12,15})(?:!|&#0*33;|&#[xX]0*21;|&excl;|%21|\\u0021)[^\s\"'<>&]*")


def is_xml(body: bytes) -> bool:
    """Whether a body is meant to be XML."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def read(body: bytes) -> dict[str, Json]:
    """`{"OrganizationId", "ActionId", "notifications": [{"Id", "entity", "fields"}]}`, without the session.

    Raises `Unparseable` for a body with a DTD, a processing instruction, a long namespace, too many or too deep
    elements, or anything else than an Outbound Message.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unparseable("the XML is not in UTF-8") from None
    reader = _Reader()
    parser = DefusedXMLParser(target=reader, forbid_dtd=True)
    parser.parser.StartNamespaceDeclHandler = _check_namespace
    try:
        parser.feed(text)
        parser.close()
    except (ParseError, ValueError) as error:  # what defusedxml forbids is a ValueError
        raise Unparseable(f"no XML that is accepted: {type(error).__name__}") from None
    return reader.told


def _check_namespace(prefix: str | None, name: str | None) -> None:
    """The parser writes a namespace before each name in it: a long one would make of a body its square."""
    if name is not None and len(name) > LONGEST_NAMESPACE:
        raise Unparseable("the XML has a namespace with a long name")


def without_session(body: bytes) -> bytes:
    """A body without sessions, by element or by their look, also where it is cut off or in UTF-16."""
    return _SESSION.sub(rb"\1", _SESSION_ELEMENT.sub(rb"\1", body.replace(b"\x00", b"")))


def holds_session(text: str) -> bool:
    """Whether a text has a session in it, as formulas of administrators may."""
    return _SESSION.search(text.encode("utf-8", "replace")) is not None


class _Reader:
    """Takes from the stream of elements what an Outbound Message has, by namespace and name; builds no tree."""

    def __init__(self) -> None:
        self.told: dict[str, Json] = {}
        self.notifications: list[dict[str, Json]] = []
        self.path: list[str] = []
        self.text: list[str] = []
        self.elements = 0
        self.is_nil = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.path.append(tag)
        self.elements += 1
        self.text.clear()
        self.is_nil = attributes.get(f"{_XSI}nil") in {"true", "1"}
        if len(self.path) > DEEPEST or self.elements > MOST_ELEMENTS:
            raise Unparseable("the XML has too many elements, or too deep ones")
        if self.path[0] != _BODY[0]:
            raise Unparseable("the XML is no Outbound Message")
        if tuple(self.path) == _NOTIFICATION:
            if len(self.notifications) == MOST_NOTIFICATIONS:
                raise Unparseable(f"the message has more than {MOST_NOTIFICATIONS} notifications")
            self.notifications.append({})
        elif tuple(self.path) == _SOBJECT:
            self._begin_object(attributes.get(f"{_XSI}type"))

    def _begin_object(self, type_: str | None) -> None:
        entity = type_.rpartition(":")[2] if type_ else None
        self.notifications[-1].update(entity=entity, fields={})

    def data(self, text: str) -> None:
        self.text.append(text)

    def end(self, tag: str) -> None:
        parent = tuple(self.path[:-1])
        value = None if self.is_nil else "".join(self.text).strip()
        if parent == _BODY and tag in {f"{_OUTBOUND}OrganizationId", f"{_OUTBOUND}ActionId"}:
            self.told[_name(tag)] = value
        elif parent == _NOTIFICATION and tag == f"{_OUTBOUND}Id":
            self.notifications[-1]["Id"] = value
        elif parent == _SOBJECT and tag.startswith(_SOBJECTS):
            fields: Any = self.notifications[-1]["fields"]
            fields[_name(tag)] = value
        self.path.pop()
        self.text.clear()
        self.is_nil = False

    def pi(self, target: str, data: str | None = None) -> None:
        raise Unparseable(f"the XML has the processing instruction {target[:40]}")

    def close(self) -> None:
        if not self.notifications and "OrganizationId" not in self.told:
            raise Unparseable("the XML is no Outbound Message")
        self.told["notifications"] = list(self.notifications)


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]
