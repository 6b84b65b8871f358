"""The quotas that each client has without a grant that names another."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from gateway.operations.model import QuotaClass

MINUTE_S = 60


class Quota(NamedTuple):
    amount: int
    window_s: int


# Defaults of each client. The whole country makes about 51 verifications a second.
DEFAULT_QUOTAS: Mapping[QuotaClass, Quota] = MappingProxyType(
    {
        QuotaClass.TOKEN: Quota(600, MINUTE_S),
        QuotaClass.READ: Quota(6_000, MINUTE_S),
        QuotaClass.WRITE: Quota(3_000, MINUTE_S),
        QuotaClass.VERIFICATION: Quota(6_000, MINUTE_S),
        QuotaClass.BULK: Quota(600, MINUTE_S),
        QuotaClass.ADMIN: Quota(600, MINUTE_S),
        QuotaClass.REFUSED: Quota(600, MINUTE_S),
        QuotaClass.ADDRESS: Quota(6_000, MINUTE_S),
        QuotaClass.OPEN: Quota(6_000, MINUTE_S),
    }
)
