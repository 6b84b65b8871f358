"""What is expected of the calls beside a fault is complained of where it is not so."""

import pytest

from tests.faults.catalogue import SILENT_S
from tests.faults.fault import Seen
from tests.faults.injections.processes import GATEWAY_S, SLACK_S, others_stay_fast
from tests.faults.journal import Attempt, Journal

BEGAN, ENDED = 100.0, 100.0 + SILENT_S


def reads(seconds: float, number: int = 16) -> list[tuple[str, float, float]]:
    return [("read", BEGAN + n, seconds) for n in range(number)]


def seen(*calls: tuple[str, float, float]) -> Seen:
    """Of kind, begin and seconds; before them a quick one of each kind a second."""
    quick = [(kind, 90.0 + n, 0.01) for kind in ("verify", "read") for n in range(10)]
    attempts = [
        Attempt(kind, "", 200, True, begin + seconds, seconds, personal=True)
        for kind, begin, seconds in [*quick, *calls]
    ]
    return Seen(Journal(attempts), load_began=90.0, began=BEGAN, ended=ENDED)


def test_silent_service_that_costs_its_own_callers_the_time_out_is_as_promised() -> None:
    told = seen(("verify", 101.0, GATEWAY_S + 0.1), *reads(0.05))
    assert list(others_stay_fast("identity")(told)) == []


def test_call_that_waits_until_the_silence_is_over_is_told() -> None:
    (told,) = others_stay_fast("identity")(seen(("verify", BEGAN, SILENT_S), *reads(0.05)))
    assert told == "1 calls waited for longer than the gateway's time-out"


@pytest.mark.parametrize("seconds", [0.6, SILENT_S, 2 * SILENT_S])
def test_call_to_another_service_that_is_slowed_is_told(seconds: float) -> None:
    (told,) = others_stay_fast("identity")(seen(*reads(seconds)))
    assert told.startswith(f"calls to others took {seconds:.2f} s")


def test_calls_to_others_that_do_not_even_begin_are_missed() -> None:
    # One a second before, 6 in 16 seconds now.
    (told,) = others_stay_fast("identity")(seen(*reads(0.05, number=6)))
    assert told == "38% of the usual calls to others began"


def test_silence_lasts_longer_than_any_call_may() -> None:
    assert SILENT_S > GATEWAY_S + SLACK_S
