import re

from gateway.purposes.legal_bases import FILE
from shared.codes.procedure import PROCEDURE_PATTERN
from tests.gateway.purposes.catalogues import (
    BASES,
)


def test_each_legal_basis_is_registered_once_with_a_code_that_is_no_procedure() -> None:
    codes = re.findall(r"^- code: (.+)$", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(codes) == len(BASES) > 0
    for code in codes:
        assert code.isascii()
        assert not re.fullmatch(PROCEDURE_PATTERN, code)
        begins, ends = BASES[code].valid_from, BASES[code].valid_to
        assert ends is None or begins <= ends
