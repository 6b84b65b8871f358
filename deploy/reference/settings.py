"""The page of all settings, as .env.example states them, and of all secrets."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deploy.reference.markdown import Page, Part
from deploy.reference.texts import Texts
from deploy.secrets import CALLED_SERVICES, EACH, HASHING_SERVICES, SECRETS
from deploy.services import SERVICES

FILE = Path(__file__).parents[2] / ".env.example"
_SECTION = "# --- "
# An example of a setting may be commented out: comments have a blank after the sign.
_SETTING = re.compile(r"#?([A-Z_]+)=(.*)")


class Setting(NamedTuple):
    """`text` is the comment above it, empty where there is none."""

    section: str
    name: str
    default: str
    text: str


def build_settings_page(texts: Texts) -> Page:
    settings = list(read_settings())
    head = [texts.say(word) for word in ("variable", "default or example", "it means")]
    parts = [
        Part(
            f"settings-{number}",
            texts.say(section),
            "",
            head,
            [
                [f"`{each.name}`", f"`{each.default}`" if each.default else "", _say(each, texts)]
                for each in settings
                if each.section == section
            ],
        )
        for number, section in enumerate(dict.fromkeys(each.section for each in settings), 1)
    ]
    text = texts.say(
        "Every variable that a process reads. None is secret: secrets are files in `SECRETS_DIR`."
    )
    return Page(texts.say("Settings and secrets"), text, [*parts, _describe_secrets(texts)])


def _say(setting: Setting, texts: Texts) -> str:
    return texts.say(setting.text) if setting.text else ""


def read_settings() -> Iterator[Setting]:
    section, comments = "", list[str]()
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith(_SECTION):
            section, comments = line.removeprefix(_SECTION), []
        elif found := _SETTING.fullmatch(line):
            yield Setting(section, found[1], found[2], " ".join(comments))
            comments = []
        elif line.startswith("#"):
            comments.append(line.removeprefix("#").strip())
        else:
            comments = []


def _describe_secrets(texts: Texts) -> Part:
    owners = {service: {*EACH, *own} for service, own in SECRETS.items()}
    for service in HASHING_SERVICES:
        owners[service].add("person_hash_key")
    owners["gateway"] |= {f"{SERVICES[service].short}_call_key" for service in CALLED_SERVICES}
    names = sorted(set().union(*owners.values()))
    rows = [
        [
            f"`{name}`",
            texts.explain("secrets", name),
            ", ".join(f"`{service}`" for service, own in owners.items() if name in own),
        ]
        for name in names
    ]
    head = [texts.say(word) for word in ("file", "it means", "services")]
    text = texts.say(
        "`python -m deploy.secrets` makes them once; production fills the same folders from its own"
        " vault. Without `person_hash_key` and the keys of the ledger the data are of no use: keep"
        " them apart from the databases, and as safe."
    )
    return Part("secrets", texts.say("Secrets"), text, head, rows)
