from identity_service.settings import Settings
from identity_service.timers import TIMERS
from shared.runtime import worker


async def work(settings: Settings) -> None:
    await worker.run_worker(settings, timers=TIMERS)
