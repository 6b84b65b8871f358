"""The recipes of the guide to sign on get a token at once, and a key is changed as they say."""

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from tests.access.country import OPERATORS, Country
from tests.clients.recipes import list_blocks, run_shell
from tests.clients.running import require_tool
from tests.support.documents import ROOT
from tests.support.tools import (
    CLIENT_TOOLS,
    JAVAC,
    NIMBUS,
    NODE,
    OPENID_CLIENT,
    PYTHON_GENERATOR,
    Tool,
)

GUIDE = ROOT / "docs/en/how-to/oauth.md"
BLOCKS = list(list_blocks(GUIDE))
CLIENT, KINDS = "onestop-h26", ("ec", "ed25519", "rsa")
ADD_KEY = "POST /identity/v1/clients/{client_id}/keys"
RECIPES: dict[str, Sequence[Tool]] = {
    "Shell": (),
    "Python": (PYTHON_GENERATOR,),
    "Java": (JAVAC, NIMBUS),
    "Node.js": (NODE, OPENID_CLIENT),
}
FILE_NAME = re.compile(r"(?:<\?php )?(?:#|//) (\S+)\n")


def list_scripts(heading: str) -> list[str]:
    return [each.text for each in BLOCKS if (each.heading, each.language) == (heading, "sh")]


class Guide:
    """A folder in which the parts of the guide are run, against the address of a gateway."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        (self._begin,) = list_scripts("Sign on: OAuth 2.0")
        self._begin = self._begin.replace("http://127.0.0.1:8000", address)
        (folder / "jars").symlink_to(CLIENT_TOOLS / "java")
        (folder / "node_modules").symlink_to(CLIENT_TOOLS / "node_modules")
        for block in BLOCKS:
            if named := FILE_NAME.match(block.text):
                (folder / named[1]).write_text(block.text, encoding="utf-8")

    async def run(self, *headings: str) -> str:
        """Return the output of the last command below the headings."""
        script = "".join((self._begin, *(text for each in headings for text in list_scripts(each))))
        path = f"{CLIENT_TOOLS / 'python/bin'}{os.pathsep}{os.environ['PATH']}"
        output = await asyncio.to_thread(run_shell, script, self._folder, {"PATH": path})
        return output.strip().rpartition("\n")[2]

    def read_key(self, kind: str) -> bytes:
        return (self._folder / f"{kind}.jwk").read_bytes()


@pytest.fixture(scope="module")
async def guide(sandbox: Country, tmp_path_factory: pytest.TempPathFactory) -> Guide:
    """Make the keys as the guide says, and let two operators register them."""
    guide = Guide(tmp_path_factory.mktemp("recipes"), sandbox.identity.gateway_url)
    await guide.run("1. Make a key")
    path = f"/identity/v1/clients/{CLIENT}/keys"
    for kind in KINDS:
        for operator in OPERATORS:
            body = orjson.loads(guide.read_key(kind))
            await sandbox.as_operator(ADD_KEY, path, client=operator, json=body)
    return guide


def test_each_recipe_that_is_not_run_says_so() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    headings = re.findall(r"^### <a id=\"\w+\"></a>(.+)$", text, re.MULTILINE)
    assert headings == [*RECIPES, "C#", "PHP"]
    assert "This one and the next are not run by our tests" in text.partition("</a>C#")[2]


@pytest.mark.parametrize(("language", "tools"), RECIPES.items(), ids=RECIPES)
async def test_recipe_gets_a_token_at_first_try(
    sandbox: Country, guide: Guide, language: str, tools: Sequence[Tool]
) -> None:
    for tool in tools:
        require_tool(tool)
    token = await guide.run(language)
    headers = [("Authorization", f"Bearer {token}")]
    answer = await sandbox.ask("GET", "/dossier/v1/procedures", headers)
    assert answer.status_code == 200, answer.text


async def test_client_adds_a_key_by_the_signature_of_an_old_one(
    sandbox: Country, guide: Guide
) -> None:
    await sandbox.allow(CLIENT, {"operations": [ADD_KEY]}, agency="H26")
    added = orjson.loads(await guide.run("Shell", "5. Change a key"))
    assert added["kid"] == "next-2027", added
