"""The work that deliveries, changed mappings and a changed zone cause."""

from app.accounts.service import RETELL_EMPLOYMENTS
from app.core.jobs import Handler
from app.employment import telling
from app.integrations import retelling, translation

HANDLERS = {
    translation.TRANSLATE: Handler(run=translation.translate, batch=50, failed=translation.failed),
    translation.FORGET: Handler(run=retelling.forget),
    retelling.RETELL: Handler(run=retelling.retell),
    translation.REFOLD: Handler(run=translation.refold),
    translation.REFOLD_ALL: Handler(run=translation.refold_all, batch=100),
    RETELL_EMPLOYMENTS: Handler(run=telling.retell_all, batch=100),
}
