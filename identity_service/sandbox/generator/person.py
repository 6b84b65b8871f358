from typing import Literal, NamedTuple

Status = Literal["ALIVE", "DECEASED", "LOCKED"]


class Person(NamedTuple):
    """What the register knows of somebody; from `sex` on in the order of its columns, for COPY."""

    personal_number: str
    full_name: str
    sex: int  # 1 male, 2 female
    birth_date: str  # ISO 8601, cut at its precision
    residence_province: str  # two digits; of the 63 where the record was not brought up to date
    residence_commune: str | None  # five digits; None beside a province that is no more
    status: Status
