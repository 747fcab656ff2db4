"""Paths of what is asked on top of KPI results: a figure opened, and what a series of figures says."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.accounts.access import Principal, Snapshots, requires
from app.accounts.permissions import Permission
from app.core.budget import QueryBudgetExceeded
from app.core.problems import TooExpensive, ValidationFailed, problems
from app.core.routing import TransactionalRoute, read_only
from app.core.snapshots import AsOfInTheFuture
from app.goals.targets import target_values
from app.kpis.engine import QueryTooLarge
from app.results import (
    benchmark_schemas,
    benchmarking,
    charts,
    contributing,
    contribution_schemas,
    diff,
    diff_schemas,
    explanation,
    explanation_schemas,
    findings,
    findings_schemas,
    funnel,
    funnel_schemas,
    matrix,
    matrix_schemas,
    signals_schemas,
)
from app.results.asking import Asking

router = APIRouter(route_class=TransactionalRoute, prefix="/kpi-results", tags=["results"])

Reader = Annotated[Principal, requires(Permission.RESULTS_READ)]


def _asking(snapshots: Snapshots, request: Request) -> Asking:
    return Asking(snapshots, request.app.state.settings.max_result_cells, target_values)


Asks = Annotated[Asking, Depends(_asking)]
_COMMON = ValidationFailed, AsOfInTheFuture, QueryTooLarge, TooExpensive, QueryBudgetExceeded
ASKED = problems(*_COMMON)


@router.post("/explain", responses=ASKED)
@read_only
async def explain_kpi_result(
    who: Reader, snapshots: Snapshots, query: explanation_schemas.ExplainQuery
) -> explanation_schemas.Explanation:
    """Open a figure.

    Into its formula with the numbers put in, each measure's value, and the events that are in it (or that are
    not, each with the reason), page by page.
    """
    return await explanation.explain(snapshots, who, query)


@router.post("/signals", responses=ASKED)
@read_only
async def find_kpi_signals(
    who: Reader, asking: Asks, query: signals_schemas.SignalQuery
) -> signals_schemas.SignalChart:
    """Tell signal from noise.

    An XmR chart (Wheeler): the natural process limits of the values, and the points and runs that are signals.
    """
    return await charts.find_signals(asking, query)


@router.post("/diff", responses=ASKED)
@read_only
async def diff_kpi_result(who: Reader, asking: Asks, query: diff_schemas.DiffQuery) -> diff_schemas.Difference:
    """Explain the difference of two instants.

    The figure as it was known at both, and what was recorded in between that can touch it: events that came, changed
    or were retracted, mappings, memberships, rates, definitions, settings; with what each instant's changes did.
    """
    return await diff.explain_difference(asking, who, query)


@router.post("/benchmark", responses=ASKED)
@read_only
async def benchmark_kpi_results(
    who: Reader, asking: Asks, query: benchmark_schemas.BenchmarkQuery
) -> benchmark_schemas.Benchmark:
    """Benchmark a member.

    Against their team and everybody of the same revenue role: quartiles, median, and their rank, for several KPIs.
    """
    return await benchmarking.benchmark_member(asking, query)


@router.post("/contribution", responses=problems(*_COMMON, contributing.KpiNotDecomposable))
@read_only
async def explain_kpi_contribution(
    who: Reader, asking: Asks, query: contribution_schemas.ContributionQuery
) -> contribution_schemas.Contributions:
    """Split the difference of two periods.

    Into members, teams or groups, exactly: what adds up by each part's own difference, a ratio of sums by the effects
    of mix and of each part's own rate (Kitagawa, 1955).
    """
    return await contributing.find_contributions(asking, query)


@router.post("/matrix", responses=ASKED)
@read_only
async def compute_kpi_matrix(who: Reader, asking: Asks, query: matrix_schemas.MatrixQuery) -> matrix_schemas.Matrix:
    """Compare members by segment.

    A KPI of each member of a team in each segment, with samples and the lead over the whole segment: who does best
    with what.
    """
    return await matrix.compute_matrix(asking, query)


@router.post("/funnel", responses=ASKED)
@read_only
async def compute_kpi_funnel(who: Reader, asking: Asks, query: funnel_schemas.FunnelQuery) -> funnel_schemas.Funnel:
    """Compute a funnel.

    How many of each window's cohort came to each step, the conversion from step to step and from the first, and where
    they drop out.
    """
    return await funnel.compute_funnel(asking, query)


@router.post("/findings", responses=ASKED)
@read_only
async def find_kpi_findings(
    who: Reader, asking: Asks, query: findings_schemas.FindingQuery
) -> findings_schemas.Findings:
    """Find strengths, weaknesses and risks.

    Who does well and who needs help, by several KPIs; whose figures turn for the worse; and customers whose habits
    change or whom nobody has contacted. Each with its figures and samples, and nothing where there is too little data.
    """
    return await findings.find(asking, query)
