"""Procedures in the memory of this process."""

import time
from collections import OrderedDict

from sqlalchemy.ext.asyncio import AsyncSession

from dossier_service.catalogue import repository
from dossier_service.catalogue.procedure import Published

CURRENT_SECONDS = 5.0
MOST_VERSIONS = 5_000


class ProcedureShelf:
    """Procedures in memory, so that filing a dossier asks the database for none.

    A version never changes and stays as long as there is room; which of them is in force is asked
    again after `CURRENT_SECONDS`.
    """

    def __init__(self) -> None:
        self._versions: OrderedDict[tuple[str, int], Published] = OrderedDict()
        self._current: dict[str, tuple[int, float]] = {}

    async def current(self, session: AsyncSession, code: str) -> Published | None:
        version, asked_at = self._current.get(code, (0, float("-inf")))
        if time.monotonic() - asked_at < CURRENT_SECONDS and (held := self._held(code, version)):
            return held
        found = await repository.find_current_version(session, code)
        if found:
            self._current[code] = found.version, time.monotonic()
            self._hold(found)
        return found

    async def version(self, session: AsyncSession, code: str, version: int) -> Published | None:
        if held := self._held(code, version):
            return held
        found = await repository.find_version(session, code, version)
        if found:
            self._hold(found)
        return found

    def _held(self, code: str, version: int) -> Published | None:
        if held := self._versions.get((code, version)):
            self._versions.move_to_end((code, version))
        return held

    def _hold(self, published: Published) -> None:
        self._versions[published.procedure.code, published.version] = published
        if len(self._versions) > MOST_VERSIONS:
            self._versions.popitem(last=False)
