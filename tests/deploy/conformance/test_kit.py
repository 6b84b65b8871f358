"""The kit refuses to judge where it cannot, and reports as it found."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types
from starlette.responses import HTMLResponse
from typer.testing import CliRunner

from deploy.conformance.__main__ import Wishes, cli, judge_client, read_address, write_report
from deploy.conformance.catalogue import Profile
from deploy.conformance.faults import Timing
from deploy.conformance.pdf import build_pdf
from deploy.conformance.proxy import Proxy, serve_proxy
from deploy.conformance.recorder import Recorder
from deploy.conformance.report import build_report_schema
from deploy.conformance.sandbox import METADATA, NoSandbox, Sandbox
from deploy.conformance.script import Interrupted, Limits, run_command
from deploy.conformance.stage import Stage
from deploy.conformance.trace import Call
from deploy.ports import free_port
from tests.deploy.conformance.agency_system import AgencySystem
from tests.deploy.conformance.conftest import Judge
from tests.deploy.conformance.fake_sandbox import FakeSandbox
from tests.support.serving import serving
from tests.support.waiting import eventually

CLIENT = "onestop-h26"
LIMITS = Limits(step_s=60.0, settle_s=0.1)


@pytest.fixture
async def sandbox_url() -> AsyncIterator[str]:
    async with serving(FakeSandbox().build_application()) as port:
        yield f"http://127.0.0.1:{port}"


async def test_gateway_in_use_is_refused_after_one_look() -> None:
    production = FakeSandbox(methods=["private_key_jwt"])
    async with serving(production.build_application()) as port:
        with pytest.raises(NoSandbox, match="is no sandbox"):
            await judge_client(Wishes(url=f"http://127.0.0.1:{port}", client=CLIENT))
    assert production.requests == ["metadata"]


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:8000", "http://user:pass@127.0.0.1", "http://"]
)
async def test_address_of_no_gateway_is_refused(url: str) -> None:
    with pytest.raises(NoSandbox):
        await judge_client(Wishes(url=url, client=CLIENT))


async def test_gateway_that_does_not_answer_is_refused() -> None:
    with pytest.raises(NoSandbox, match="does not answer"):
        await judge_client(Wishes(url=f"http://127.0.0.1:{free_port()}", client=CLIENT))


async def test_page_of_another_server_is_refused() -> None:
    async with serving(HTMLResponse("<h1>Hello</h1>")) as port:
        with pytest.raises(NoSandbox, match="does not describe a gateway"):
            await judge_client(Wishes(url=f"http://127.0.0.1:{port}", client=CLIENT))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "does not answer"),
        (["--report", "missing/conformance.json"], "no folder missing"),
        (["--url", "http://operator:secret@127.0.0.1"], "--url is the address"),
    ],
)
def test_command_that_cannot_judge_ends_with_its_own_code(
    options: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    common = ["--url", f"http://127.0.0.1:{free_port()}", "--client", CLIENT, "--no-pdf"]
    done = CliRunner().invoke(cli, [*common, *options])
    assert done.exit_code == 2
    assert reason in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["8900", ":8900", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x"])
def test_address_to_listen_at_has_host_and_port(text: str) -> None:
    with pytest.raises(ValueError, match="no host with a port"):
        read_address(text)


async def test_taken_port_is_refused(sandbox_url: str) -> None:
    taken = sandbox_url.removeprefix("http://")
    with pytest.raises(OSError, match="in use"):
        await judge_client(Wishes(url=sandbox_url, client=CLIENT, listen=taken))


async def test_system_that_never_calls_ends_the_run(sandbox_url: str) -> None:
    wishes = Wishes(url=sandbox_url, client=CLIENT, listen="127.0.0.1:0", limits=Limits(step_s=0.5))
    with pytest.raises(Interrupted, match="No call"):
        await judge_client(wishes)


async def test_calls_of_another_client_are_passed_on_and_not_judged(sandbox_url: str) -> None:
    async def act(kit_url: str, _: str, __: int) -> None:
        async with httpx.AsyncClient(base_url=kit_url, trust_env=False) as http:
            form = {"grant_type": "client_credentials"}
            answer = await http.post("/oauth/token", data=form, auth=("another", "secret"))
            assert answer.status_code == 200

    wishes = Wishes(url=sandbox_url, client=CLIENT, listen="127.0.0.1:0", limits=LIMITS, actor=act)
    with pytest.raises(Interrupted, match="and 1 of others"):
        await judge_client(wishes)


async def test_system_that_acts_by_itself_is_judged_too(sandbox_url: str) -> None:
    listen = f"127.0.0.1:{free_port()}"
    wishes = Wishes(
        url=sandbox_url,
        client=CLIENT,
        profile=Profile.READER,
        listen=listen,
        steps=("ordinary",),
        limits=LIMITS,
    )
    judging = asyncio.create_task(judge_client(wishes))
    async with httpx.AsyncClient(base_url=f"http://{listen}", trust_env=False) as http:
        await eventually(lambda: is_answering(http))
        await AgencySystem(http, CLIENT, "secret").act("list", 3)
        report = await judging
    (step,) = report.steps
    assert (step.name, step.end) == ("ordinary", "settled")
    assert step.calls >= 3


async def is_answering(http: httpx.AsyncClient) -> bool:
    with suppress(httpx.ConnectError):
        return (await http.get(METADATA)).is_success
    return False


async def test_command_that_is_not_there_ends_the_run(sandbox_url: str) -> None:
    async def act(kit_url: str, name: str, count: int) -> None:
        await run_command("./no-such-command", kit_url, name, count)

    wishes = Wishes(url=sandbox_url, client=CLIENT, listen="127.0.0.1:0", limits=LIMITS, actor=act)
    with pytest.raises(Interrupted, match="cannot be run"):
        await judge_client(wishes)


async def test_sandbox_that_goes_away_ends_the_run() -> None:
    server = serving(FakeSandbox().build_application())
    port = await server.__aenter__()

    async def act(kit_url: str, _: str, __: int) -> None:
        await server.__aexit__(None, None, None)
        async with httpx.AsyncClient(base_url=kit_url, trust_env=False) as http:
            assert (await http.get("/dossier/v1/dossiers")).status_code == 503

    wishes = Wishes(
        url=f"http://127.0.0.1:{port}",
        client=CLIENT,
        listen="127.0.0.1:0",
        limits=LIMITS,
        actor=act,
    )
    with pytest.raises(Interrupted, match="does not answer"):
        await judge_client(wishes)


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        ("OPTIONS *", b"", 400),
        ("POST /sync/v1/dossiers", b'{"rows": ' + b"[" * 100_000, None),
        ("POST /sync/v1/dossiers", b'{"rows": [{"a": ' + b"[" * 900 + b"]" * 900 + b"}]}", None),
    ],
)
async def test_hostile_request_is_recorded_with_its_answer(
    sandbox_url: str, head: str, body: bytes, status: int | None
) -> None:
    calls: list[Call] = []
    proxy = Proxy(
        Sandbox(sandbox_url), Recorder(CLIENT), Stage(), timing=Timing(), show=calls.append
    )
    async with serve_proxy(proxy, "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = f"{head} HTTP/1.1\r\nHost: kit\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(sent.encode() + body)
        answered = int((await reader.readline()).split()[1])
        writer.close()
    assert [call.status for call in calls] == [answered]
    assert status in {answered, None}


async def test_discovery_leads_to_the_kit_and_keeps_the_issuer(sandbox_url: str) -> None:
    found = {}

    async def act(kit_url: str, _: str, __: int) -> None:
        async with httpx.AsyncClient(base_url=kit_url, trust_env=False) as http:
            found.update((await http.get("/.well-known/oauth-authorization-server")).json())
            found["kit"] = kit_url

    wishes = Wishes(url=sandbox_url, client=CLIENT, listen="127.0.0.1:0", limits=LIMITS, actor=act)
    with pytest.raises(Interrupted):
        await judge_client(wishes)
    assert found["issuer"] == sandbox_url
    assert found["token_endpoint"] == f"{found['kit']}/oauth/token"


async def test_rule_without_evidence_is_not_passed(judge_system: Judge) -> None:
    report = await judge_system(Profile.READER, None, ("ordinary",))
    outcomes = {rule.name: rule.outcome for rule in report.rules}
    assert outcomes["token-reuse"] == "passed"
    assert outcomes["pages-by-next"] == "not_judged"
    assert report.outcome == "not_judged"


async def test_report_fits_its_schema(judge_system: Judge, tmp_path: Path) -> None:
    report = await judge_system(Profile.ONESTOP, "no-key", ("ordinary", "new-acts"))
    path = tmp_path / "conformance.json"
    write_report(report, path, with_pdf=False)
    content = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator(build_report_schema()).validate(content)
    assert content["outcome"] == "failed"
    (broken,) = (rule for rule in content["rules"] if rule["outcome"] == "failed")
    assert broken["evidence"]


async def test_pdf_is_an_archive_copy_that_names_the_digest_of_the_json(
    judge_system: Judge, tmp_path: Path
) -> None:
    pytest.importorskip("typst")
    report = await judge_system(Profile.EXTERNAL, "no-key", ("new-acts",))
    path = tmp_path / "conformance.json"
    write_report(report, path, with_pdf=True)
    pdf = path.with_suffix(".pdf").read_bytes()
    # The description of the document (XMP) is not compressed in PDF/A.
    assert sha256(path.read_bytes()).hexdigest().encode() in pdf
    assert b"<pdfaid:part>2</pdfaid:part>" in pdf
    assert build_pdf(report) == pdf
