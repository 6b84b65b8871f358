"""The story that a generated client of each language tells, from a token to a refused change.

A program signs on as two clients of the sandbox, verifies a person, files a dossier and moves it,
pushes a dossier of another system, lists the dossiers, and moves the first one again by its old
version. It writes the facts of this as JSON.
"""

from collections.abc import Mapping

from tests.access.country import Country

DESK, PUSHING = "onestop-h26", "external-h41"
FACTS: Mapping[str, object] = {
    "verified": "MATCH",
    "filed": "RECEIVED",
    "located": True,
    "moved": "PROCESSING",
    "pushed": "accepted",
    "listed": True,
    "refused": "/problems/changed-meanwhile",
}


def list_settings(sandbox: Country) -> Mapping[str, str]:
    """Return the address of the gateway and the secrets of both clients, as the programs read them.

    They are variables of the environment, so that no secret is an argument.
    """
    return {
        "GATEWAY_URL": sandbox.identity.gateway_url,
        "DESK_SECRET": sandbox.secrets[DESK],
        "PUSHING_SECRET": sandbox.secrets[PUSHING],
    }
