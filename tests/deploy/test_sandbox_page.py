"""The page of a sandbox is the newest, names all that is seeded, and its requests run."""

import re
import subprocess
from html import unescape
from pathlib import Path

import httpx

from deploy.sandbox_page import PAGE, RESULTS, build_page
from identity_service.persons.result import VerificationResult
from identity_service.sandbox.clients import read_sandbox_clients
from identity_service.sandbox.personas import read_personas
from tests.support.mesh import Mesh

RUNS_WITHIN_S = 120


def test_page_is_newest() -> None:
    assert PAGE.read_text(encoding="utf-8") == build_page(), "stale: make schemas"


def test_page_lists_all_clients_and_personas() -> None:
    text = build_page()
    for client_id in read_sandbox_clients():
        assert f"<code>{client_id}</code>" in text
    for persona in read_personas().values():
        assert f"<code>{persona.personal_number}</code>" in text


def test_each_result_has_a_vietnamese_name() -> None:
    assert set(RESULTS) == set(VerificationResult)


def test_requests_of_the_page_run_one_after_the_other(mesh: Mesh, tmp_path: Path) -> None:
    page = httpx.get(f"{mesh.gateway}/sandbox").raise_for_status().text
    assert not any(secret in page for secret in mesh.secrets.values())
    commands = map(unescape, re.findall("<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL))
    (tmp_path / ".run").symlink_to(mesh.directory)
    done = subprocess.run(
        ["sh", "-e"],
        input="\necho\n".join(commands),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUNS_WITHIN_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verified, filed, moved, national = filter(None, done.stdout.split("\n"))
    assert '"result":"MATCH"' in verified
    assert '"status":2' in filed
    assert '"status":4' in moved
    assert '"status":4' in national
