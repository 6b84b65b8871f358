"""Read list headers up to a bound: the reading of a long one takes the time of other calls."""

from starlette.datastructures import Headers

# A browser sends about 100 characters, and a cache with twenty tags of 40 characters 900.
MAX_LIST_CHARACTERS = 1_000


def read_short_list(headers: Headers, name: str) -> str | None:
    """Return the lines of a header as one list (RFC 9110 §5.3), or None beyond the bound.

    An absent header is an empty list.
    """
    text = ", ".join(headers.getlist(name))
    return text if len(text) <= MAX_LIST_CHARACTERS else None
