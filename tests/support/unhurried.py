"""Limits of time that the services hold to, made long enough for a slow machine.

In production such a limit turns an overload into a clean refusal. In a test it would judge the
machine. A test of one of these limits sets it for itself.
"""

import pytest

from gateway.operations.table import OPERATIONS

SECONDS = 100

LIMITS = (
    "shared.runtime.app.CHECK_S",
    "shared.web.http_client.TIMEOUT",
    "shared.web.bodies.large_bodies.ROOM_WAIT_S",
    "shared.database.engine.CONNECT_S",
    "shared.database.engine.STATEMENT_S",
    "shared.database.engine.POOL_WAIT_S",
    "shared.database.engine.LOCK_S",
    "shared.database.engine.IDLE_S",
    "dossier_service.dossiers.filing_limiter.POOL_WAIT_S",
    "dossier_service.dossiers.repository.filing.MAX_SERIAL_WAIT_S",
    "identity_service.persons.guesses.limiter.MAX_QUEUE_WAIT_S",
    "identity_service.persons.sources.register.CONNECT_S",
    "identity_service.persons.sources.register.POOL_WAIT_S",
    "identity_service.persons.sources.register.STATEMENT_S",
    "sync_service.intake.push_limiter.MAX_WAIT_S",
    "gateway.main.ANSWER_S",
    "gateway.access.grant_refresh.ANSWER_S",
    "gateway.proxy.upstream._CONNECT_S",
    "gateway.proxy.proving._EPOCH_WITHIN_S",
    "gateway.proxy.call._TAKEN_WITHIN_S",
    "gateway.ledger.writer.MAX_RECORD_WAIT_S",
    "gateway.ledger.writer.DRAIN_S",
    "gateway.ledger.chain.chain.APPEND_S",
)


def lengthen_limits(patch: pytest.MonkeyPatch) -> None:
    for limit in LIMITS:
        patch.setattr(limit, SECONDS)
    for operation in OPERATIONS.values():
        # A frozen instance refuses setattr.
        patch.setitem(vars(operation), "timeout_s", float(SECONDS))
