"""Which fields of deals, companies and leads are personal by their name.

Their other fields (product, region, a second owner …) are kept even while no mapping reads them: a mapping
that names one later finds the past. A field that an adapter or a mapping reads is never asked here.
"""

import re

BUSINESS = frozenset({"deal", "company", "lead"})

# Wherever they stand in a name: `cc_email`, `workphone`, `billing_address`, `birthdate`.
_ANYWHERE = ("mail", "phone", "mobile", "address", "birth")
# Ends of words: `firstname`, `person_name`.
_ENDS = ("name",)
_WORDS = frozenset(
    {
        "body", "comment", "comments", "content", "description", "dob", "fax", "html", "ip", "message", "note",
        "notes", "postal", "salutation", "street", "subject", "text", "title", "zip",
    }
)  # fmt: skip
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def is_personal(field: str) -> bool:
    """Whether the name says that the field holds names, ways to reach people, or free text."""
    lower = field.lower()
    words = [word.lower() for word in _WORD.findall(field)]
    return any(part in lower for part in _ANYWHERE) or any(word in _WORDS or word.endswith(_ENDS) for word in words)
