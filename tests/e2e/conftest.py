"""What a client of the mesh needs for its calls."""

import httpx

from tests.faults.mesh import Mesh


async def sign_in(
    mesh: Mesh, http: httpx.AsyncClient, client: str = "onestop-h26"
) -> dict[str, str]:
    """The headers of a sandbox client's calls."""
    form = {
        "grant_type": "client_credentials",
        "client_id": client,
        "client_secret": mesh.secrets[client],
    }
    answer = (await http.post("/oauth/token", data=form)).raise_for_status()
    token = answer.json()["access_token"]
    return {"Authorization": f"Bearer {token}", "X-Purpose": "1.001193", "X-Officer": "clerk"}
