"""Translate agency codes of QĐ 20/2020/QĐ-TTg (`H12.04`) to the older form of QCVN 102:2016.

The older form lists the levels in reverse order: `000.00.04.H12`.
"""

from shared.codes.agency import CodeError, parse_agency_code

_WIDTHS = (3, 2, 2)  # digits of levels 4, 3 and 2 in QCVN 102:2016


def format_qcvn_code(code: str) -> str | None:
    """Return the older form of a code, or None where QCVN 102:2016 cannot express it.

    Raise CodeError unless `code` has the form of QĐ 20/2020/QĐ-TTg.
    """
    first, *lower = parse_agency_code(code).split(".")
    if first.isdigit():
        raise CodeError("The code already has the form of QCVN 102:2016")
    if len(lower) > len(_WIDTHS):
        return None
    groups = [*reversed(lower)]
    groups = ["0"] * (len(_WIDTHS) - len(groups)) + groups
    if any(len(group) > width for group, width in zip(groups, _WIDTHS, strict=True)):
        return None
    return ".".join([*(g.zfill(w) for g, w in zip(groups, _WIDTHS, strict=True)), first])
