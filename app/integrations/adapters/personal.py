"""Which fields of deals, companies and leads are personal, by their name or what stands in them.

Their other fields (product, region, a second owner …) are kept even while no mapping reads them: a mapping
that names one later finds the past. A field that an adapter or a mapping reads is never asked here.
"""

import re

from app.integrations.adapters.base import Json

BUSINESS = frozenset({"deal", "company", "lead"})

# Wherever they stand in a name: `cc_email`, `workphone`, `billing_address`, `birthdate`.
_ANYWHERE = ("mail", "phone", "mobile", "address", "birth")
# The same: what lets somebody in.
_LETS_IN = ("token", "secret", "passw", "credential", "api_key", "apikey", "session_id", "sessionid")
# Ends of words: `firstname`, `person_name`.
_ENDS = ("name",)
_WORDS = frozenset(
    {
        "body", "comment", "comments", "content", "description", "dob", "fax", "html", "ip", "message", "note",
        "notes", "postal", "salutation", "street", "subject", "text", "title", "zip",
    }
)  # fmt: skip
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
# An e-mail address anywhere, or nothing but a telephone number in its international form.
_REACHES = re.compile(r"[^\s@]@[^\s@.]+\.\w|\A\s*\+[0-9][0-9 ()./-]{5,}\s*\Z")
_LOOKED_AT = 500  # characters, which are all that is ever kept


def is_personal(field: str, value: Json = None) -> bool:
    """Whether a field holds names, ways to reach people, free text or a secret: its name says so, or its value."""
    if isinstance(value, str) and _REACHES.search(value[:_LOOKED_AT]):
        return True
    lower = field.lower()
    if any(part in lower for part in _LETS_IN):
        return True
    words = [word.lower() for word in _WORD.findall(field)]
    return any(part in lower for part in _ANYWHERE) or any(word in _WORDS or word.endswith(_ENDS) for word in words)
