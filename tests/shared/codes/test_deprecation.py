from datetime import date

import pytest

from shared.codes.deprecation import Deprecation


def test_sunset_lies_a_year_after_the_deprecation() -> None:
    kept = Deprecation(date(2026, 11, 2), date(2027, 11, 2), "GET /dossier/v2/dossiers")
    assert kept.describe_term() == (
        "Deprecated since 2026-11-02; it may be gone from 2027-11-02 on. "
        "Use `GET /dossier/v2/dossiers` instead."
    )
    with pytest.raises(ValueError, match="365 days or more after 2026-11-02"):
        Deprecation(date(2026, 11, 2), date(2027, 11, 1), "GET /dossier/v2/dossiers")
