"""Paths of long jobs."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from app.accounts.access import Principal, Session, requires
from app.accounts.permissions import Permission
from app.core import etags
from app.core.problems import PreconditionFailed, problems
from app.core.routing import TransactionalRoute
from app.progress import schemas, service
from app.progress.service import JobEnded, JobNotFound
from app.progress.streaming import progress_of

router = APIRouter(route_class=TransactionalRoute, prefix="/jobs", tags=["jobs"])

# Which jobs somebody sees is decided by what each of them does: see `LongJob.permission`.
Watcher = Annotated[Principal, requires(Permission.ORGANIZATION_READ)]
_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events until the job has ended.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "string",
                    "description": "Server-Sent Events: `progress` with the job as JSON, at once and with each change, "
                    "and `end` when it has ended. `id` is the job's version.",
                    "examples": ['event: end\ndata: {"state": "succeeded", "done": 12000, "total": 12000}\nid: 7\n\n'],
                }
            }
        },
    }
}


@router.get("")
async def list_jobs(session: Session, who: Watcher, query: Annotated[schemas.JobsQuery, Query()]) -> schemas.JobPage:
    """List long jobs, the newest first.

    A key sees the jobs that do what it may do itself: who may post events sees imports of events.
    """
    return await service.list_jobs(session, who, query)


@router.get("/{job_id}", responses=problems(JobNotFound))
async def get_job(session: Session, who: Watcher, job_id: UUID, response: Response) -> schemas.Job:
    """Read how far a job is."""
    job = await service.get_job(session, who, job_id)
    etags.tag(response, job.version)
    return job


@router.get("/{job_id}/stream", response_class=StreamingResponse, responses=problems(JobNotFound) | _STREAMED)
async def stream_job(session: Session, who: Watcher, job_id: UUID, request: Request) -> StreamingResponse:
    """Follow a job as it goes, until it has ended.

    Server-Sent Events, for `EventSource` and its like: the job at once, and again whenever it has changed.
    """
    job = await service.get_job(session, who, job_id)
    return StreamingResponse(
        progress_of(request.app.state.database, who, job),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.post("/{job_id}/cancel", responses=problems(JobNotFound, JobEnded, PreconditionFailed))
async def cancel_job(
    session: Session, who: Watcher, job_id: UUID, response: Response, *, if_match: etags.IfMatch = None
) -> schemas.Job:
    """Stop a job.

    What it did stays, what it is about to do at this moment is completed, and nothing else is begun.
    """
    job = await service.cancel_job(session, who, job_id, if_match)
    etags.tag(response, job.version)
    return job
