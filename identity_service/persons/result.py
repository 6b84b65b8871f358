from enum import StrEnum


class Answer(StrEnum):
    """What a verification says of the person asked for."""

    MATCH = "MATCH"
    MISMATCH = "MISMATCH"
    NOT_FOUND = "NOT_FOUND"
    NOT_YET_REPLICATED = "NOT_YET_REPLICATED"
    DECEASED = "DECEASED"
    LOCKED = "LOCKED"
    AMBIGUOUS = "AMBIGUOUS"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
