"""Parse the JSON of a request body unambiguously (RFC 7493), with a bounded amount of work."""

import json
import re
from decimal import Decimal
from typing import Any, Final, NoReturn

from shared.texts.translatable import Translatable

# A full push has 1,000 rows of less than 20 values each; other bodies have less than half of it.
MAX_VALUES: Final = 40_000
MAX_MEMBERS: Final = 32

# An escaped surrogate; only encoding the text shows whether the pair is complete.
_HALF_A_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
_ENCODER = json.JSONEncoder(ensure_ascii=False)
# An unclosed string is one match too, so the scan stays linear.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|,', re.DOTALL)


class _RefusedError(ValueError):
    pass


def loads_strict(body: bytes) -> Any:
    """Return the value of JSON in UTF-8 without half characters, repeated members and NaN.

    A number without a fractional part is an integer in any notation (`2097.0`, `1e3`). Raise
    JSONDecodeError, which repeats no value, also for more than `MAX_VALUES` values, more than
    `MAX_MEMBERS` members of one object, and nesting beyond the interpreter's recursion limit.
    """
    try:
        _require_few_values(body)
        read = json.loads(
            body.decode(),
            object_pairs_hook=_build_object,
            parse_constant=_refuse_constant,
            parse_float=_parse_number,
        )
        if _HALF_A_CHARACTER.search(body):
            for piece in _ENCODER.iterencode(read):  # in pieces, because a whole copy takes memory
                piece.encode()
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise _make_decode_error(Translatable("It is nested too deeply")) from None
    except UnicodeError:
        raise _make_decode_error(
            Translatable("It is not UTF-8, or holds half a character")
        ) from None
    except ValueError as error:
        why = Translatable("A number has too many digits")
        raise _make_decode_error(
            error.args[0] if isinstance(error, _RefusedError) else why
        ) from None
    return read


def _require_few_values(body: bytes) -> None:
    """Count the commas outside strings, but only if all commas together are too many."""
    if body.count(b",") < MAX_VALUES:
        return
    commas = 0
    for tokens, token in enumerate(_TOKEN.finditer(body)):
        commas += token[0] == b","
        # A value has one string, a member two, so more strings without commas are not JSON.
        if commas >= MAX_VALUES or tokens > 4 * MAX_VALUES:
            raise _RefusedError(
                Translatable(
                    "It holds more than {count} values; split it into several", count=MAX_VALUES
                )
            )


def _make_decode_error(why: Translatable) -> json.JSONDecodeError:
    return json.JSONDecodeError(why, "", 0)


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise _RefusedError(
            Translatable("An object holds more than {count} members", count=MAX_MEMBERS)
        )
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _RefusedError(Translatable("A member stands twice in one object"))
    return members


def _parse_number(text: str) -> int | float:
    """Return the number of a literal with a fraction or an exponent, a double (RFC 7493 §2.2).

    JSON Schema (§6.1.1) counts 2097.0 as an integer, and languages with one numeric type write it.
    """
    number = float(text)
    # The double nearest to 0.99…9 is 1, but the sender did not write 1.
    return int(number) if number.is_integer() and Decimal(text) == int(number) else number


def _refuse_constant(_: str) -> NoReturn:
    raise _RefusedError(Translatable("NaN and Infinity are no numbers of JSON"))
