"""A back-up brings databases and secrets back as they were, or changes nothing."""

import json
import shutil
import stat
import sys
import tarfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from deploy.backup.archive import ArchiveUnfitError, Facts, read_archive, write_archive
from deploy.dev_stack.record import held
from deploy.process import running
from deploy.secrets import make_secrets
from deploy.services import SERVICES
from shared.events import OWNERS
from shared.messaging.inbox import Handlers
from tests.deploy.installed import Installed, install

FACTS = Facts("2026-11-30T16:00:00+00:00", "0.1.0", "18.0", {"gateway": "0007"})


def write_sample(folder: Path, file: Path) -> None:
    (folder / "secrets" / "gateway").mkdir(parents=True)
    (folder / "secrets" / "gateway" / "ledger_key").write_text("a key")
    (folder / "sandbox.json").write_text("{}")
    write_archive(file, folder, FACTS)


def test_archive_gives_back_each_file_and_its_owner_alone_reads_it(tmp_path: Path) -> None:
    file, out = tmp_path / "backup.tar", tmp_path / "out"
    write_sample(tmp_path / "in", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    out.mkdir()
    assert read_archive(file, out) == FACTS
    assert (out / "secrets" / "gateway" / "ledger_key").read_text() == "a key"
    assert {path.name for path in out.iterdir()} == {"secrets", "sandbox.json"}


def change_file(folder: Path) -> None:
    (folder / "secrets" / "gateway" / "ledger_key").write_text("another key")


def remove_file(folder: Path) -> None:
    (folder / "sandbox.json").unlink()


def add_file(folder: Path) -> None:
    (folder / "secrets" / "gateway" / "rights_key").write_text("one more")


def change_format(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    "spoil", [change_file, remove_file, add_file, change_format, remove_manifest]
)
def test_archive_that_is_not_as_it_was_written_is_refused(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    file, folder = tmp_path / "backup.tar", tmp_path / "in"
    write_sample(folder, file)
    spoil(folder)
    with tarfile.open(file, "w") as archive:
        archive.add(folder, ".")
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveUnfitError):
        read_archive(file, tmp_path / "out")


def test_file_that_is_no_archive_or_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    file, out = tmp_path / "backup.tar", tmp_path / "out"
    out.mkdir()
    with pytest.raises(ArchiveUnfitError):
        read_archive(file, out)
    file.write_text("no archive")
    with pytest.raises(ArchiveUnfitError):
        read_archive(file, out)
    with tarfile.open(file, "w") as archive:
        archive.addfile(tarfile.TarInfo("../led_out"))
    with pytest.raises(ArchiveUnfitError):
        read_archive(file, out)
    assert not (tmp_path / "led_out").exists()


def test_no_service_reads_events_of_one_that_is_dumped_before_it() -> None:
    """The snapshots are opened in the opposite order of `SERVICES`."""
    order = list(SERVICES)
    for service in SERVICES:
        if not find_spec(f"{service}.handlers"):
            continue
        handlers: Handlers = import_module(f"{service}.handlers").HANDLERS
        sources = {OWNERS[event.topic] for event in handlers}
        assert all(order.index(source) < order.index(service) for source in sources)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(tmp_path_factory.mktemp("installed") / "run")


@pytest.fixture(scope="module")
def backup(original: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("backup") / "backup.tar"
    done = original.back_up("write", str(file))
    assert done.returncode == 0, done.stderr
    return file


def copy_stopped(original: Installed, directory: Path) -> Installed:
    """Copy all files, each with its owner."""
    shutil.copytree(original.directory, directory)
    data = directory / "postgres"
    for path in (data, *data.rglob("*")):
        shutil.chown(path, (original.directory / "postgres").owner())
    return Installed(directory, original.ports)


@pytest.fixture
def empty(tmp_path: Path) -> Installed:
    return Installed(tmp_path / "run", {})


@pytest.mark.slow
def test_restore_into_an_empty_place_brings_all_back_and_sends_its_events_again(
    original: Installed, backup: Path, empty: Installed
) -> None:
    done = empty.back_up("restore", str(backup))
    assert done.returncode == 0, done.stderr
    assert "12 records: NOT PROVED" in done.stdout  # no anchor from outside, and no damage
    assert {path.name for path in empty.directory.iterdir()} <= {
        "lock",
        "secrets",
        "postgres",
        "sandbox.json",
    }
    counted = original.count_rows()
    assert counted["access_record"] == 12
    assert empty.count_rows() == counted
    for path in original.stack.secrets.rglob("*"):
        copy = empty.stack.secrets / path.relative_to(original.stack.secrets)
        assert stat.S_IMODE(copy.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
        assert path.is_dir() or copy.read_bytes() == path.read_bytes()
    with running(original.stack.postgres):
        sent = original.fetch("identity_service", "SELECT count(*) FROM outbox_sent")
    with running(empty.stack.postgres):
        assert sent > 0
        assert empty.fetch("identity_service", "SELECT count(*) FROM outbox_sent") == 0
        assert empty.fetch("identity_service", "SELECT count(*) FROM outbox") == sent + 1
        age = "SELECT max(now() - at) < interval '1 day' FROM handled_event"
        assert empty.fetch("gateway", age)
        for service in SERVICES:
            empty.run_service(service, "requeue")  # the roles may enter, and the secrets fit


@pytest.mark.slow
def test_restore_over_data_is_agreed_to_and_puts_it_aside(backup: Path, empty: Installed) -> None:
    make_secrets(empty.stack.secrets)
    (empty.directory / "postgres").mkdir()
    (empty.directory / "postgres" / "PG_VERSION").write_text("17")
    kept = (empty.stack.secrets / "gateway" / "ledger_key").read_text()
    refused = empty.back_up("restore", str(backup))
    assert refused.returncode == 1
    assert "HOW=--replace puts it aside" in refused.stderr
    assert (empty.stack.secrets / "gateway" / "ledger_key").read_text() == kept
    with held(empty.directory):
        running_now = empty.back_up("restore", str(backup), "--replace")
        assert running_now.stderr == f"The stack of {empty.directory} already runs.\n"

    done = empty.back_up("restore", str(backup), "--replace")
    assert done.returncode == 0, done.stderr
    [aside] = empty.directory.glob("replaced-*")
    assert (aside / "secrets" / "gateway" / "ledger_key").read_text() == kept
    assert (aside / "postgres" / "PG_VERSION").read_text() == "17"
    assert (empty.directory / "postgres" / "PG_VERSION").read_text() != "17"
    assert (empty.stack.secrets / "gateway" / "ledger_key").read_text() != kept


@pytest.mark.slow
def test_stack_without_its_secrets_refuses_to_start_until_they_are_put_back(
    original: Installed, backup: Path, tmp_path: Path
) -> None:
    lost = copy_stopped(original, tmp_path / "run")
    shutil.rmtree(lost.stack.secrets)
    started = lost.run(sys.executable, "-m", "deploy.dev_stack", "up")
    assert started.returncode == 1
    assert "person_hash_key in" in started.stdout
    assert "docs/backup.md" in started.stdout
    assert "Traceback" not in started.stdout

    done = lost.back_up("restore", str(backup), "--replace", "--secrets-only")
    assert done.returncode == 0, done.stderr
    name = Path("identity_service") / "person_hash_key"
    assert (lost.stack.secrets / name).read_text() == (original.stack.secrets / name).read_text()
    with running(lost.stack.postgres):
        for service in SERVICES:
            lost.run_service(service, "prepare")


@pytest.mark.slow
@pytest.mark.parametrize("spoiled", ["ledger", "secrets"])
def test_data_that_does_not_hold_together_is_not_restored(
    original: Installed, empty: Installed, tmp_path: Path, spoiled: str
) -> None:
    damaged = copy_stopped(original, tmp_path / "damaged")
    if spoiled == "secrets":
        (damaged.stack.secrets / "dossier_service" / "person_hash_key").write_text("f0" * 32)
    else:
        with running(damaged.stack.postgres):
            damaged.execute("gateway", "DELETE FROM access_record WHERE number = 2")
    file = tmp_path / "backup.tar"
    assert damaged.back_up("write", str(file)).returncode == 0
    done = empty.back_up("restore", str(file))
    assert done.returncode == 1
    assert ("DAMAGED" if spoiled == "ledger" else "person_hash_key") in done.stderr
    assert {path.name for path in empty.directory.iterdir()} <= {"lock"}


@pytest.mark.parametrize("variable", ["DATABASE_URL", "KAFKA_SERVERS"])
@pytest.mark.parametrize("action", ["write", "restore"])
def test_servers_that_are_not_embedded_are_left_alone(
    empty: Installed, tmp_path: Path, variable: str, action: str
) -> None:
    file = str(tmp_path / "backup.tar")
    command = (sys.executable, "-m", "deploy.backup", action, file)
    done = empty.run(*command, **{variable: "postgresql://admin@db/postgres"})
    assert done.returncode == 1
    assert "docs/backup.md" in done.stderr
    assert done.stderr.count("\n") == 1
