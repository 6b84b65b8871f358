"""A fake sandbox behind a port, and the kit in this process between it and a client system."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from deploy.conformance.__main__ import Wishes, judge_client
from deploy.conformance.catalogue import Profile
from deploy.conformance.faults import Timing
from deploy.conformance.report import Report
from deploy.conformance.script import Limits
from tests.deploy.conformance.agency_system import AgencySystem
from tests.deploy.conformance.fake_sandbox import FakeSandbox
from tests.support.serving import serving

CLIENTS = {
    Profile.ONESTOP: "onestop-h26",
    Profile.EXTERNAL: "external-h41",
    Profile.READER: "onestop-h26",
}
Judge = Callable[..., Awaitable[Report]]


@pytest.fixture
def judge_system() -> Judge:
    """Judge a system with a habit against a fake sandbox, in the named steps of a profile."""

    async def judge(
        profile: Profile,
        habit: str | None = None,
        steps: tuple[str, ...] | None = None,
        **over: Any,
    ) -> Report:
        async with serving(FakeSandbox().build_application()) as port:
            return await _judge(f"http://127.0.0.1:{port}", profile, habit, steps, **over)

    return judge


async def _judge(
    url: str, profile: Profile, habit: str | None, steps: tuple[str, ...] | None, **over: Any
) -> Report:
    client = CLIENTS[profile]
    async with httpx.AsyncClient(trust_env=False) as http:
        system = AgencySystem(http, client, "secret", habit)

        async def act(kit_url: str, name: str, count: int) -> None:
            http.base_url = httpx.URL(kit_url)
            await system.act(name, count)

        wishes = Wishes(
            url=url,
            client=client,
            profile=profile,
            listen="127.0.0.1:0",
            actor=act,
            steps=steps,
            limits=Limits(step_s=60.0, settle_s=0.05),
            **({"timing": Timing(retry_after_s=1, late_s=0.5)} | over),
        )
        return await judge_client(wishes)
