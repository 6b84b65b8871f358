"""Read the types of problems that `make schemas` finds in the code."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict

from gateway.operations.table import OPERATIONS

EVERY = "*"
FILE = Path(__file__).with_name("data") / "problems.json"


class ProblemType(BaseModel):
    """A type of problems, as the classes of the problems describe it.

    `meaning` is empty where the title says all. `operations` name those that answer with it; `*` is
    every operation. It is empty for a problem of requests that reach no operation.
    """

    model_config = ConfigDict(frozen=True)

    type: str
    status: int
    title: str
    meaning: tuple[str, ...]
    advice: tuple[str, ...]
    operations: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.type.rpartition("/")[2]


@cache
def read_problem_types() -> Mapping[str, ProblemType]:
    """Return the types by their names; `make schemas` writes them."""
    rows = orjson.loads(FILE.read_bytes())
    types = [ProblemType.model_validate(row) for row in rows]
    return {problem_type.name: problem_type for problem_type in types}


@cache
def list_types_by_operation() -> Mapping[str, tuple[ProblemType, ...]]:
    """Return the types that each operation may answer with, by the name of the operation."""
    types = read_problem_types().values()
    return {
        name: tuple(
            problem_type for problem_type in types if {name, EVERY} & set(problem_type.operations)
        )
        for name in OPERATIONS
    }
