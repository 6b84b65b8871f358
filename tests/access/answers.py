"""What an answer says in a word or two, and whether two of them can be told apart."""

import re
from collections.abc import Mapping
from typing import Any

import httpx

# What differs between any two answers, whoever asks for whatever.
OF_ITS_OWN = frozenset({"date", "x-request-id", "x-trace-id", "x-ledger-receipt", "content-length"})


def gist(answer: httpx.Response, markers: Mapping[str, str], name: str) -> str:
    """`404 dossier-not-found`, `200 ours`, `200 named` …: see `routes`."""
    body = _json(answer)
    if answer.is_error:
        kind = body.get("type", "") if isinstance(body, dict) else ""
        return f"{answer.status_code} {kind.removeprefix('/problems/')}"
    if shown := _shown(answer.text, body, markers, name):
        return f"{answer.status_code} {shown}"
    return str(answer.status_code)


def _shown(text: str, body: Any, markers: Mapping[str, str], name: str) -> str:
    if markers:
        seen = [whose for whose in ("ours", "theirs") if markers[whose] in text]
        return "both" if len(seen) == 2 else seen[0] if seen else "neither"
    if isinstance(body, dict) and "results" in body and "items" not in body and "code" not in body:
        result = body["results"][0]
        return str(result["reason"] or result["outcome"])
    return "named" if name in text else ""


def _json(answer: httpx.Response) -> Any:
    return answer.json() if "json" in answer.headers.get("Content-Type", "") else None


def told(answer: httpx.Response, target: str | None) -> tuple[int, str, dict[str, str]]:
    """All that an answer tells but for its own ids, and for what the caller itself had named."""
    text = re.sub(r'"trace_id":"[^"]*"', "", answer.text)
    headers = {name: value for name, value in answer.headers.items() if name not in OF_ITS_OWN}
    return answer.status_code, text.replace(target, "…") if target else text, headers
