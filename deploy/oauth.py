"""How a client system of the sandbox signs in at the gateway."""

import httpx


def sign_in(url: str, client: str, secret: str) -> dict[str, str]:
    """The header that proves it for ten minutes."""
    answer = httpx.post(
        f"{url}/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(client, secret),
        timeout=10,
        trust_env=False,
    )
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
