"""The guide of the kit says what holds; its commands run against a real sandbox."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types
from typer.main import get_command

from deploy.conformance.__main__ import Wishes, cli, judge_client
from deploy.conformance.catalogue import Profile, read_acts, read_rules
from deploy.conformance.faults import Timing
from deploy.conformance.report import Outcome
from deploy.conformance.script import Limits
from deploy.dev_stack.stack import ROOT
from deploy.ports import free_port
from tests.contracts.written import committed
from tests.deploy.conformance.agency_system import AgencySystem
from tests.deploy.conformance.conftest import CLIENTS
from tests.support.mesh import Mesh

GUIDES = {
    "en": (ROOT / "docs/en/how-to/conformance.md").read_text(encoding="utf-8"),
    "vi": (ROOT / "docs/vi/how-to/conformance.md").read_text(encoding="utf-8"),
}
ENDS_WITHIN = 400


def list_cells(language: str, cells: int) -> list[list[str]]:
    lines = [line for line in GUIDES[language].splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if len(row) == cells]


def list_blocks(language: str) -> list[str]:
    return re.findall(r"```(?:sh|console)\n(.*?)```", GUIDES[language], re.DOTALL)


@pytest.mark.parametrize("language", GUIDES)
def test_guide_names_every_rule_with_its_source(language: str) -> None:
    named = [row for row in list_cells(language, 4) if row[0].isdigit()]
    assert named == [
        [
            str(rule.number),
            getattr(rule.title, language),
            rule.source,
            ", ".join(p for p in Profile if p in rule.profiles),
        ]
        for rule in read_rules()
    ]


def test_source_of_a_rule_is_a_page_that_is_there() -> None:
    named = [page for rule in read_rules() for page in re.findall(r"[\w/-]+\.md", rule.source)]
    assert named
    assert [page for page in named if not (ROOT / "docs/en" / page).exists()] == []


@pytest.mark.parametrize("language", GUIDES)
def test_guide_names_every_act_option_and_exit_code(language: str) -> None:
    first = " ".join(row[0] for row in list_cells(language, 2))
    assert {f"`{act}`" for act in read_acts()} <= set(first.split())
    options = {
        name
        for parameter in get_command(cli).params
        for name in parameter.opts + parameter.secondary_opts
    }
    assert set(re.findall(r"--[a-z][a-z-]+", first)) == options - {"--pdf", "--help"}
    assert {"0", "1", "2"} <= set(first.split())


def test_both_languages_have_the_same_parts_and_commands() -> None:
    assert list_blocks("vi") == list_blocks("en")
    shapes = [
        [line.split()[0] for line in guide.splitlines() if line.startswith(("#", "|"))]
        for guide in GUIDES.values()
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.slow
def test_commands_of_the_guide_run_as_they_stand(mesh: Mesh, tmp_path: Path) -> None:
    pytest.importorskip("typst")
    script = "\n".join(list_blocks("en"))
    sandbox = mesh.directory / "sandbox.json"
    script = script.replace(".run/sandbox.json", str(sandbox)).replace(".run/", f"{tmp_path}/")
    script = script.replace(".venv/bin/python", sys.executable)
    # The pauses are for systems whose acts go on behind their command.
    quick = f"--listen 127.0.0.1:{free_port()} --settle 0.5 --late 1 --retry-after 1"
    script = script.replace("--settle 2", quick)
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=ROOT,
        env={**os.environ, "API": mesh.gateway, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS_WITHIN,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    report = json.loads((tmp_path / "conformance.json").read_text(encoding="utf-8"))
    Draft202012Validator(committed("conformance-report.json")).validate(report)
    assert report["outcome"] == "passed"
    assert (tmp_path / "conformance.pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.slow
@pytest.mark.parametrize("profile", [Profile.EXTERNAL, Profile.READER])
async def test_system_passes_against_a_real_sandbox(profile: Profile, mesh: Mesh) -> None:
    client = CLIENTS[profile]
    async with httpx.AsyncClient(trust_env=False) as http:
        system = AgencySystem(http, client, mesh.secrets[client])

        async def act(kit_url: str, name: str, count: int) -> None:
            http.base_url = httpx.URL(kit_url)
            await system.act(name, count)

        wishes = Wishes(
            url=mesh.gateway,
            client=client,
            profile=profile,
            listen="127.0.0.1:0",
            actor=act,
            limits=Limits(step_s=60.0, settle_s=0.5),
            timing=Timing(retry_after_s=1, late_s=0.5),
        )
        report = await judge_client(wishes)
    assert {rule.name: rule.faults for rule in report.rules if rule.faults} == {}
    assert report.outcome is Outcome.PASSED
