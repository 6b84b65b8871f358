"""The examples of each document run against a mesh as they stand, and print as they show."""

from pathlib import Path

import pytest

from deploy.dev_stack.stack import read_stack
from tests.support.documents import (
    ADDRESS,
    ROOT,
    RUN_ELSEWHERE,
    lay_out_clone,
    list_documents,
    matches_output,
    pair_blocks,
    read_blocks,
    run_examples,
)
from tests.support.mesh import Mesh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def list_runnable() -> list[Path]:
    """Return the documents with examples; of those with the same ones, the first."""
    found = {
        tuple(block.text for block, _ in pairs): document
        for document in reversed(list_documents())
        if document.relative_to(ROOT).as_posix() not in RUN_ELSEWHERE
        and (pairs := pair_blocks(read_blocks(document)))
    }
    return sorted(found.values())


@pytest.mark.parametrize(
    "document", list_runnable(), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_examples_run_and_print_as_shown(document: Path, mesh: Mesh, tmp_path: Path) -> None:
    pairs = pair_blocks(read_blocks(document))
    lay_out_clone(tmp_path, read_stack(mesh.environment).sandbox_file)
    texts = [block.text for block, _ in pairs]
    ran = run_examples(texts, tmp_path, mesh.gateway, mesh.environment)
    assert ran.returncode == 0, ran.errors
    # Where an output is shown, it says that a call is refused.
    assert [call for call in ran.refused if pairs[call.block][1] is None] == []
    for (block, shown), printed in zip(pairs, ran.printed, strict=True):
        if shown is not None:
            expected = shown.replace(ADDRESS, mesh.gateway)
            assert matches_output(expected, printed), f"line {block.line}: {printed}"
