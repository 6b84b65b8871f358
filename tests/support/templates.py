"""The tables of each service, made by its migrations once and copied for each further database."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import dossier_service.settings
import gateway.settings
import identity_service.settings
import sync_service.settings
from shared.runtime.migrations import upgrade_database
from shared.settings import ServiceSettings

SETTINGS: Mapping[str, type[ServiceSettings]] = MappingProxyType(
    {
        "identity_service": identity_service.settings.Settings,
        "dossier_service": dossier_service.settings.Settings,
        "sync_service": sync_service.settings.Settings,
        "gateway": gateway.settings.Settings,
    }
)


def migrate_database(service: str, url: str) -> None:
    """Run the migrations of the service, in a thread because they run an event loop."""
    settings = SETTINGS[service].model_construct(database_url=url)
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(upgrade_database, settings).result()
