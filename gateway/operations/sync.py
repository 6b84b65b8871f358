"""List the operations of sync_service."""

from functools import partial

from gateway.operations.model import MIB, QuotaClass, Service, read, write

_bulk = partial(write, quota_class=QuotaClass.BULK, timeout_s=30.0, body_limit=8 * MIB)

SYNC_OPERATIONS = (
    _bulk("/sync/v1/dossiers", Service.SYNC),
    _bulk("/sync/v1/progress", Service.SYNC),
    read("/sync/v1/dossiers", Service.SYNC),
    read("/sync/v1/dossiers/{code}", Service.SYNC),
    read("/sync/v1/dossiers/{code}/timeline", Service.SYNC),
    read("/sync/v1/indicators", Service.SYNC),
    read("/sync/v1/indicators/{indicator}", Service.SYNC),
)
