import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dossier_service.settings import Settings
from tests.dossier_service.catalogue.samples import PUBLISHED, announced, line
from tests.dossier_service.desk import BIRTH, Desk
from tests.support.service_commands import run_service_command


def run_import(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_service_command(settings, "catalogue", "import", *arguments)


def test_import_tells_what_came_of_every_line(
    own_settings: Settings, file: Callable[..., Path]
) -> None:
    path = file(line("1.555555"), "no json", line("1.555555"), line(BIRTH))
    done = run_import(own_settings, str(path))
    assert done.returncode == 1, done.stderr
    assert "4 read: 2 imported" in done.stdout
    assert "2 refused" in done.stdout
    assert "line 2 (no code)" in done.stdout
    assert "line 3 (1.555555): the same code as in line 1" in done.stdout
    assert "1 new, 0 changed, 1 unchanged" in done.stdout
    assert f"own entry {BIRTH}: added nothing; overruled name, requires_result, " in done.stdout
    again = json.loads(run_import(own_settings, str(path), "--json").stdout)
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, 2)
    assert again["own"] == [BIRTH]
    assert len(again["report"]["refused"]) == 2


@pytest.mark.skipif(not PUBLISHED.exists(), reason="no published procedures beside the project")
def test_all_that_was_published_is_imported_or_named(
    own_settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "plain.jsonl"
    path.write_bytes(gzip.decompress(PUBLISHED.read_bytes()))
    read = len(path.read_text().splitlines())
    first = json.loads(run_import(own_settings, str(PUBLISHED), "--json").stdout)
    assert first["report"]["read"] == read
    assert first["report"]["imported"] + len(first["report"]["refused"]) == read
    counted = first["new"] + first["changed"] + first["unchanged"]
    assert counted == first["report"]["imported"]
    again = json.loads(run_import(own_settings, str(path), "--json").stdout)
    assert (again["new"], again["changed"]) == (0, 0)


async def test_catalogue_is_announced_again_by_a_command(own_desk: Desk) -> None:
    seeded = await announced(own_desk)
    done = run_service_command(own_desk.settings, "catalogue", "announce")
    assert done.stdout == f"{len(seeded)} procedures announced\n", done.stderr
    assert seeded
    again = (await announced(own_desk))[len(seeded) :]
    assert {each["code"]: each for each in again} == {each["code"]: each for each in seeded}
