"""The background half: keeps the rights in force, tells the heads of the ledger's chains."""

from functools import partial

from gateway.access.reconciliation import keep_reconciling
from gateway.handlers import HANDLERS
from gateway.settings import Settings
from gateway.timers import TIMERS
from shared.runtime import worker


async def work(settings: Settings) -> None:
    # Until it knows the rights in force, callers who have one would be refused.
    await worker.run_worker(
        settings,
        handlers=HANDLERS,
        timers=TIMERS,
        background=[partial(keep_reconciling, settings)],
        catch_up=True,
    )
