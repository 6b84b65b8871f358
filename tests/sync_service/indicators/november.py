"""Hand-made sets of dossiers, out of which indicators are worked out by hand."""

from typing import Any

from tests.sync_service.national import National, row


def dossier(day: str, due: str | None, end: str | None = None, **over: Any) -> dict[str, Any]:
    """Received at that day at 8:00; `due` and `end` as `11-09T17:00` of 2026, Viet Nam."""
    told = {
        "source_time": f"2026-{end}:00+07:00" if end else f"2026-{day}T08:30:00+07:00",
        "filed_at": f"2026-{day}T08:00:00+07:00",
        "received_at": f"2026-{day}T08:00:00+07:00",
        "due_at": f"2026-{due}:00+07:00" if due else None,
        "finished_at": f"2026-{end}:00+07:00" if end else None,
        "status": 9 if end else 4,
    }
    return row(**(told | over))


async def pushed(national: National, *rows: dict[str, Any]) -> None:
    outcomes = await national.outcomes(*rows, right={"agencies": None})
    assert set(outcomes) == {"accepted"}


async def hand_made(national: National) -> None:
    """November: nine received in H41, of which eight have a due date; one in H26; one in October.

    In time: A (early), B (on the due day, an hour after the due hour), E (open, due today),
    F (open, due next month), H (withdrawn in time). Late: C (a day), D (open, due yesterday),
    I (ended at 0:30 of the day after, Viet Nam; that is still the due day in UTC).
    """
    await pushed(
        national,
        dossier("11-02", "11-09T17:00", "11-05T10:00"),  # A
        dossier("11-02", "11-09T17:00", "11-09T18:00", channel=2),  # B
        dossier("11-03", "11-09T17:00", "11-10T08:00", channel=2),  # C
        dossier("11-03", "11-21T17:00"),  # D
        dossier("11-04", "11-22T08:00", procedure="1.000656.H41"),  # E
        dossier("11-20", "12-04T17:00", received_by="H41.102", channel=3),  # F
        dossier("11-20", None, received_by="H41.102", channel=3),  # G: no due date
        dossier("11-05", "11-09T17:00", "11-06T10:00", status=7),  # H
        dossier("11-05", "11-09T17:00", "11-10T00:30"),  # I
        row(status=1, received_at=None),  # never received
        row(status=3, received_at=None),  # never received
        dossier("11-02", "11-09T17:00", "11-09T08:00", received_by="H26.1"),
        dossier("10-31", "11-09T17:00", "11-09T08:00"),
    )
