import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_service.agencies.provinces import read_old_provinces
from identity_service.persons.personal_numbers import Sex, compose_number
from shared.codes.persons.personal_numbers import holds_personal_number, refuse_personal_number

# One number of twelve digits and one of nine, as people, desks and programs write them.
SPELLINGS = [
    "001090000001", "001 090 000 001", "001-090-000-001", "001.090.000.001", "001/090/000/001",
    "001_090_000_001", "0 0 1 0 9 0 0 0 0 0 0 1", "001 - 090 - 000 - 001", "001090-000001",
    "001\u00a0090\u00a0000\u00a0001", "001\u2011090\u2011000\u2011001", "001\u200b090\u200b000001",
    "００１０９００００００１", "٠٠١٠٩٠٠٠٠٠٠١", "cb001090000001", "x001090000001z",
    "cccd-001090000001", "so 001090000001.", "(001)090(000)001", "001,090,000,001",
    "12 001090000001", "001090000001-2", "#001:090:000:001", "012345678", "012 345 678",
    "012.345.678", "cmnd012345678", "CMND: 012-345-678",
    "H26.001.090.000.001", "1.001193.H26.001.090.000.001", "H26.001.090.000.001-261116-0001",
    "H26.1.001.09.000.00.01.2", "001a090a000a001", "001abc090abc000abc001", "x001-090-000-001z",
    "001.x.090.x.000.x.001", "001....090....000....001",
    "001 --- 090 --- 000 --- 001", "001090000001abcdefabcdefabcdefab",
    "abcdef001090000001abcdefabcdefab", "ABCDEFABCDEFABCDEFAB001090000001",
    "012a345a678", "x012.345.678y", "001090-000001x",
]  # fmt: skip
OTHER = [
    "H26.101-261116-0001", "H41-261129-0001", "G09.20-20260609-0092637", "1.001193",
    "000.00.04.H12-210330-0001", "1.001193.000.00.00.H56", "2.002621.H56", "H26.101.102.103",
    "KQ.G15.000031", "000.00.00.G09-KQ002269", "officer-17", "clerk", "stamp", "desk-3",
    "HS/2026-17", "H26-2026-000123", "2026-11-29", "2026-11-29T09:00:00+07:00", "1234567890",
    "0010900000012", "01234567", "PHI-CT", "12,5", "", "a1b2c3d4e5f6a7b8c9",
    "4bf92f3577b34da6a3ce929d0e0e4736", "550e8400-e29b-41d4-a716-446655440000",
    "KQ.G15.000031 H26.101-261116-0001", "100 000", "8000", "H26.01.01.001.01",
    "2026-11-29 09:00:00", "2026-11-29T09:00:00.123+07:00", "2026-11-29T09:00:00.123456Z",
    "2026-11-29 09:00", "H37.02.02.007-261116-0001", "1.001193.H37.02.02.007", "HS2026A00123",
    "2026A00001234", "Luật 26/2023/QH15, 91/2025/QH15", "Nghị định 118/2025/NĐ-CP và 61/2018/NĐ-CP",
    "TT 01/2018/TT-VPCP, TT 03/2025/TT-VPCP", "01JDV5Z3K8Q2N7M4R6T9W1X3Y5",
    "1.001193 và 25 hồ sơ", "1.001193, 25 ngày", "1.001193 (10/2026)", "1.001193/2026",
    "12: 1.001193",
    "1.001193, 2.000815, 3.000123", "H26.101-261116-0001 12345", "H26.101-261116-0001, 12 bản",
    "H26.101-261116-0001, H26.101-261116-0002", "KQ.G15.101.000031", "2026-11-29 09:00, 5 bản",
    "2026-11-29T09:00:00Z 2026-11-30T09:00:00Z", "550e8400-e29b-41d4-a716-446655440000 25",
    "sha256:9f86d081884c7d659a2feaa0c55ad015", "officer-1-of-12-at-H26.101", "20261129T090000Z",
]  # fmt: skip


@pytest.mark.parametrize("text", SPELLINGS, ids=ascii)
def test_number_is_found_however_it_is_written(text: str) -> None:
    assert holds_personal_number(text)
    assert holds_personal_number(f"officer {text} of H26")
    with pytest.raises(ValueError, match="nine or twelve digits") as refused:
        refuse_personal_number(text)
    assert text not in str(refused.value)


@pytest.mark.parametrize("text", OTHER, ids=ascii)
def test_codes_dates_and_ids_are_no_numbers(text: str) -> None:
    assert refuse_personal_number(text) == text


@given(id_=st.uuids(version=4))
def test_random_id_is_no_number(id_: UUID) -> None:
    for text in (str(id_), id_.hex, id_.hex.upper(), f"client-{id_.hex}", f"{id_}.v1"):
        assert not holds_personal_number(text) or not any(map(str.isalpha, str(id_)))


HEX_LENGTHS = [16, 24, 32, 40, 64]  # spans, objects, MD5 and UUIDs, SHA-1, SHA-256
RANDOM_IDS = 10_000


def random_hex_ids(length: int, count: int = RANDOM_IDS) -> list[str]:
    """Return the same ids in every run."""
    chance = random.Random(length)
    return [f"{chance.getrandbits(4 * length):0{length}x}" for _ in range(count)]


@pytest.mark.parametrize("length", HEX_LENGTHS)
@pytest.mark.parametrize("form", ["{}", "client-{}", "sha:{}.v1"])
def test_random_hex_id_is_hardly_ever_taken_for_a_number(length: int, form: str) -> None:
    ids = random_hex_ids(length)
    for spelled in (ids, [each.upper() for each in ids]):
        taken_for_one = sum(holds_personal_number(form.format(each)) for each in spelled)
        assert taken_for_one < RANDOM_IDS / 1_000


@pytest.mark.parametrize("length", HEX_LENGTHS)
@pytest.mark.parametrize("prefix", [each.prefix for each in read_old_provinces()])
def test_number_that_was_written_into_a_hex_id_is_found(length: int, prefix: str) -> None:
    chance = random.Random(f"{length} {prefix}")
    for each in random_hex_ids(length, 10):
        number = compose_number(
            prefix, chance.choice((Sex.MALE, Sex.FEMALE)), chance.randint(1900, 2026), 123_456
        )
        at = chance.randrange(length - len(number) - 1)
        planted = f"{each[:at]}a{number}f{each[at + len(number) + 2 :]}"
        assert len(planted) == length
        is_uuid = length == 32 and UUID(planted).version in range(1, 9)
        assert is_uuid or holds_personal_number(planted)


@given(digits=st.from_regex(r"[0-9]{9}|[0-9]{12}", fullmatch=True), data=st.data())
def test_number_is_found_with_any_signs_between_its_digits(
    digits: str, data: st.DataObject
) -> None:
    signs = st.text(alphabet=" .-_/:,()\u00a0\u2010", max_size=3)
    assert holds_personal_number("".join(digit + data.draw(signs) for digit in digits))


# Forms that do not count, with the begin or the end of a number in them and the rest beside.
BESIDE_FORMS = {
    "procedure": "1.{0}{1}{sign}{2}{3}",
    "procedure behind a word": "x-1.{0}{1}{sign}{2}{3}",
    "agency": "H26.{0}.{1}{sign}{2}{3}",
    "agency, one group": "H26.{0}{sign}{1}{2}{3}",
    "localised procedure": "1.001193.H26.{0}.{1}{sign}{2}{3}",
    "dossier": "H26-261129-{0}{1}{sign}{2}{3}",
    "instant": "2026-11-29T09:00:00.{0}{1}{sign}{2}{3}",
    "uuid before": "550e8400-e29b-41d4-a716-aaaaaa{0}{1}{sign}{2}{3}",
    "uuid behind": "{0}{1}{sign}{2}{3}aa-e29b-41d4-a716-446655440000",
    "hex id before": "4bf92f3577b34da6a3ce929d0e{0}{1}{sign}{2}{3}",
    "hex id behind": "{0}{1}{sign}{2}{3}bf92f3577b34da6a3ce929d0e4",
}


@pytest.mark.parametrize("sign", ["-", ".", "/", " ", ": ", " - ", "_", "\u2011"])
@pytest.mark.parametrize("form", BESIDE_FORMS)
def test_number_of_which_a_part_stands_in_a_form_is_found(form: str, sign: str) -> None:
    for number in ("001090000001", "001191000002", "096201123456"):
        parts = [number[at : at + 3] for at in range(0, 12, 3)]
        text = BESIDE_FORMS[form].format(*parts, sign=sign)
        assert holds_personal_number(text)
        assert holds_personal_number(f"no-{text} of H26")


@pytest.mark.parametrize("text", ["1.234567-89", "1.234567-123456", "H26.012.345-678"])
def test_other_number_that_hangs_on_a_code_is_found(text: str) -> None:
    assert holds_personal_number(text)


@given(text=st.text(max_size=200))
def test_search_ends_on_any_text(text: str) -> None:
    holds_personal_number(text)
