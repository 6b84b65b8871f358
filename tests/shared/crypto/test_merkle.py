from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.crypto import merkle
from tests.gateway.proxy.proving import verify

leaf_lists = st.lists(st.binary(max_size=8).map(merkle.hash_leaf), min_size=1, max_size=70)


def test_tree_of_three_by_hand() -> None:
    a, b, c = (sha256(b"\x00" + each).digest() for each in (b"a", b"b", b"c"))
    left = sha256(b"\x01" + a + b).digest()
    assert merkle.compute_root([a, b, c]) == sha256(b"\x01" + left + c).digest()
    assert merkle.compute_path([a, b, c], 0) == [b, c]
    assert merkle.compute_path([a, b, c], 2) == [left]


def test_empty_tree_is_the_hash_of_nothing() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.compute_root([]).hex() == empty


def test_known_roots_of_certificate_transparency() -> None:
    # The test leaves and roots of RFC 6962's reference log.
    records = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    records.append("606162636465666768696a6b6c6d6e6f")
    leaves = [merkle.hash_leaf(bytes.fromhex(each)) for each in records]
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    assert {count: merkle.compute_root(leaves[:count]).hex() for count in roots} == roots


@given(leaf_lists, st.data())
def test_every_leaf_is_proved_by_its_path(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    siblings = merkle.compute_path(leaves, index)
    assert verify(leaves[index], index, len(leaves), siblings, merkle.compute_root(leaves))


@given(leaf_lists, st.data())
def test_another_leaf_place_or_path_proves_nothing(
    leaves: list[bytes], data: st.DataObject
) -> None:
    leaves = list(dict.fromkeys(leaves))
    index = data.draw(st.integers(0, len(leaves) - 1))
    siblings, root = merkle.compute_path(leaves, index), merkle.compute_root(leaves)
    count = len(leaves)
    other = merkle.hash_leaf(b"none of the leaves")
    assert not verify(other, index, count, siblings, root)
    assert not verify(leaves[index], index, count, [*siblings, other], root)
    assert not verify(leaves[index], count, count, siblings, root)
    if siblings:
        assert not verify(leaves[index], index, count, siblings[:-1], root)
        wrong = data.draw(st.integers(0, count - 1).filter(lambda place: place != index))
        assert not verify(leaves[index], wrong, count, siblings, root)


@given(leaf_lists)
def test_a_swap_or_a_loss_changes_the_root(leaves: list[bytes]) -> None:
    root = merkle.compute_root(leaves)
    assert merkle.compute_root(leaves[:-1]) != root
    if leaves[0] != leaves[-1]:
        assert merkle.compute_root([leaves[-1], *leaves[1:-1], leaves[0]]) != root


@pytest.mark.parametrize("index", [-1, 3])
def test_no_path_outside_the_tree(index: int) -> None:
    with pytest.raises(IndexError):
        merkle.compute_path([b"a", b"b", b"c"], index)


@given(leaf_lists)
def test_root_and_paths_are_those_of_each_leaf(leaves: list[bytes]) -> None:
    root, paths = merkle.compute_root_and_paths(leaves)
    assert root == merkle.compute_root(leaves)
    assert paths == [merkle.compute_path(leaves, index) for index in range(len(leaves))]
    for index, siblings in enumerate(paths):
        assert merkle.compute_root_from_path(leaves[index], index, len(leaves), siblings) == root


@given(leaf_lists, st.data())
def test_path_leads_to_the_root_where_it_is_proved_and_nowhere_else(
    leaves: list[bytes], data: st.DataObject
) -> None:
    index, count = data.draw(st.integers(-1, 80)), data.draw(st.integers(0, 80))
    siblings = data.draw(st.lists(st.sampled_from(leaves), max_size=8))
    leaf = data.draw(st.sampled_from(leaves))
    root = merkle.compute_root(leaves)
    led = merkle.compute_root_from_path(leaf, index, count, siblings)
    assert (led == root) == verify(leaf, index, count, siblings, root)
