"""The ways in which a fee can be paid."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

PaymentMethod = Literal["online", "cash", "transfer"]

# Whether a payment by this method is a payment online, which is what the events tell of it.
IS_ONLINE: Final[Mapping[PaymentMethod, bool]] = MappingProxyType(
    {"online": True, "cash": False, "transfer": False}
)
