from shared.runtime.worker import run_worker
from sync_service.handlers import HANDLERS
from sync_service.settings import Settings
from sync_service.timers import TIMERS


async def work(settings: Settings) -> None:
    await run_worker(settings, handlers=HANDLERS, timers=TIMERS)
