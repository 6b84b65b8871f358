"""Show the page of a sandbox, with the address of this gateway in its requests."""

from functools import cache
from html import escape
from pathlib import Path

from shared.web.published import PublishedPage

_FILE = Path(__file__).with_name("data") / "sandbox.html"
# The page has a style and an empty icon of its own, and loads nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


@cache
def build_sandbox_page(address: str) -> PublishedPage:
    """Return the page; `address` is the one at which callers reach the gateway."""
    page = _FILE.read_text(encoding="utf-8").replace("GATEWAY", escape(address))
    headers = {"Content-Security-Policy": _POLICY}
    return PublishedPage.of(page.encode(), "text/html", headers)
