"""Keep procedures in the memory of this process."""

import time
from collections import OrderedDict

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue import repository
from dossier_service.catalogue.procedure import PublishedProcedure

CURRENT_S = 5.0
MAX_VERSIONS = 5_000


class ProcedureCache:
    """Keeps procedures in memory, so that filing a dossier reads none from the database.

    A version never changes, and stays as long as there is room. The version in force is read again
    after `CURRENT_S`.
    """

    def __init__(self) -> None:
        self._versions: OrderedDict[tuple[str, int], PublishedProcedure] = OrderedDict()
        self._current: dict[str, tuple[int, float]] = {}

    async def find_current(self, session: AsyncSession, code: str) -> PublishedProcedure | None:
        version, asked_at = self._current.get(code, (0, float("-inf")))
        if time.monotonic() - asked_at < CURRENT_S and (held := self._find_held(code, version)):
            return held
        published = await repository.find_current_version(session, code)
        if published:
            self._current[code] = published.version, time.monotonic()
            self._hold_version(published)
        return published

    async def find_version(
        self, session: AsyncSession, code: str, version: int
    ) -> PublishedProcedure | None:
        if held := self._find_held(code, version):
            return held
        published = await repository.find_version(session, code, version)
        if published:
            self._hold_version(published)
        return published

    def _find_held(self, code: str, version: int) -> PublishedProcedure | None:
        if held := self._versions.get((code, version)):
            self._versions.move_to_end((code, version))
        return held

    def _hold_version(self, published: PublishedProcedure) -> None:
        self._versions[published.procedure.code, published.version] = published
        if len(self._versions) > MAX_VERSIONS:
            self._versions.popitem(last=False)
