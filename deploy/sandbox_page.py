"""Write the page of a sandbox, which the gateway shows: `python -m deploy.sandbox_page`.

It lists the clients and personas that identity_service seeds, and requests from the examples of
the API description. `GATEWAY` stands for the address of the gateway, which knows its own.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from deploy.api_collections.requests import (
    STORY_STATUSES,
    VARIABLES,
    WAITING,
    Request,
    read_requests,
    select_story,
)
from identity_service.persons.result import VerificationResult
from identity_service.sandbox.clients import SandboxClient, SandboxGrant, read_sandbox_clients
from identity_service.sandbox.personas import Persona, read_personas

_TEMPLATE = Path(__file__).with_suffix(".html")
PAGE = Path(__file__).parents[1] / "gateway/api_docs/data/sandbox.html"
RESULTS: Mapping[VerificationResult, str] = {
    VerificationResult.MATCH: "Khớp",
    VerificationResult.MISMATCH: "Không khớp",
    VerificationResult.NOT_FOUND: "Không tìm thấy",
    VerificationResult.NOT_YET_REPLICATED: "Chưa đồng bộ về",
    VerificationResult.DECEASED: "Đã mất",
    VerificationResult.LOCKED: "Hồ sơ bị khóa",
    VerificationResult.AMBIGUOUS: "Chưa xác định được",
    VerificationResult.SOURCE_UNAVAILABLE: "Nguồn dữ liệu không trả lời",
}
_TITLES: Mapping[str, str] = {
    "issue_oauth_token": "Lấy mã truy cập",
    "verify_person": "Xác thực một người",
    "file_dossier": "Nộp hồ sơ",
    "move_dossier": "Chuyển trạng thái hồ sơ",
    "read_national_dossier": "Đọc hồ sơ trong dữ liệu quốc gia",
}
_ALL = 'Tất cả <span lang="en">all operations</span>'
_TOKEN = """API=GATEWAY
SECRET=$(python3 -c 'import json; print(next(c["client_secret"] for c in json.load(open(".run/sandbox.json"))["clients"] if c["client_id"] == "CLIENT"))')
TOKEN=$(curl -s $API/oauth/token -u "CLIENT:$SECRET" -d grant_type=client_credentials | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')"""  # noqa: S105, E501 -- a shell takes a line as it is
_HEADERS: Mapping[str, str] = {
    "{{purpose}}": f"'X-Purpose: {VARIABLES['purpose']}'",
    "{{officer}}": f"'X-Officer: {VARIABLES['officer']}'",
    "{{etag}}": f"'If-Match: {VARIABLES['etag']}'",
    "{{$guid}}": '"Idempotency-Key: $(openssl rand -hex 16)"',
}


def build_page() -> str:
    clients = read_sandbox_clients().items()
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        clients="".join(_render_client(name, client) for name, client in clients),
        personas="".join(map(_render_persona, read_personas().values())),
        requests="".join(_render_request(request) for request in select_story(read_requests())),
    )


def _render_client(name: str, client: SandboxClient) -> str:
    rights = [line for grant in client.grants for line in _list_rights(grant)]
    note = f'<span lang="en">{escape(client.note)}</span>'
    return (
        f'<tr><th scope="row"><code>{name}</code></th><td><code>{client.agency}</code></td>'
        f"<td>{escape(client.name)} {note}</td><td>{_render_rights(rights)}</td></tr>\n"
    )


def _render_rights(rights: Sequence[str]) -> str:
    if len(rights) < 2:  # noqa: PLR2004 -- one right or none needs no list to open
        return "".join(rights) or 'Chưa có <span lang="en">none</span>'
    items = "".join(f"<li>{right}</li>" for right in rights)
    summary = f'{len(rights)} quyền <span lang="en">rights</span>'
    return f"<details><summary>{summary}</summary><ul>{items}</ul></details>"


def _list_rights(grant: SandboxGrant) -> Iterator[str]:
    limit = f" ({', '.join(grant.agencies)})" if grant.agencies else ""
    for operation in grant.operations:
        is_all = operation == "*"
        yield _ALL if is_all else f"<code>{escape(operation)}</code>{limit}"


def _render_persona(persona: Persona) -> str:
    fields = ", ".join(persona.differing)
    answer = f"<code>{persona.answer}</code> {RESULTS[persona.answer]}"
    return (
        f'<tr><th scope="row"><code>{persona.personal_number}</code></th>'
        f"<td>{escape(persona.full_name)}</td><td>{persona.birth_date}</td>"
        f"<td>{answer}{f' ({fields})' if fields else ''} "
        f'<span lang="en">{escape(persona.about)}</span></td></tr>\n'
    )


def _render_request(request: Request) -> str:
    title = f'{_TITLES[request.operation_id]} <span lang="en">– {escape(request.name)}</span>'
    command = escape(write_command(request), quote=False)
    return f"<h3>{title}</h3>\n<pre tabindex='0'><code>{command}</code></pre>\n"


def write_command(request: Request) -> str:
    """Return the lines of a shell that send the request, and keep the values for later requests."""
    if request.form:
        return _TOKEN.replace("CLIENT", VARIABLES["client_id"])
    path = request.path.replace("/:code", "/$CODE")
    headers = [_HEADERS[each.value] for each in request.headers if each.sent]
    parts = [
        f'curl -s "$API{path}" -H "Authorization: Bearer $TOKEN"',
        *(f"-H {header}" for header in headers),
    ]
    if request.body:
        body = json.dumps(json.loads(request.body), ensure_ascii=False)
        parts += ["-H 'Content-Type: application/json'", f"-d '{body}'"]
    command = " \\\n  ".join(parts)
    if request.operation_id == WAITING:
        return f"until {command} \\\n  | grep '\"status\":4'; do sleep 1; done"
    if STORY_STATUSES[request.operation_id] == 201:  # noqa: PLR2004 -- a dossier was made
        kept = f'FILED=$({command})\necho "$FILED"\n'
        return kept + 'CODE=$(echo "$FILED" | sed \'s/^{"code": *"\\([^"]*\\)".*/\\1/\')'
    return command


if __name__ == "__main__":
    PAGE.write_text(build_page(), encoding="utf-8")
