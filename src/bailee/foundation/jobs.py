"""Jobs and schedules, on procrastinate: queued in the caller's transaction, run by a worker.

A job's arguments are identifiers, never content: they lie in a table in the clear.
"""

import asyncio
from collections.abc import Awaitable, Callable

import procrastinate
import structlog

from bailee.foundation.database import Writer, session_options

log = structlog.get_logger()

_SILENCE = 30.0
_INWARD, _OUTWARD = "default", "outward"
_RETRY = procrastinate.RetryStrategy(max_attempts=10, exponential_wait=4)


class Jobs:
    """The queue. `register` and `every` at composition, `enqueue` from a verb, `run` in a worker."""

    def __init__(self, conninfo: str) -> None:
        connector = procrastinate.PsycopgConnector(
            conninfo=conninfo, kwargs={"options": session_options("bailee_operator")}, min_size=1, max_size=4
        )
        self._app = procrastinate.App(connector=connector)

    def register(self, name: str, work: Callable[..., Awaitable[None]], *, outward: bool = False) -> None:
        """Makes `work` the job called `name`; it is tried again with growing pauses when it raises.

        What goes `outward`, to servers that tenants name, has workers of its own: those may be slow, and nothing of
        ours waits for them.
        """
        queue = _OUTWARD if outward else _INWARD
        self._app.task(name=name, retry=_RETRY, queueing_lock=None, queue=queue)(work)

    def every(self, cron: str, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Runs `work` on a schedule (cron, UTC), once over all workers, and not while it still runs."""

        async def run(timestamp: int) -> None:  # noqa: ARG001  procrastinate passes when it was due
            await work()

        task = self._app.task(name=name, queueing_lock=name, lock=name)(run)
        self._app.periodic(cron=cron)(task)

    async def enqueue(self, tx: Writer, name: str, *, lock: str | None = None, **arguments: str | int) -> None:
        """Leaves a job that exists when, and only when, `tx` commits. Jobs with one `lock` run one at a time."""
        await self._app.configure_task(name, connection=tx.connection, lock=lock).defer_async(**arguments)

    async def open(self) -> None:
        await self._app.open_async()

    async def close(self) -> None:
        await self._app.close_async()

    async def run(self, concurrency: int = 4) -> None:
        """Works until cancelled; finishes what it has begun for up to 30 s, and takes up what a dead worker left."""
        rescuer = asyncio.create_task(self._rescue())
        try:
            await asyncio.gather(self._work(_INWARD, concurrency), self._work(_OUTWARD, concurrency))
        finally:
            rescuer.cancel()

    async def _work(self, queue: str, concurrency: int) -> None:
        await self._app.run_worker_async(
            queues=[queue],
            concurrency=concurrency,
            install_signal_handlers=False,
            shutdown_graceful_timeout=30,
            fetch_job_polling_interval=2.0,
            delete_jobs="successful",
        )

    async def _rescue(self) -> None:
        """Puts back, again and again, what a worker held that has stopped giving signs of life."""
        while True:
            try:
                for job in await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_SILENCE):
                    log.warning("job of a dead worker put back", job=job.task_name)
                    await self._app.job_manager.retry_job(job)
            except Exception:  # whatever it was, the next round looks again
                log.warning("stalled jobs not looked for", exc_info=True)
            await asyncio.sleep(_SILENCE)
