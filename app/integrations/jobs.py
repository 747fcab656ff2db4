"""The work that deliveries, changed mappings, a changed zone and archived days cause."""

from app.accounts.service import RETELL_EMPLOYMENTS
from app.core.jobs import Handler
from app.employment import telling
from app.events.archives import ARCHIVE_EVENTS
from app.events.archiving import archive_events
from app.integrations import retelling, translation

HANDLERS = {
    translation.TRANSLATE: Handler(run=translation.translate, batch=200, failed=translation.failed),
    translation.FORGET: Handler(run=retelling.forget),
    retelling.RETELL: Handler(run=retelling.retell),
    translation.REFOLD: Handler(run=translation.refold),
    translation.REFOLD_ALL: Handler(run=translation.refold_all, batch=100),
    RETELL_EMPLOYMENTS: Handler(run=telling.retell_all, batch=100),
    ARCHIVE_EVENTS: Handler(run=archive_events, batch=100),
}
