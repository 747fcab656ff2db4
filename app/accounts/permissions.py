"""What an API key or a role may do."""

from enum import StrEnum


class Permission(StrEnum):
    """`resource:action`, kept in alphabetical order. A scope is a permission."""

    API_KEYS_WRITE = "api-keys:write"
    AUDIT_READ = "audit:read"
    CALENDARS_READ = "calendars:read"
    CALENDARS_WRITE = "calendars:write"
    EVENTS_ARCHIVE = "events:archive"
    EVENTS_READ = "events:read"
    EVENTS_WRITE = "events:write"
    GOALS_READ = "goals:read"
    GOALS_WRITE = "goals:write"
    KPIS_READ = "kpis:read"
    KPIS_WRITE = "kpis:write"
    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_WRITE = "organization:write"
    RATES_READ = "rates:read"
    RATES_WRITE = "rates:write"
    RESULTS_READ = "results:read"
    REVIEWS_READ = "reviews:read"
    REVIEWS_WRITE = "reviews:write"
    SCORES_READ = "scores:read"
    SCORES_WRITE = "scores:write"
    SOURCES_READ = "sources:read"
    SOURCES_WRITE = "sources:write"
    TEAMS_READ = "teams:read"
    TEAMS_WRITE = "teams:write"


P = Permission
_READ = frozenset(permission for permission in Permission if permission.endswith(":read"))

# A role bounds what the scopes of a key can give: what counts is in both.
ROLE_PERMISSIONS: dict[str, frozenset[Permission]] = {
    "admin": frozenset(Permission),
    "manager": _READ - {P.AUDIT_READ}
    | {P.GOALS_WRITE, P.KPIS_WRITE, P.REVIEWS_WRITE, P.TEAMS_WRITE, P.CALENDARS_WRITE, P.RATES_WRITE, P.SCORES_WRITE},
    # Which goals of theirs members set, and which they only propose, is said by the organization (`goals/policy.py`).
    "member": _READ - {P.AUDIT_READ, P.SOURCES_READ} | {P.GOALS_WRITE, P.SCORES_WRITE},
    "service": _READ - {P.AUDIT_READ} | {P.EVENTS_WRITE, P.RATES_WRITE, P.SCORES_WRITE},
}
