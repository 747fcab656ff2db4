"""The one list of routers, under /v1, in the order in which a newcomer meets them."""

from fastapi import APIRouter

from app.accounts.router import router as accounts
from app.calendars.router import router as calendars
from app.events.router import router as events
from app.goals.router import router as goals
from app.integrations.router import router as integrations
from app.kpis.router import router as kpis
from app.results.router import router as results
from app.reviews.router import router as reviews
from app.teams.router import router as teams


def routers() -> APIRouter:
    """All operations."""
    api = APIRouter(prefix="/v1")
    for router in (accounts, teams, events, integrations, kpis, results, calendars, goals, reviews):
        api.include_router(router)
    return api
