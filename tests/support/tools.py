"""The tools beside the Python packages that some tests need, and the command that brings each."""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# The readers of the API description, which `make client-tools` brings.
CLIENT_TOOLS = Path(__file__).parents[2] / ".tools"
LIBFAKETIME = "*/faketime/libfaketime.so.1"


def find_libfaketime() -> list[Path]:
    return list(Path("/usr/lib").glob(LIBFAKETIME))


@dataclass(frozen=True)
class Tool:
    """`command` brings the tool; `use` says what is left out without it."""

    name: str
    command: str
    use: str
    is_there: Callable[[], object]

    def lack(self) -> str:
        """Say what brings the tool, or nothing where it is there."""
        return "" if self.is_there() else f"needs {self.name}: {self.command}"


def _executable(name: str, package: str, use: str) -> Tool:
    return Tool(name, _install(package), use, lambda: shutil.which(name))


def _install(package: str) -> str:
    """Return the command of Debian and Ubuntu."""
    return f"apt-get install {package}"


def _reader_of_the_api(name: str, place: str, use: str) -> Tool:
    """Return a tool in an environment of its own, which `tests/clients` pins."""
    path = CLIENT_TOOLS / place
    return Tool(name, "make client-tools", use, lambda: shutil.which(path, os.F_OK))


PROMTOOL = _executable("promtool", "prometheus", "the tests of the alert rules")
NGINX = _executable("nginx", "nginx", "the comparison of `make bench` with nginx")
JAVA = _executable("java", "openjdk-17-jre-headless", "`make test-kafka`, Apache Kafka itself")
MAVEN = _executable("mvn", "maven", "`make test-kafka`, which fetches Apache Kafka")
JAVAC = _executable("javac", "openjdk-17-jdk-headless", "the generated Java client")
UNSHARE = _executable("unshare", "util-linux", "the faults of disks and networks")
NFT = _executable("nft", "nftables", "the faults of networks")
FAKETIME = Tool("libfaketime", _install("faketime"), "the faults of clocks", find_libfaketime)
NODE = _executable("node", "nodejs npm", "the lint and the generated TypeScript client")
REDOCLY = _reader_of_the_api(
    "redocly", "node_modules/.bin/redocly", "the lint of the published descriptions"
)
PYTHON_GENERATOR = _reader_of_the_api(
    "openapi-python-client", "python/bin/openapi-python-client", "the generated Python client"
)
TYPESCRIPT_GENERATOR = _reader_of_the_api(
    "openapi-typescript", "node_modules/.bin/openapi-typescript", "the generated TypeScript client"
)
TYPESCRIPT_COMPILER = _reader_of_the_api(
    "tsc", "node_modules/.bin/tsc", "the compiler of the TypeScript client"
)
BRUNO = _reader_of_the_api("bru", "node_modules/.bin/bru", "the collection of Bruno")
NEWMAN = _reader_of_the_api("newman", "node_modules/.bin/newman", "the collection of Postman")
JAVA_GENERATOR = _reader_of_the_api(
    "openapi-generator", "java/openapi-generator-cli.jar", "the generated Java client"
)
NIMBUS = _reader_of_the_api(
    "oauth2-oidc-sdk", "java/oauth2-oidc-sdk.jar", "the sign-on of the guide in Java"
)
OPENID_CLIENT = _reader_of_the_api(
    "openid-client",
    "node_modules/openid-client/package.json",
    "the sign-on of the guide in Node.js",
)

OF_TESTS = (
    *(PROMTOOL, NGINX, JAVA, JAVAC, MAVEN, NODE),
    *(REDOCLY, PYTHON_GENERATOR, TYPESCRIPT_GENERATOR, TYPESCRIPT_COMPILER, JAVA_GENERATOR),
    *(NIMBUS, OPENID_CLIENT, BRUNO, NEWMAN),
)
OF_FAULTS = (UNSHARE, NFT, FAKETIME, JAVA, MAVEN)


def count_left_out(reasons: Iterable[str], whole: str) -> Sequence[str]:
    """One line for each reason, with the number that it left out of the whole, the most first."""
    counts = Counter(reasons).most_common()
    return [f"{count} of {whole} left out: {reason}" for reason, count in counts]


def describe_missing(tools: Iterable[Tool]) -> Sequence[str]:
    """One line for each tool that is missing; nothing where all are there."""
    return [
        f"without {tool.name} left out: {tool.use}. To have it: {tool.command}"
        for tool in tools
        if not tool.is_there()
    ]
