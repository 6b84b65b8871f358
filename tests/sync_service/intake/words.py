"""Random words of systems about their dossiers, and an own reckoning of the state they make.

Nothing here uses the rules of the product: the reckoning looks at all words of a dossier at once,
from the beginning, and knows neither batches nor an order of arrival.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.sync_service.national import new_code

BEGIN = datetime(2026, 11, 2, 1, tzinfo=UTC)
# Few of them: words of equal times are frequent.
TICKS = 6
ENDS = {3, 7, 8, 9, 10}


@dataclass(frozen=True)
class Word:
    """A row as it is pushed; `is_full` tells a dossier row from a progress row."""

    is_full: bool
    row: dict[str, Any]

    @property
    def code(self) -> str:
        code: str = self.row["code"]
        return code

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.row["source_time"])


def tick(number: int) -> datetime:
    return BEGIN + timedelta(hours=9 * number)


def full(code: str, chance: random.Random, **over: Any) -> Word:
    """A row that contradicts neither itself nor the clock.

    Its reception may lie after the times of other words, also after an end that they tell.
    """
    status = chance.randint(1, 10)
    last = chance.randrange(TICKS)
    time = datetime.fromisoformat(over.get("source_time", tick(last).isoformat()))
    earlier = [tick(number) for number in range(TICKS) if tick(number) <= time]
    received = chance.choice([BEGIN - timedelta(hours=29), BEGIN, chance.choice(earlier)])
    is_received = status not in {1, 3} or chance.random() < 0.5
    due = received + timedelta(days=chance.choice([0, 1, 3, 40]))
    end = received + timedelta(hours=chance.choice([0, 20, 50]))
    row = {
        "code": code,
        "procedure": chance.choice(["1.001193", "1.001193.H41", "2.000815"]),
        "channel": chance.randint(1, 3),
        "status": status,
        "source_time": time.isoformat(),
        "version": chance.choice([0, 0, 0, 1]),
        "helped_by": chance.choice([None, "H41.103"]),
        "received_by": chance.choice(["H41.101", "H41.102"]),
        "decided_by": chance.choice(["H41.101", "H41"]),
        "filed_at": chance.choice([BEGIN - timedelta(hours=30), received]).isoformat(),
        "received_at": received.isoformat() if is_received else None,
        "due_at": due.isoformat() if is_received and chance.random() < 0.8 else None,
        "finished_at": end.isoformat() if status in ENDS and chance.random() < 0.5 else None,
    }
    return Word(is_full=True, row=row | over)


def progress(code: str, chance: random.Random) -> Word:
    row = {
        "code": code,
        "status": chance.randint(1, 10),
        "source_time": tick(chance.randrange(TICKS)).isoformat(),
        "step": chance.choice(["", "desk-1", "desk-2"]),
    }
    return Word(is_full=False, row=row)


def words_of(code: str, chance: random.Random) -> list[Word]:
    """At least one full row, else nothing of the dossier would be shown."""
    told = [full(code, chance) for _ in range(chance.randint(1, 3))]
    return told + [progress(code, chance) for _ in range(chance.randint(0, 3))]


def without_ties(words: Iterable[Word]) -> list[Word]:
    """Of the full rows of one dossier, time and version only the first."""
    kept: dict[tuple[object, ...], Word] = {}
    for place, word in enumerate(words):
        key = (word.code, word.time, word.row["version"]) if word.is_full else (place,)
        kept.setdefault(key, word)
    return list(kept.values())


def stories(count: int, chance: random.Random) -> list[Word]:
    words: list[Word] = []
    for _ in range(count):
        words += without_ties(words_of(new_code("H41.101"), chance))
    return words


def batches(words: Sequence[Word], chance: random.Random, most: int) -> list[list[Word]]:
    """The words in a new order, some of them twice, cut into pushes of one kind of rows."""
    told = [*words, *chance.sample(words, len(words) // 8)]
    chance.shuffle(told)
    cut: list[list[Word]] = []
    while told:
        size = chance.randint(max(1, most // 2), most)
        taken, told = told[:size], told[size:]
        kinds = [True, False]
        chance.shuffle(kinds)
        cut += [[word for word in taken if word.is_full is kind] for kind in kinds]
    return [batch for batch in cut if batch]


def reckoned(words: Sequence[Word]) -> dict[str, Any]:
    """The state of one dossier that is told by one system."""
    distinct = {(word.is_full, *map(str, word.row.values())): word for word in words}.values()
    order = sorted(distinct, key=_place)
    facts = [word for word in order if word.is_full][-1]
    last = order[-1]
    since = [word for word in order if _place(word) > _place(facts)]
    finished = facts.row["finished_at"]
    if any(word.row["status"] not in ENDS for word in since):
        finished = None
    status = last.row["status"]
    end = None
    if status in ENDS:
        end, is_broken_off = _end_of(_counting(order, facts))
        if finished and status == 10 and is_broken_off:
            end = min(end, datetime.fromisoformat(finished))
        elif finished:
            end = datetime.fromisoformat(finished)
    requests, requested_at = _requests(order, facts)
    return {name: facts.row[name] for name in facts.row.keys() - {"version", "source_time"}} | {
        "version": len(distinct),
        "source_time": last.time,
        "status": status,
        "finished_at": finished,
        "ended_at": end,
        "requests": requests,
        "requested_at": requested_at,
    }


def judged(state: Mapping[str, Any], today: date) -> str | None:
    """The count of the indicator that the dossier belongs to; None where it was not received."""
    if state["received_at"] is None:
        return None
    if state["due_at"] is None:
        return "without_due_date"
    due = _day(datetime.fromisoformat(state["due_at"]))
    if state["ended_at"]:
        return "ended_in_time" if _day(state["ended_at"]) <= due else "ended_late"
    if state["status"] == 5:
        is_late = state["requests"] > 1 or _day(state["requested_at"]) > due
    else:
        is_late = due < today
    return "open_late" if is_late else "open_in_time"


def _day(instant: datetime) -> date:
    """Viet Nam is seven hours ahead, all year."""
    return (instant.astimezone(UTC) + timedelta(hours=7)).date()


def _place(word: Word) -> tuple[object, ...]:
    """Later words come later; of one second, full rows first and by version, then by status."""
    if word.is_full:
        return word.time, 0, word.row["version"], 0
    return word.time, 1, 0, word.row["status"]


def _end_of(order: Sequence[Word]) -> tuple[datetime, bool]:
    """Return the end that the words tell, and whether it is that of a withdrawal or a stop."""
    ended: list[Word] = []
    for word in order:
        ended = [*ended, word] if word.row["status"] in ENDS else []
    assert ended, "a dossier that has ended was told to have ended"
    for wanted in ({9}, {7, 8, 10}, {3}):
        found = [word for word in ended if word.row["status"] in wanted]
        if found:
            return found[0].time, found[0].row["status"] in {7, 8}
    raise AssertionError("an end is one of these statuses")


def _counting(order: Sequence[Word], facts: Word) -> list[Word]:
    """Return the words without the ends that lie before the reception, or before the filing."""
    opened_at = datetime.fromisoformat(facts.row["received_at"] or facts.row["filed_at"])
    return [word for word in order if word.row["status"] not in ENDS or word.time >= opened_at]


def _requests(order: Sequence[Word], facts: Word) -> tuple[int, datetime | None]:
    """Return how many requests count, and the time of the first one; else of the first of all."""
    asked, before = [], 0
    for word in order:
        if word.row["status"] == 5 != before:
            asked.append(word.time)
        before = word.row["status"]
    if not asked or facts.row["received_at"] is None:
        return len(asked), asked[0] if asked else None
    received_at = datetime.fromisoformat(facts.row["received_at"])
    since = [time for time in asked if time >= received_at]
    if before == 5 and asked[-1] < received_at:
        since = [received_at]
    return len(since), since[0] if since else asked[0]
