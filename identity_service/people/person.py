from datetime import datetime
from typing import Literal, NamedTuple

MaritalStatus = Literal["SINGLE", "MARRIED", "DIVORCED", "WIDOWED"]
Status = Literal["ALIVE", "DECEASED", "LOCKED"]


class Person(NamedTuple):
    """A row of the register, in the order of its columns (`Person._fields`), ready for COPY."""

    personal_number: str
    full_name: str
    sex: int  # 1 male, 2 female
    birth_date: str  # ISO 8601, cut at its precision
    birth_precision: str  # day, month or year
    birth_prefix: str  # province of birth registration: the number's first three digits
    residence_province: str  # two digits; of the 63 where the record was not brought up to date
    residence_commune: str | None  # five digits; None beside a province that is no more
    household_id: str
    ethnicity: str
    marital_status: MaritalStatus
    status: Status
    updated_at: datetime
