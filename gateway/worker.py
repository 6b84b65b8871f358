"""The background half: hears which rights are in force, tells the heads of the ledger's chains."""

from gateway.handlers import HANDLERS
from gateway.settings import Settings
from gateway.timers import TIMERS
from shared import worker


async def work(settings: Settings) -> None:
    await worker.work(settings, handlers=HANDLERS, timers=TIMERS)
