"""The work that deliveries, changed mappings, a changed zone and archived days cause."""

from app.accounts.service import RETELL_EMPLOYMENTS
from app.core.errands import Errands
from app.core.jobs import Handler
from app.employment import telling
from app.events.archives import ARCHIVE_EVENTS
from app.events.archiving import archive_events
from app.integrations import (
    backfilling,
    backfills,
    fetching,
    health,
    previewing,
    refolding,
    retelling,
    source_directory,
    subscribing,
    subscriptions,
    to_fetch,
    translation,
    watching,
)
from app.integrations.clients.http import Outside

HANDLERS = {
    translation.TRANSLATE: Handler(run=translation.translate, batch=200, failed=translation.failed),
    translation.FORGET: Handler(run=retelling.forget),
    refolding.RETELL: Handler(run=retelling.retell, failed=refolding.failed),
    refolding.REFOLD: Handler(run=refolding.refold, failed=refolding.failed),
    refolding.REFOLD_ALL: Handler(run=refolding.refold_all, batch=100),
    to_fetch.WANT_INCOMPLETE: Handler(run=to_fetch.want_incomplete),
    to_fetch.WANT_AGAIN: Handler(run=to_fetch.want_known),
    watching.WATCH_ALL: Handler(run=watching.watch_all, batch=100),
    RETELL_EMPLOYMENTS: Handler(run=telling.retell_all, batch=100),
    ARCHIVE_EVENTS: Handler(run=archive_events, batch=100),
}


def errands_of(outside: Outside) -> Errands:
    """What asks other systems, by this way to them."""
    return {
        previewing.PREVIEW: previewing.ERRAND,
        watching.WATCH: health.ERRAND,
        to_fetch.FETCH: fetching.errand(outside),
        source_directory.FETCH_DIRECTORY: source_directory.errand(outside),
        backfills.BACKFILL: backfilling.errand(outside),
        subscriptions.SUBSCRIBE: subscribing.subscription(outside),
        subscriptions.UNSUBSCRIBE: subscribing.ending(outside),
        subscriptions.RENEW: subscribing.renewal(outside),
    }
