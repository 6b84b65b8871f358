"""Set the headers that every answer of the gateway has (RFC 9110, RFC 9111)."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.ledger.record_draft import DRAFT
from gateway.operations.model import PUBLIC_S
from gateway.operations.table import OPERATIONS
from gateway.proxy.headers import REQUEST_ID, RawHeaders, find_header
from shared.observability.request_log import READINESS, LoggedAnswer, find_first_logged_status
from shared.web.calls.internal_headers import RawHeader
from shared.web.middleware import label_request

_NO_STORE = (b"cache-control", b"no-store")
_BRIEFLY = (b"cache-control", b"public, max-age=%d" % PUBLIC_S)
_EVERY: tuple[RawHeader, ...] = (
    # Without this header the server adds its own name.
    (b"server", b"lien-thong"),
    (b"x-content-type-options", b"nosniff"),
)
_SET_HERE = frozenset(name for name, _ in _EVERY)
_SET_WHERE_PRIVATE = _SET_HERE | {b"cache-control"}
_PRIVATE = (_NO_STORE, *_EVERY)
_READS = frozenset(("GET", "HEAD"))
# These documents are the same for every caller; health changes and is not one of them.
_OWN = (
    "/",
    "/docs",
    "/openapi.json",
    "/problems",
    "/.well-known/right-keys.json",
    "/.well-known/ledger-keys.json",
    "/.well-known/legal-bases.json",
)
_SERVED = tuple(o.template for o in OPERATIONS.values() if o.public and o.method == "GET")
_PUBLIC_PATHS = frozenset(path.encode() for path in (*_OWN, *_SERVED))
_PUBLIC_FOLDERS = (b"/docs/files/", b"/problems/")
_FIRST_ERROR = 400


class AnswerHeaders:
    """Add the headers in an ASGI layer around the whole gateway, and log refusals and failures.

    Caches may keep public documents for a while, and no other answer: a cached answer would give
    access to personal data without a record, or after the end of a right.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._first_logged = app, find_first_logged_status()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        public, began_at = is_public_document(scope), time.perf_counter()
        logged: LoggedAnswer | None = None

        async def send_complete(message: Message) -> None:
            nonlocal logged
            if message["type"] == "http.response.start":
                cacheable = public and message["status"] < _FIRST_ERROR
                headers = complete_answer_headers(message["headers"], public=cacheable)
                message = {**message, "headers": headers}
                if message["status"] >= self._first_logged and scope["path"] != READINESS:
                    logged = _describe_answer(scope, message, began_at)
            elif logged:
                logged.write(message.get("body", b""))
                logged = None
            await send(message)

        await self._app(scope, receive, send_complete)


def _describe_answer(scope: Scope, start: Message, began_at: float) -> LoggedAnswer:
    (method, route), client = label_request(scope), None
    if draft := scope.get(DRAFT):
        route, client = draft.operation.template, draft.client
    request_id = (find_header(start["headers"], REQUEST_ID) or b"").decode()
    return LoggedAnswer(method, route, start["status"], began_at, client, request_id)


def is_public_document(scope: Scope) -> bool:
    path = scope["raw_path"]
    known = path in _PUBLIC_PATHS or path.startswith(_PUBLIC_FOLDERS)
    return known and scope["method"] in _READS


def complete_answer_headers(headers: RawHeaders, *, public: bool) -> list[RawHeader]:
    """Return `headers`, whose names are in lower case, with those of every answer."""
    if not public:
        completed = [header for header in headers if header[0] not in _SET_WHERE_PRIVATE]
        completed.extend(_PRIVATE)
        return completed
    completed = [header for header in headers if header[0] not in _SET_HERE]
    if not any(name == b"cache-control" for name, _ in completed):
        completed.append(_BRIEFLY)
    completed.extend(_EVERY)
    return completed
