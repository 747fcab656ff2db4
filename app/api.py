"""The one list of routers, under /v1."""

from fastapi import APIRouter

from app.accounts.router import router as accounts
from app.calendars.periods_router import router as periods
from app.calendars.router import router as calendars
from app.checkup.router import router as checkup
from app.employment.router import router as employment
from app.events.router import router as events
from app.goals.bulk_router import router as bulk_edits
from app.goals.cascade.router import router as cascade
from app.goals.compound_router import router as compound
from app.goals.decisions_router import router as decisions
from app.goals.export_router import router as goal_export
from app.goals.forecasting.router import router as forecasts
from app.goals.initiatives_router import router as initiatives
from app.goals.notes_router import router as notes
from app.goals.notifications_router import router as goal_notifications
from app.goals.router import router as goals
from app.goals.router import standing as goal_standing
from app.goals.series_router import router as goal_series
from app.goals.settings_router import router as goal_settings
from app.goals.smart.router import router as smart
from app.goals.standings_router import router as standings
from app.goals.templates.router import router as goal_templates
from app.imports.router import router as imports
from app.integrations.router import router as integrations
from app.kpis.library.router import router as library
from app.kpis.router import router as kpis
from app.kpis.scores_router import router as scores
from app.progress.router import router as jobs
from app.rates.router import router as rates
from app.results.analysis_router import router as analysis
from app.results.preview_router import router as preview
from app.results.router import router as results
from app.reviews.router import router as reviews
from app.simulation.router import router as simulation
from app.teams.router import router as teams


def routers() -> APIRouter:
    """All operations."""
    api = APIRouter(prefix="/v1")
    # The busiest come first: routes are looked for in this order.
    for router in (
        integrations,
        events,
        results,
        accounts,
        teams,
        employment,
        kpis,
        library,
        scores,
        analysis,
        preview,
        periods,
        calendars,
        rates,
        smart,
        compound,
        goal_templates,
        bulk_edits,
        goal_export,
        standings,
        forecasts,
        goals,
        goal_standing,
        cascade,
        goal_series,
        goal_notifications,
        decisions,
        notes,
        initiatives,
        goal_settings,
        reviews,
        checkup,
        simulation,
        imports,
        jobs,
    ):
        api.include_router(router)
    return api
