from dataclasses import replace

from gateway.access.right_in_force import MAX_CACHED_PURPOSES, MAX_GRANTS_NAMED
from tests.gateway.access.test_grants import GRANT, codes, rights


def test_grants_that_carry_the_purpose_are_named_and_no_others() -> None:
    birth = replace(GRANT, id="birth", procedures=codes("1.001193"), legal_basis="Luật A")
    here = replace(GRANT, id="here", procedures=codes("1.001193.H26"), legal_basis="Luật A")
    copy = replace(GRANT, id="copy", procedures=codes("2.000815"), legal_basis="Luật B")
    [right] = rights(birth, here, copy)
    assert right.name_grants("1.001193")[:2] == (("birth",), ("Luật A",))
    assert right.name_grants("1.001193.H26")[:2] == (("birth", "here"), ("Luật A",))
    assert right.name_grants("2.000815.H29")[:2] == (("copy",), ("Luật B",))
    assert right.name_grants(None)[:2] == (("birth", "copy", "here"), ("Luật A", "Luật B"))


def test_few_of_hundreds_of_grants_are_named() -> None:
    grants = [replace(GRANT, id=f"{n:03}", procedures=codes(f"1.{n:06}")) for n in range(200)]
    [right] = rights(*grants)
    assert right.name_grants("1.000117").ids == ("117",)
    assert right.name_grants(None).ids == tuple(f"{n:03}" for n in range(MAX_GRANTS_NAMED))


def test_names_of_grants_are_kept_for_a_bounded_number_of_purposes() -> None:
    [right] = rights(GRANT)
    for number in range(3 * MAX_CACHED_PURPOSES):
        assert right.name_grants(f"1.{number:06}").ids == ("a",)
    assert len(right._named) <= MAX_CACHED_PURPOSES
