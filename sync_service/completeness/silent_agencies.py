"""Which agencies' systems push no more: an agency is held against its own rhythm.

Two ministries once synced nothing for a quarter, and nobody was told: what never arrived is in no
log. An agency's rhythm is its longest pause of the last 28 days, so that nights, weekends and
holidays that it always keeps are no silence. Pure.
"""

from datetime import timedelta

KEPT = timedelta(days=28)
# What an agency is allowed beyond its longest pause, and one that has shown no rhythm yet.
SLACK, AT_FIRST = 1.5, timedelta(days=1)


def is_silent(pause: timedelta, longest: timedelta | None) -> bool:
    return pause > max((longest or AT_FIRST) * SLACK, timedelta(hours=2))
