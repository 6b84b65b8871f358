from dossier_service.handlers import HANDLERS
from dossier_service.settings import Settings
from dossier_service.timers import TIMERS
from shared.runtime import worker


async def work(settings: Settings) -> None:
    await worker.run_worker(settings, handlers=HANDLERS, timers=TIMERS)
