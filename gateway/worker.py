"""The background half: hears which rights are in force, tells the heads of the ledger's chains."""

from gateway.handlers import HANDLERS
from gateway.settings import Settings
from gateway.timers import TIMERS
from shared import worker


async def work(settings: Settings) -> None:
    # Until it knows the rights in force, callers who have one would be refused.
    await worker.work(settings, handlers=HANDLERS, timers=TIMERS, catch_up=True)
