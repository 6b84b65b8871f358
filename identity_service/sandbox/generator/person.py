from typing import Literal, NamedTuple

Status = Literal["ALIVE", "DECEASED", "LOCKED"]


class Person(NamedTuple):
    """Hold a record of the register; from `sex` on in the order of its columns, for COPY."""

    personal_number: str
    full_name: str
    sex: int  # 1 male, 2 female
    birth_date: str  # ISO 8601, cut at its precision
    residence_province: str  # two digits; one of the former 63 where the record is outdated
    residence_commune: str | None  # five digits; None in a former province
    status: Status
