"""Who may import what: whoever may write the same things one by one; they also see such imports."""

from app.accounts.access import Principal
from app.accounts.permissions import Permission
from app.core.problems import PermissionMissing
from app.imports.columns import Kind

PERMISSIONS: dict[Kind, Permission] = {
    "events": Permission.EVENTS_WRITE,
    "members": Permission.TEAMS_WRITE,
    "records": Permission.SOURCES_WRITE,
    "targets": Permission.GOALS_WRITE,
    "teams": Permission.TEAMS_WRITE,
}


def require(who: Principal, kind: Kind) -> None:
    """Raises `PermissionMissing` unless the caller may write such things."""
    if PERMISSIONS[kind] not in who.permissions:
        raise PermissionMissing(f"This key lacks {PERMISSIONS[kind]}, which an import of {kind} needs.")


def kinds_of(who: Principal) -> list[Kind]:
    """The kinds whose imports the caller may see."""
    return [kind for kind, permission in PERMISSIONS.items() if permission in who.permissions]
