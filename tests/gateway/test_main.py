import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path

import httpx
import psutil
import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from gateway.main import _background_tasks, _end_with_parent_process
from shared.crypto.ed25519 import KeyUnfitError, read_private_key
from tests.conftest import Databases
from tests.gateway.process import Process, gateway_process, until_ready
from tests.support.fake_upstream import SUBJECT
from tests.support.gateway_harness import (
    VERIFY,
    Gate,
    Services,
    is_reported,
    make_agency,
    make_client,
    open_gate,
)
from tests.support.waiting import eventually

PATH = VERIFY.split()[1]


async def test_readiness_names_each_check_and_tells_of_the_services(gate: Gate) -> None:
    await gate.tell(make_agency())
    await eventually(partial(is_reported, gate, "rights_fresh", "ok"))
    told = (await gate.http.get("/readyz")).json()
    assert told["checks"] == {"database": "ok", "rights": "ok", "chain": "ok"}
    assert told["reports"] == {
        "rights_fresh": "ok",
        # No procedure was ever announced here.
        "catalogue_complete": "CatalogueIncompleteError",
        "identity": "ok",
        "dossier": "ok",
        "sync": "ok",
    }


async def test_metrics_are_for_neighbours_only(gate: Gate) -> None:
    assert "ledger_records_total" in (await gate.http.get("/metrics")).text
    passed_on = await gate.http.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
    assert passed_on.status_code == HTTPStatus.NOT_FOUND
    public = httpx.ASGITransport(gate.gateway, client=("1.1.1.1", 1))
    async with httpx.AsyncClient(transport=public, base_url="http://gateway") as outside:
        assert (await outside.get("/metrics")).status_code == HTTPStatus.NOT_FOUND
        assert (await outside.get("/healthz")).is_success


async def test_unknown_path_is_a_problem(gate: Gate) -> None:
    answer = await gate.http.get("/nothing/here")
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("pem", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_unfit_key_is_named_and_not_repeated(pem: str) -> None:
    with pytest.raises(KeyUnfitError, match=r"^ledger_key is not a private key in PEM$"):
        read_private_key("ledger_key", SecretStr(pem))


async def test_served_gateway_answers_and_drains_at_sigterm(
    postgres: Databases, services: Services, tmp_path: Path
) -> None:
    asked, going_on, told = asyncio.Event(), asyncio.Event(), services.answer
    async with (
        gateway_process(postgres.migrated_url("gateway"), services, tmp_path) as gateway,
        httpx.AsyncClient(base_url=gateway.url, headers=gateway.headers) as http,
    ):
        assert (await http.post(PATH, json={})).is_success
        assert (await http.get("/docs/files/swagger-ui.css")).is_success

        services.answer = lambda: Waiting(asked, going_on)
        call = asyncio.create_task(http.post(PATH, json={}))
        await asked.wait()
        gateway.child.ask_to_stop()
        services.answer = told
        going_on.set()
        assert (await call).status_code == HTTPStatus.OK
        assert await gateway.ended() == 0
    assert (await call).json() == {}


async def test_killed_gateway_leaves_no_worker_behind(
    postgres: Databases, services: Services, tmp_path: Path
) -> None:
    database_url = postgres.migrated_url("gateway")
    async with gateway_process(database_url, services, tmp_path) as gateway:
        process = psutil.Process(gateway.pid)
        workers = process.children(recursive=True)
        assert workers
        process.kill()
        assert await gateway.ended() == -signal.SIGKILL
        await eventually(lambda: not any(worker.is_running() for worker in workers))


def list_workers(gateway: Process) -> list[psutil.Process]:
    children = psutil.Process(gateway.pid).children()
    return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


async def test_process_of_which_a_part_failed_drains_and_another_takes_its_place(
    postgres: Databases, services: Services, tmp_path: Path
) -> None:
    async with gateway_process(postgres.migrated_url("gateway"), services, tmp_path) as gateway:
        [worker] = list_workers(gateway)
        worker.send_signal(signal.SIGTERM)  # as a part that fails does
        await eventually(lambda: not worker.is_running())
        await until_ready(gateway.url)
        [other] = list_workers(gateway)
        assert other.pid != worker.pid


async def test_part_that_fails_ends_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    raised, others = list[signal.Signals](), asyncio.Event()
    monkeypatch.setattr(signal, "raise_signal", raised.append)

    async def fail() -> None:
        raise RuntimeError

    async def go_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            others.set()

    async with _background_tasks(fail(), go_on()):
        await eventually(lambda: raised == [signal.SIGTERM])
        assert not others.is_set()
    assert others.is_set()


def begin_as_orphan() -> None:
    os.getppid = lambda: 1
    _end_with_parent_process()


@pytest.mark.parametrize(("begin", "code"), [(_end_with_parent_process, 0), (begin_as_orphan, 1)])
async def test_worker_whose_parent_is_gone_already_ends(
    begin: Callable[[], None], code: int
) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=begin)
    worker.start()
    await asyncio.to_thread(worker.join)
    assert worker.exitcode == code


class Waiting(JSONResponse):
    """Says that it was asked for, and answers when it may go on."""

    def __init__(self, asked: asyncio.Event, going_on: asyncio.Event) -> None:
        super().__init__({}, headers={"X-Subject": SUBJECT})
        self.asked, self.going_on = asked, going_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        await self.going_on.wait()
        await super().__call__(scope, receive, send)


async def test_gateway_of_an_installation_without_clients_is_ready(
    postgres: Databases, services: Services
) -> None:
    """An installation begins without clients: the worker has consumed all, and there are none."""
    empty = postgres.migrated_url("gateway")
    async with open_gate(empty, services, ready=False) as gate:
        await eventually(partial(is_reported, gate, "rights_fresh", "RightsUnconsumedError"))
        await gate.tell()
        await eventually(partial(is_reported, gate, "rights_fresh", "ok"))
        answer = await gate.http.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["rights"]) == (200, "ok")


async def test_a_gateway_that_knows_nobody_is_not_ready(
    postgres: Databases, services: Services
) -> None:
    empty = postgres.migrated_url("gateway")
    async with open_gate(empty, services, ready=False) as gate:
        await eventually(partial(is_reported, gate, "rights_fresh", "RightsUnconsumedError"))
        assert (await gate.http.get("/readyz")).json()["checks"]["rights"] == "RightsUnknownError"
        await gate.tell(make_client("first-of-all"))
        assert (await gate.http.get("/readyz")).json()["checks"]["rights"] == "ok"
