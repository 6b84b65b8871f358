"""What docker-compose.yml, its SQL and its image say again must be what the code says."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.services import SERVICES, Service
from shared.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
PARTS: dict[str, dict[str, Any]] = COMPOSE["services"]
# Read beside the settings, to find the secrets.
NOT_A_SETTING = {"secrets_dir"}
IDENTITY = SERVICES["identity_service"]
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def parts_of(service: Service) -> dict[str, dict[str, Any]]:
    """By what each does: prepare, serve, work."""
    commands = {name: part.get("command") or [""] for name, part in PARTS.items()}
    return {
        commands[name][-1]: part
        for name, part in PARTS.items()
        if commands[name][0] == service.name
    }


def test_sql_makes_the_roles_and_databases_that_the_services_have() -> None:
    sql = (ROOT / "deploy/compose/databases.sql").read_text(encoding="utf-8")
    made = re.findall(r"^  \('(\w+)', '(\w+)'\)", sql, re.MULTILINE)
    assert sorted(made) == sorted((each.role, each.database) for each in SERVICES.values())
    passwords = re.findall(r"^ALTER ROLE (\w+) PASSWORD", sql, re.MULTILINE)
    assert sorted(passwords) == sorted(each.role for each in SERVICES.values())


@EACH_SERVICE
def test_each_service_is_prepared_serves_and_works(service: Service) -> None:
    parts = parts_of(service)
    assert set(parts) == {"prepare", "serve", "work"}
    for part in parts.values():
        url = part["environment"]["DATABASE_URL"]
        assert url == f"postgresql+asyncpg://{service.role}@postgres/{service.database}"


@EACH_SERVICE
def test_every_variable_is_a_setting_of_its_service(service: Service) -> None:
    settings: type[ServiceSettings] = import_module(f"{service.name}.settings").Settings
    for part in parts_of(service).values():
        given = {variable.lower() for variable in part["environment"]}
        assert given - NOT_A_SETTING <= set(settings.model_fields)


@EACH_SERVICE
def test_a_service_sees_no_secrets_but_its_own(service: Service) -> None:
    for part in parts_of(service).values():
        mounted = [each for each in part["volumes"] if "/secrets/" in str(each)]
        assert mounted == [f"{service.short}-secrets:/secrets/{service.name}:ro"]
        assert part["environment"]["SECRETS_DIR"] == f"/secrets/{service.name}"


@EACH_SERVICE
def test_a_service_runs_without_root_and_capabilities_and_writes_to_memory_alone(
    service: Service,
) -> None:
    for part in parts_of(service).values():
        assert part["read_only"]
        assert part["cap_drop"] == ["ALL"]
        assert part["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in part
        assert not part.get("privileged")
    image = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (\w+)$", image, re.MULTILINE)[-1] == "lienthong"


@pytest.mark.parametrize("store", ["postgres", "kafka", "prometheus", "grafana"])
def test_store_has_no_more_of_the_machine_than_it_needs(store: str) -> None:
    part = PARTS[store]
    assert part["cap_drop"] == ["ALL"]
    # The first process of PostgreSQL gives its folder to a user and becomes it.
    kept = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"] if store == "postgres" else []
    assert part.get("cap_add", []) == kept
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert part["read_only"]
    assert part["pids_limit"] <= 500
    assert part["mem_limit"]


# As the images declare them: where nothing is mounted there, each start makes a volume without a
# name, which `docker compose down` leaves behind.
VOLUMES_OF_IMAGES = {
    "postgres": {"/var/lib/postgresql"},
    "apache/kafka": {"/var/lib/kafka/data", "/etc/kafka/secrets", "/mnt/shared/config"},
    "prom/prometheus": {"/prometheus"},
    "grafana/grafana": set[str](),
    "lien-thong": set[str](),
}


@pytest.mark.parametrize("name", PARTS)
def test_nothing_is_kept_in_a_volume_without_a_name(name: str) -> None:
    part = PARTS[name]
    mounted = {each.split(":")[0] for each in part["tmpfs"]} | {
        each["target"] if isinstance(each, dict) else each.split(":")[1]
        for each in part.get("volumes", [])
    }
    assert VOLUMES_OF_IMAGES[part["image"].rpartition(":")[0]] <= mounted


def test_make_down_ends_what_every_profile_starts() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (options,) = re.findall(r"^\tdocker compose(.*) down$", makefile, re.MULTILINE)
    profiles = {name for part in PARTS.values() for name in part.get("profiles", [])}
    assert set(re.findall(r"--profile (\w+)", options)) == profiles


def test_everything_has_a_limit_of_processes() -> None:
    assert all(part.get("pids_limit") for part in PARTS.values())


def test_board_and_broker_let_nobody_in_without_a_password() -> None:
    board = PARTS["grafana"]["environment"]
    assert not [name for name in board if "ANONYMOUS" in name]
    assert board["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/secrets/grafana/admin_password"
    broker = PARTS["kafka"]["environment"]
    listeners = [each.split("://")[0] for each in broker["KAFKA_LISTENERS"].split(",")]
    protocols = dict(
        each.split(":") for each in broker["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    )
    assert {protocols[each] for each in listeners} == {"SASL_PLAINTEXT"}
    assert "ANONYMOUS" not in broker["KAFKA_SUPER_USERS"]
    assert "KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND" not in broker


def test_sandbox_is_off_unless_it_is_asked_for() -> None:
    asked = [part["environment"].get("SANDBOX") for part in parts_of(IDENTITY).values()]
    assert asked == ["${SANDBOX:-false}"] * 3


@EACH_SERVICE
def test_service_signs_on_at_the_broker_as_itself(service: Service) -> None:
    for part in parts_of(service).values():
        assert part["environment"]["KAFKA_USER"] == service.name
        assert part["environment"]["KAFKA_SECURITY_PROTOCOL"] == "SASL_PLAINTEXT"
        assert part["environment"]["KAFKA_CREATES_TOPICS"] == "false"


def test_only_the_gateway_answers_outside_and_on_this_machine_alone() -> None:
    open_parts = {name: part["ports"] for name, part in PARTS.items() if "ports" in part}
    assert open_parts.pop("grafana") == ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"]
    assert open_parts == {"gateway": ["127.0.0.1:${GATEWAY_PORT:-${PORT_BASE:-8000}}:8000"]}
    outside = {name for name, part in PARTS.items() if set(part["networks"]) != {"inner"}}
    assert outside == {"gateway", "grafana"}
    assert PARTS["grafana"]["profiles"] == ["watch"]
    assert COMPOSE["networks"]["inner"]["internal"]


def test_the_image_holds_every_package_and_a_folder_for_its_secrets() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert {"shared", "requirements.lock", "deploy/demo", *SERVICES} <= let_in
    image = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"secrets/(\w+)", image)) == {*SERVICES, "kafka", "topics", "grafana"}


def wait_of(name: str) -> set[str]:
    """Return all parts that are up, ready or done before the part starts."""
    needs = PARTS[name].get("depends_on", {})
    return set(needs).union(*map(wait_of, needs))


def test_gateway_starts_when_nothing_is_left_to_wait_for() -> None:
    needs = PARTS["gateway"]["depends_on"]
    conditions = {need["condition"] for need in needs.values()}
    assert conditions == {"service_healthy"}
    assert {*(service.short for service in SERVICES.values())} - {"gateway"} < set(needs)
    assert {"gateway-worker", "kafka", "postgres", "topics"} <= wait_of("gateway")


@pytest.mark.parametrize("name", PARTS)
def test_part_that_others_find_healthy_has_a_check(name: str) -> None:
    for need, how in PARTS[name].get("depends_on", {}).items():
        is_disabled = PARTS[need].get("healthcheck", {}).get("disable", False)
        assert (how["condition"] == "service_completed_successfully") == is_disabled or (
            how["condition"] == "service_started"
        )


def test_story_is_told_in_the_image_with_the_clients_of_the_sandbox() -> None:
    demo, prepare = PARTS["demo"], PARTS["identity-prepare"]
    assert demo["image"] == PARTS["gateway"]["image"]
    assert demo["environment"]["SANDBOX_FILE"] == prepare["environment"]["SANDBOX_FILE"]
    assert "sandbox:/sandbox:ro" in demo["volumes"]
    assert demo["depends_on"] == {"gateway": {"condition": "service_healthy"}}


def test_files_of_the_image_are_enough_for_its_programs(tmp_path: Path) -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for path in (line.removeprefix("!") for line in ignored if line.startswith("!")):
        if f"{path}/*" not in ignored:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).symlink_to(ROOT / path)
    assert (tmp_path / "deploy" / "verify_proof.py").is_file()
    programs = ["deploy.demo.__main__", "deploy.secrets", "deploy.topics"]
    programs += [f"{service}.__main__" for service in SERVICES]
    ended = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(programs)}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


DOCKER = """#!/bin/sh
case "$*" in
  "compose port gateway 8000") echo 127.0.0.1:8000 ;;
  "compose --profile watch port grafana 3000") [ -n "$BOARD" ] && echo "$BOARD" ;;
  "compose exec -T identity printenv SANDBOX") echo "$SANDBOX" ;;
  *) echo "not known: $*" >&2; exit 9 ;;
esac
"""


@pytest.mark.parametrize(
    ("sandbox", "board", "told"),
    [
        ("true", "", ["sandbox", "story"]),
        ("false", "", ["clients"]),
        ("true", "127.0.0.1:3000", ["board", "sandbox", "story"]),
    ],
)
def test_summary_says_where_all_is(
    sandbox: str, board: str, told: list[str], tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    ended = subprocess.run(
        [ROOT / "deploy/compose/summary.sh"],
        env={"PATH": path, "SANDBOX": sandbox, "BOARD": board},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "  API pages   http://127.0.0.1:8000/docs\n" in ended.stdout
    names = re.findall(r"^  (\w+)", ended.stdout, re.MULTILINE)
    assert names == ["API", "services", "logs", *told]
