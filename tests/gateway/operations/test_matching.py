import re
import time
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.matching import Match, MethodNotAllowed, NotFound, match_operation
from gateway.operations.model import Operation
from gateway.operations.table import OPERATIONS

CODE = "H26.14-261102-0001"
NO_PATHS = (
    "",
    "/",
    "*",
    "oauth/token",
    "/oauth",
    "/oauth/token/",
    "//oauth/token",
    "/oauth//token",
    "/OAUTH/token",
    "/oauth/token\n",
    "http://inside/oauth/token",
    "/identity/v1",
    "/identity/v1/people",
    "/directory/v1/services",
    "/docs",
    "/healthz",
    "/dossier/v1/dossiers/",
    "/dossier/v1/dossiers/.",
    "/dossier/v1/dossiers/..",
    "/dossier/v1/dossiers/.../history",
    "/dossier/v1/dossiers/../dossiers",
    "/dossier/v1/dossiers/./history",
    "/dossier/v1/dossiers/../../../identity/v1/grants",
    "/dossier/v1/dossiers/%2e%2e/history",
    "/dossier/v1/dossiers/a%2Fb",
    "/dossier/v1/dossiers/a%2fhistory",
    "/dossier/v1/dossiers/a%252fhistory",
    "/dossier/v1/dossiers/a%5chistory",
    "/dossier/v1/dossiers/a\\history",
    "/dossier/v1/dossiers/a;b",
    "/dossier/v1/dossiers/a?b",
    "/dossier/v1/dossiers/a#b",
    "/dossier/v1/dossiers/a b",
    "/dossier/v1/dossiers/a\x00",
    "/dossier/v1/dossiers/a\r\nX-Right: all",
    "/dossier/v1/dossiers/a\x7f",
    "/dossier/v1/dossiers/a\u2215history",
    "/dossier/v1/dossiers/hồ-sơ",
    "/dossier/v1/dossiers/" + "a" * 129,
    "/dossier/v1/dossiers/{code}",
)


def filled(template: str) -> str:
    return re.sub(r"{\w+}", CODE, template)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
def test_every_operation_is_found_by_its_path(operation: Operation) -> None:
    match match_operation(operation.method, filled(operation.template)):
        case Match(found, parameters):
            assert found is operation
            assert list(parameters) == re.findall(r"{(\w+)}", operation.template)
            assert set(parameters.values()) <= {CODE}
        case other:
            pytest.fail(f"{other}")


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
def test_operation_lies_under_its_service(operation: Operation) -> None:
    prefixes = (f"/{operation.service}/v1/", "/ledger/v1/")
    outside = operation.template.startswith(("/oauth/token", "/.well-known/"))
    assert operation.template.startswith(prefixes) or outside
    assert operation.public == outside
    assert operation.idempotent == (operation.body_limit == 0)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/oauth/token", ("POST",)),
        ("/dossier/v1/dossiers", ("GET", "POST")),
        ("/sync/v1/dead-letters/7", ("DELETE", "GET")),
    ],
)
def test_other_methods_learn_the_allowed_ones(path: str, methods: tuple[str, ...]) -> None:
    assert match_operation("PUT", path) == MethodNotAllowed(methods)
    assert match_operation("HEAD", path) == MethodNotAllowed(methods)


@pytest.mark.parametrize("path", NO_PATHS)
def test_path_outside_the_table_does_not_exist(path: str) -> None:
    assert match_operation("GET", path) == NotFound()


@given(st.text(max_size=60))
def test_only_plain_values_pass_as_a_code(value: str) -> None:
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}", value, re.ASCII)
    found = match_operation("GET", f"/dossier/v1/dossiers/{value}")
    assert isinstance(found, Match) == bool(plain)


def test_finding_is_fast() -> None:
    path = f"/dossier/v1/dossiers/{CODE}/history"
    rounds = timeit.repeat(
        lambda: match_operation("GET", path), timer=time.thread_time, number=2_000, repeat=7
    )
    # About 1.5 us of CPU time measured; the bound leaves room for a busy machine.
    assert min(rounds) / 2_000 < 10e-6
