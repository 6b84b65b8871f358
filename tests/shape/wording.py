"""The wording rule: a text names its subject, and begins as a sentence does."""

import re

_HEADLESS = re.compile(r"\b(whoever|who|whatever|what)\b", re.IGNORECASE)
_FRAGMENT = re.compile(
    r"\W*(?:of|by|as|with|to|in|on|without|from|until|for|whose|who|whoever|whatever|among|within"
    r"|between|before|after|at|also|those|beside)\b",
    re.IGNORECASE,
)


def is_headless(text: str) -> bool:
    return _HEADLESS.search(text) is not None


def is_fragment(text: str) -> bool:
    return _FRAGMENT.match(text) is not None
