from dossier_service.handlers import HANDLERS
from dossier_service.settings import Settings
from dossier_service.timers import TIMERS
from shared.runtime import worker


async def work(settings: Settings) -> None:
    await worker.work(settings, handlers=HANDLERS, timers=TIMERS)
