"""A service that trusts any caller, so that it can be measured alone. No setting leads here.

It is started as the service is: `python -m deploy.bench.trusting dossier_service serve`.
"""

import runpy
import sys
from unittest.mock import patch

from starlette.types import Receive, Scope, Send

from shared.web.calls.call_guard import PROVED_CALL, CallGuard
from shared.web.calls.call_mac import AGENCY, CLIENT, NO_BODY, ProvedCall


async def _trust(guard: CallGuard, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        told = dict(scope["headers"])
        client, agency = (
            told[name].decode() if name in told else None for name in (CLIENT, AGENCY)
        )
        scope[PROVED_CALL] = ProvedCall(client, agency, NO_BODY, b"")
    await guard._app(scope, receive, send)  # noqa: SLF001 -- it stands in the place of a method


if __name__ == "__main__":
    with patch.object(CallGuard, "__call__", _trust):
        runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
