"""What may be seen, said once more and independently of the services; and what to try it with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st

from tests.conftest import MORE

# Some lie below others, and some only begin with the same characters.
AGENCIES = ("H26", "H26.1", "H26.10", "H26.10.1", "H29", "H29.1")
PROCEDURES = ("1.001193", "1.001193.H26", "1.001193.H26.1", "2.000815", "2.000815.H29")
# The codes of QCVN 102 of some of them: a right may name an agency in either form.
OTHER_FORMS = {
    "000.00.00.H26": "H26",
    "000.00.10.H26": "H26.10",
    "000.00.00.H29": "H29",
    "1.001193.000.00.00.H26": "1.001193.H26",
    "2.000815.000.00.00.H29": "2.000815.H29",
}
FIELDS = ("name", "personal_number", "address", "summary", "note", "documents", "results")

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Limits:
    """Of a right; None means all."""

    agencies: frozenset[str] | None = None
    procedures: frozenset[str] | None = None
    fields: frozenset[str] | None = None

    def reaches(self, agency: str) -> bool:
        """An agency stands for itself and for all below it."""
        if self.agencies is None:
            return True
        within = {OTHER_FORMS.get(one, one) for one in self.agencies}
        agency = OTHER_FORMS.get(agency, agency)
        return any(f"{agency}.".startswith(f"{one}.") for one in within)

    def allows(self, procedure: str) -> bool:
        """A national code stands for all its localised forms, a localised one for itself."""
        if self.procedures is None:
            return True
        procedure = OTHER_FORMS.get(procedure, procedure)
        national = ".".join(procedure.split(".")[:2])
        allowed = {OTHER_FORMS.get(one, one) for one in self.procedures}
        return bool({procedure, national} & allowed)

    def shows(self, field: str) -> bool:
        return self.fields is None or field in self.fields

    def sees(self, dossier: "Filed") -> bool:
        return self.allows(dossier.procedure) and any(map(self.reaches, dossier.agencies))

    def includes(self, other: "Limits") -> bool:
        """All that the other allows this one allows too; all is more than any some."""
        parts = (
            (self.agencies, other.agencies, self.reaches),
            (self.procedures, other.procedures, self.allows),
            (self.fields, other.fields, self.shows),
        )
        return all(
            mine is None or (theirs is not None and all(map(covers, theirs)))
            for mine, theirs, covers in parts
        )

    @property
    def claims(self) -> dict[str, Any]:
        """As a right says it."""
        named = {"agencies": self.agencies, "procedures": self.procedures, "fields": self.fields}
        return {name: None if limit is None else sorted(limit) for name, limit in named.items()}


@dataclass(frozen=True)
class Filed:
    """All that decides who sees a dossier."""

    procedure: str
    received_by: str
    decided_by: str
    helped_by: str | None = None

    @property
    def agencies(self) -> list[str]:
        return [code for code in (self.received_by, self.decided_by, self.helped_by) if code]


def some(values: tuple[str, ...]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.none() | st.frozensets(st.sampled_from(values), min_size=1, max_size=3)


agencies, procedures = st.sampled_from(AGENCIES), st.sampled_from(PROCEDURES)
_OTHER_AGENCIES = tuple(code for code in OTHER_FORMS if code[3] == ".")
_OTHER_PROCEDURES = tuple(code for code in OTHER_FORMS if code[1] == ".")
limits = st.builds(
    Limits,
    some((*AGENCIES, *_OTHER_AGENCIES)),
    some((*PROCEDURES, *_OTHER_PROCEDURES)),
    some(FIELDS),
)
filed = st.builds(Filed, procedures, agencies, agencies, st.none() | agencies)


def tried(examples: int) -> Callable[[Test], Test]:
    """The same examples at each run; `make fuzz` asks for more of them."""
    profile = settings(
        settings.get_profile("same"),
        max_examples=examples * MORE,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )

    def mark(test: Test) -> Test:
        marked: Test = pytest.mark.timeout(600 * MORE)(profile(test))
        return marked

    return mark
