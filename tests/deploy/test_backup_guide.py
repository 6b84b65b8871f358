"""The commands of docs/backup.md, run as they stand there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from deploy.dev_stack.stack import ROOT
from deploy.process import running
from deploy.secrets import digest_key, key_encryption_key, make_store_secrets
from deploy.services import SERVICES
from tests.deploy.installed import Installed, install
from tests.support.mesh import Mesh, running_mesh
from tests.support.waiting import eventually_sync

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GUIDE = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
FAKE_DOCKER = Path(__file__).with_name("fake_docker.py")
INTACT, NOT_PROVED = 0, 2
FAILED_RECIPE = 2  # of make, however the command ended


def list_blocks(heading: str) -> list[str]:
    _, _, section = GUIDE.partition(f"\n## {heading}\n")
    section, _, _ = section.partition("\n## ")
    return re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


BESIDE = list_blocks("The stack of `make run`")
DOCKER = list_blocks("Docker")
LOST = list_blocks("When a secret is lost")


def run_block(block: str, folder: Path, environment: dict[str, str], *, expected: int = 0) -> str:
    """Run the commands of the guide in the folder, with the Makefile of the project."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "make").write_text(
        f"#!/bin/sh\nexec {shutil.which('make')} --no-print-directory -f {ROOT}/Makefile"
        f' RUN={sys.executable} INSTALLED= "$@"\n'
    )
    (tools / "docker").write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE_DOCKER} "$@"\n')
    (tools / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    path = f"{tools}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", block],
        cwd=folder,
        env={**environment, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_command_of_the_guide_is_run_here() -> None:
    assert (len(BESIDE), len(DOCKER), len(LOST)) == (5, 2, 3)
    assert GUIDE.count("```sh\n") == 10


def file_dossier(mesh: Mesh, key: str) -> tuple[str, str]:
    """File a dossier; return its code and the receipt of the ledger."""
    body = {
        "procedure": "1.001193",
        "channel": 2,
        "applicant": {"kind": 1, "name": "Nguyễn Văn An", "personal_number": "001090000001"},
        "received_by": "H26.101",
        "decided_by": "H26.101",
        "fees": ["LP-KSQH"],
    }
    headers = {**mesh.sign_in(), "Idempotency-Key": key}
    answer = httpx.post(f"{mesh.gateway}/dossier/v1/dossiers", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["code"], answer.headers["X-Ledger-Receipt"]


def see_in_national_view(mesh: Mesh, code: str) -> int:
    path = f"{mesh.gateway}/sync/v1/dossiers/{code}"
    return httpx.get(path, headers=mesh.sign_in()).status_code


def test_stack_is_backed_up_while_it_runs_and_goes_on_from_there(tmp_path: Path) -> None:
    directory, guide = tmp_path / "run", tmp_path / "guide"
    guide.mkdir()
    (guide / ".run").symlink_to(directory)
    (guide / "passphrase").write_text("a passphrase of this test\n")
    with running_mesh(directory) as mesh:
        before, first = file_dossier(mesh, "before")
        eventually_sync(lambda: see_in_national_view(mesh, before) == 200)
        run_block(BESIDE[0], guide, dict(mesh.environment))
        after, second = file_dossier(mesh, "after")
        eventually_sync(lambda: see_in_national_view(mesh, after) == 200)
        run_block(BESIDE[1], guide, dict(mesh.environment))
        said = run_block(BESIDE[2], guide, dict(mesh.environment))
        assert "What was there is in" in said
    shutil.rmtree(directory / "secrets")
    run_block(BESIDE[3].replace("--replace ", ""), guide, dict(mesh.environment))
    run_block(BESIDE[3], guide, dict(mesh.environment))

    (directory / "up.log").unlink()  # the next start waits for its own words
    with running_mesh(directory) as mesh:
        assert see_in_national_view(mesh, before) == 200
        assert see_in_national_view(mesh, after) == 404
        again, _ = file_dossier(mesh, "again")
        eventually_sync(lambda: see_in_national_view(mesh, again) == 200)
        # The command runs in the folder of the project, where a reader of the guide is.
        verify = BESIDE[4].replace("receipts.txt", str(guide / "receipts.txt"))
        (guide / "receipts.txt").write_text(first + "\n")
        run_block(verify, guide, dict(mesh.environment), expected=INTACT)
        (guide / "receipts.txt").write_text(f"{first}\n{second}\n")
        said = run_block(verify, guide, dict(mesh.environment), expected=FAILED_RECIPE)
        assert "batch is not the one whose digest was told" in said
        run_block(LOST[0], guide, dict(mesh.environment))
        assert len([*(guide / "public-keys").iterdir()]) == len(SERVICES) + 1


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    made = install(tmp_path_factory.mktemp("installed") / "run")
    make_store_secrets(made.stack.secrets)
    return made


def test_volumes_of_docker_are_backed_up_and_filled_again(
    installed: Installed, tmp_path: Path
) -> None:
    environment, counted = dict(installed.environment), installed.count_rows()
    kept = (installed.stack.secrets / "gateway" / "ledger_key").read_text()
    *restore, verify = DOCKER[1].splitlines()
    with running(installed.stack.postgres):
        run_block(DOCKER[0], tmp_path, environment)
        run_block("\n".join(restore), tmp_path, environment)
        assert (installed.stack.secrets / "gateway" / "ledger_key").read_text() == kept
        # No anchor is on the axis, which is not there.
        assert "12 records: NOT PROVED" in run_block(
            verify, tmp_path, environment, expected=NOT_PROVED
        )
    assert installed.count_rows() == counted


@pytest.mark.parametrize(
    ("block", "service", "lost"),
    [
        (LOST[1], "dossier_service", "digest_key"),
        (LOST[2], "identity_service", "key_encryption_key"),
    ],
)
def test_secret_that_is_lost_for_good_is_replaced(
    installed: Installed, tmp_path: Path, block: str, service: str, lost: str
) -> None:
    secret = installed.stack.secrets / service / lost
    environment = installed.stack.service_environment(SERVICES[service])
    environment |= {"KAFKA_SERVERS": "127.0.0.1:1"}
    secret.write_text(digest_key() if lost == "digest_key" else key_encryption_key())
    with running(installed.stack.postgres):
        run_block(block, tmp_path, environment)
        run_block(f"python -m {service} requeue", tmp_path, environment)
