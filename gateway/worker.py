"""Run the background process: events, reconciliation of rights, and anchors of the ledger."""

from functools import partial

from gateway.access.reconciliation import reconcile_rights_forever
from gateway.handlers import HANDLERS
from gateway.settings import Settings
from gateway.timers import TIMERS
from shared.runtime import worker


async def work(settings: Settings) -> None:
    # A gateway that has not read all grants would refuse callers that hold one.
    await worker.run_worker(
        settings,
        handlers=HANDLERS,
        timers=TIMERS,
        background=[partial(reconcile_rights_forever, settings)],
        catch_up=True,
    )
