from enum import StrEnum


class VerificationResult(StrEnum):
    """Name the result of a verification."""

    MATCH = "MATCH"
    MISMATCH = "MISMATCH"
    NOT_FOUND = "NOT_FOUND"
    NOT_YET_REPLICATED = "NOT_YET_REPLICATED"
    DECEASED = "DECEASED"
    LOCKED = "LOCKED"
    AMBIGUOUS = "AMBIGUOUS"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
