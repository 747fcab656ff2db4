"""What people call their role in selling, as one of the roles that the KPI library has."""

import re
from typing import get_args

from app.kpis.library.entries import Role

_WORDS: tuple[tuple[Role, re.Pattern[str]], ...] = (
    ("customer_success", re.compile(r"customer_success|csm|account_manager|key_account|renewals?")),
    ("prospecting", re.compile(r"sdr|bdr|prospect\w*|sales_development\w*|business_development\w*|lead_gen\w*")),
    ("qualifying", re.compile(r"qualif\w*|inside_sales\w*|lead_manage\w*")),
    ("closing", re.compile(r"ae|account_exec\w*|closer|sales_rep\w*|sales_exec\w*|field_sales\w*")),
    (
        "team_leader",
        re.compile(r"team_lead\w*|lead|leader|manager|head|director"),
    ),
)


def library_role(revenue_role: str | None) -> Role | None:
    """The library's role of a member's; None where it is not to be told."""
    if revenue_role is None:
        return None
    plain = re.sub(r"[^a-z]+", "_", revenue_role.casefold()).strip("_")
    for role in get_args(Role):
        if plain == role:
            return role  # type: ignore[no-any-return]  # one of the literals
    # Of parts too, so that a senior account executive is one.
    return next((role for role, words in _WORDS if re.search(rf"(?:^|_)(?:{words.pattern})(?:$|_)", plain)), None)
