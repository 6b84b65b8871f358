"""The happy path of the collections runs in Bruno and in Postman, against a mesh."""

import json
from pathlib import Path

from deploy.api_collections.__main__ import BRUNO as BRUNO_FOLDER
from deploy.api_collections.__main__ import FOLDER, POSTMAN
from deploy.api_collections.requests import SECRET, STORY, STORY_STATUSES, VARIABLES
from tests.clients.running import run_tool
from tests.support.mesh import Mesh
from tests.support.tools import BRUNO, NEWMAN

# The settings of both: a file, so that no secret is an argument.
STEPS = set(STORY_STATUSES)


def test_bruno_runs_the_happy_path(mesh: Mesh, tmp_path: Path) -> None:
    settings = tmp_path / "mesh.bru"
    lines = [f"  {name}: {value}" for name, value in list_variables(mesh).items()]
    settings.write_text("\n".join(["vars {", *lines, "}", ""]))
    report = tmp_path / "report.json"
    run_tool(
        BRUNO,
        *("run", STORY, "--env-file", settings, "--reporter-json", report),
        folder=FOLDER / BRUNO_FOLDER,
    )
    [run] = json.loads(report.read_text())
    requests = {Path(result["path"]).stem.partition("-")[2] for result in run["results"]}
    assert requests == STEPS
    kinds = ("Assertions", "Tests", "PostResponseTests")
    assert sum(run["summary"][f"passed{kind}"] for kind in kinds) == len(STEPS)


def test_newman_runs_the_happy_path(mesh: Mesh, tmp_path: Path) -> None:
    settings = tmp_path / "mesh.json"
    values = [{"key": name, "value": value} for name, value in list_variables(mesh).items()]
    settings.write_text(json.dumps({"name": "mesh", "values": values}))
    report = tmp_path / "report.json"
    run_tool(
        NEWMAN,
        *("run", FOLDER / POSTMAN, "--folder", STORY, "--environment", settings),
        *("--reporters", "json", "--reporter-json-export", report),
        folder=tmp_path,
    )
    assertions = json.loads(report.read_text())["run"]["stats"]["assertions"]
    assert assertions == {"total": len(STEPS), "pending": 0, "failed": 0}


def list_variables(mesh: Mesh) -> dict[str, str]:
    client = VARIABLES["client_id"]
    return {"base_url": mesh.gateway, "client_id": client, SECRET: mesh.secrets[client]} | {
        name: VARIABLES[name] for name in ("purpose", "officer")
    }
