"""The ways in which a fee can be paid."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

PaymentMethod = Literal["online", "cash", "transfer"]

# Events tell whether a fee was paid online.
IS_ONLINE: Final[Mapping[PaymentMethod, bool]] = MappingProxyType(
    {"online": True, "cash": False, "transfer": False}
)
