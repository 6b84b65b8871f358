import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deploy.secrets import make_secrets, make_store_secrets
from deploy.services import SERVICES


def contents(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_second_call_changes_nothing_and_a_lost_secret_is_made_anew(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets")
    first = contents(tmp_path)
    make_secrets(tmp_path / "secrets")
    assert contents(tmp_path) == first

    (tmp_path / "secrets" / "gateway" / "ledger_key").unlink()
    make_secrets(tmp_path / "secrets")
    changed = {name for name, secret in contents(tmp_path).items() if first[name] != secret}
    assert changed == {"secrets/gateway/ledger_key"}


@pytest.mark.parametrize("kept", [0, 20], ids=["empty", "cut off"])
@pytest.mark.parametrize(
    "secret",
    ["gateway/ledger_key", "identity_service/key_encryption_key", "sync_service/event_key"],
)
def test_damaged_secret_is_named_and_not_made_anew(secret: str, kept: int, tmp_path: Path) -> None:
    make_secrets(tmp_path)
    damaged = tmp_path / secret
    damaged.write_text(damaged.read_text()[:kept])
    command = [sys.executable, "-m", "deploy.secrets", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"{damaged} is empty or damaged: restore it from a copy")
    assert "Traceback" not in ended.stderr
    assert len(damaged.read_text()) == kept


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets")
    modes = {
        (path.is_dir(), stat.S_IMODE(path.stat().st_mode))
        for path in [tmp_path / "secrets", *(tmp_path / "secrets").rglob("*")]
    }
    assert modes == {(True, 0o700), (False, 0o600)}


def test_a_person_has_the_same_hash_in_every_service_that_hashes(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    keys = {name: key for name, key in contents(tmp_path).items() if "person_hash_key" in name}
    assert {name.split("/")[0] for name in keys} == {
        "identity_service",
        "dossier_service",
    }
    assert len(set(keys.values())) == 1
    assert len(bytes.fromhex(keys["dossier_service/person_hash_key"])) == 32


def test_broker_has_the_password_of_each_principal_and_no_other_may_read_them(
    tmp_path: Path,
) -> None:
    make_secrets(tmp_path)
    make_store_secrets(tmp_path)
    made = contents(tmp_path)
    jaas = made["kafka/jaas.conf"]
    for principal, folder in {**{name: name for name in SERVICES}, "admin": "topics"}.items():
        assert f'user_{principal}="{made[f"{folder}/kafka_password"]}"' in jaas
    assert jaas.count("user_") == len(SERVICES) + 2
    for folder, file in (("kafka", "jaas.conf"), ("grafana", "admin_password")):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o750
        assert stat.S_IMODE((tmp_path / folder / file).stat().st_mode) == 0o640
    make_store_secrets(tmp_path)
    again = contents(tmp_path)
    assert {name for name in made if made[name] != again[name]} == {"kafka/jaas.conf"}


def test_keys_are_of_their_kind_and_no_two_services_share_a_password(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    made = contents(tmp_path)
    event_keys = [f"{service}/event_key" for service in SERVICES]
    assert len({made[name] for name in event_keys}) == len(SERVICES)
    for name in ("gateway/rights_key", "gateway/ledger_key", *event_keys):
        key = load_pem_private_key(made[name].encode(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
    Fernet(made["identity_service/key_encryption_key"])
    passwords = {made[name] for name in made if name.endswith("database_password")}
    assert len(passwords) == 4


def test_each_service_shares_a_key_of_its_own_with_the_gateway_alone(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    made = {name: key for name, key in contents(tmp_path).items() if name.endswith("call_key")}
    assert len(made) == 6
    for short in ("identity", "dossier", "sync"):
        assert made[f"gateway/{short}_call_key"] == made[f"{short}_service/call_key"]
    assert len(set(made.values())) == 3
    assert {len(bytes.fromhex(key)) for key in made.values()} == {32}


@pytest.mark.parametrize("lost", ["sync_service/call_key", "gateway/sync_call_key"])
def test_lost_half_of_a_shared_key_leaves_no_half_behind(tmp_path: Path, lost: str) -> None:
    make_secrets(tmp_path)
    (tmp_path / lost).unlink()
    make_secrets(tmp_path)
    made = contents(tmp_path)
    assert made["gateway/sync_call_key"] == made["sync_service/call_key"]
