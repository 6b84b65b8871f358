"""The tools beside the Python packages that some tests need, and the command that brings each."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

LIBFAKETIME = "*/faketime/libfaketime.so.1"


def find_libfaketime() -> list[Path]:
    return list(Path("/usr/lib").glob(LIBFAKETIME))


@dataclass(frozen=True)
class Tool:
    """`package` is that of Debian and Ubuntu; `use` says what is left out without the tool."""

    name: str
    package: str
    use: str
    is_there: Callable[[], object]

    @property
    def command(self) -> str:
        return f"apt-get install {self.package}"

    def lack(self) -> str:
        """Say what brings the tool, or nothing where it is there."""
        return "" if self.is_there() else f"needs {self.name}: {self.command}"


def _executable(name: str, package: str, use: str) -> Tool:
    return Tool(name, package, use, lambda: shutil.which(name))


PROMTOOL = _executable("promtool", "prometheus", "the tests of the alert rules")
NGINX = _executable("nginx", "nginx", "the comparison of `make bench` with nginx")
JAVA = _executable("java", "openjdk-17-jre-headless", "`make test-kafka`, Apache Kafka itself")
MAVEN = _executable("mvn", "maven", "`make test-kafka`, which fetches Apache Kafka")
UNSHARE = _executable("unshare", "util-linux", "the faults of disks and networks")
NFT = _executable("nft", "nftables", "the faults of networks")
FAKETIME = Tool("libfaketime", "faketime", "the faults of clocks", find_libfaketime)

OF_TESTS = (PROMTOOL, NGINX, JAVA, MAVEN)
OF_FAULTS = (UNSHARE, NFT, FAKETIME, JAVA, MAVEN)


def describe_missing(tools: Iterable[Tool]) -> Sequence[str]:
    """One line for each tool that is missing; nothing where all are there."""
    return [
        f"without {tool.name} left out: {tool.use}. To have it: {tool.command}"
        for tool in tools
        if not tool.is_there()
    ]
