"""Groups of an indicator, by channel, procedure and agency; their whole is their sum."""

from sync_service.indicators.formulas import FORMULAS
from tests.sync_service.indicators.november import dossier, hand_made, pushed
from tests.sync_service.national import National, agency, register

PROVINCES = {"group_by": "agency", "level": "province"}


async def test_groups_by_channel_procedure_and_agency(empty: National) -> None:
    await hand_made(empty)
    await register(empty, agency("H41.101", "Vinh", "commune"), agency("H41", "Nghệ An"))

    async def groups(**asked: str) -> dict[str, tuple[int, int]]:
        found = await empty.figure("on_time", period="2026-11", **asked)
        return {
            each["key"]: (each["numerator"], each["denominator"])
            for each in found["groups"]["items"]
        }

    # desk A E H in time, D I late; online B in time, C late; post F in time
    assert await groups(agency="H41", group_by="channel") == {
        "desk": (3, 5),
        "online": (1, 2),
        "post": (1, 1),
    }
    assert await groups(agency="H41", group_by="procedure") == {
        "1.001193": (4, 7),
        "1.000656": (1, 1),
    }
    assert await groups(agency="H41", group_by="agency") == {"H41.101": (4, 7), "H41.102": (1, 1)}
    assert await groups(group_by="agency") == {"H26": (1, 1), "H41": (5, 8)}
    assert await groups(group_by="agency", level="province") == {"H41": (5, 8)}
    assert await groups(group_by="agency", level="commune", agency="H41") == {"H41.101": (4, 7)}


async def test_level_without_groups_sums_the_agencies_of_that_level(empty: National) -> None:
    await hand_made(empty)
    await register(empty, agency("H41", "Nghệ An"), agency("H26", "Hà Nội", "central"))
    found = await empty.figure("on_time", period="2026-11", level="province")
    assert (found["numerator"], found["denominator"]) == (5, 8)


async def test_receiving_and_deciding_agency_are_counted_each_for_its_own(empty: National) -> None:
    await pushed(empty, dossier("11-02", "11-09T17:00", received_by="H41.101", decided_by="G15.02"))

    async def total(name: str, agency: str) -> int:
        counts = (await empty.figure(name, period="2026-11", agency=agency))["counts"]
        return sum(count for key, count in counts.items() if key != "total")

    assert await total("received_by_channel", "H41") == 1
    assert await total("received_by_channel", "G15") == 0
    assert await total("on_time", "H41") == 0
    assert await total("on_time", "G15") == 1


async def test_whole_is_the_sum_of_its_groups(empty: National) -> None:
    await hand_made(empty)
    await register(empty, agency("H41", "Nghệ An"), agency("H26", "Hà Nội"))
    for name in FORMULAS:
        whole = await empty.figure(name, period="2026")
        for asked in ({"group_by": "channel"}, {"group_by": "procedure"}, PROVINCES):
            found = await empty.figure(name, period="2026", **asked)
            assert found["counts"] == whole["counts"]
            for key, count in whole["counts"].items():
                assert sum(group["counts"][key] for group in found["groups"]["items"]) == count


async def test_agencies_that_stand_above_each_other_are_summed_once(empty: National) -> None:
    await hand_made(empty)
    await register(empty, agency("H41", "Nghệ An"), agency("H41.101", "Vinh"))
    found = await empty.figure("on_time", period="2026-11", **PROVINCES)
    assert {each["key"]: each["denominator"] for each in found["groups"]["items"]} == {
        "H41": 8,
        "H41.101": 7,
    }
    assert found["denominator"] == 8
