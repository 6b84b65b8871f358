"""The page of all closed lists of codes."""

from collections.abc import Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import get_args

import yaml

from deploy.reference.markdown import Page, Part
from deploy.reference.texts import Texts
from dossier_service.catalogue.procedure import ProcedureLevel
from dossier_service.dossiers.payment_methods import PaymentMethod
from gateway.ledger.records import AccessOutcome, PurposeKind
from gateway.operations.model import QuotaClass
from gateway.purposes.legal_bases import FILE as LEGAL_BASES
from identity_service.clients.schemas import ClientKind
from identity_service.persons.result import VerificationResult
from shared.codes.enums import Channel, DossierStatus
from shared.codes.reason import Reason
from shared.messaging.dead_letters import DeadLetterState
from shared.rules.deadlines import Unit
from sync_service.intake.row_rules import RowOutcome

LISTS: Mapping[str, tuple[str, Iterable[object]]] = MappingProxyType(
    {
        "statuses": ("Statuses of a dossier", DossierStatus),
        "channels": ("Channels", Channel),
        "reasons": ("Reasons of a transition", Reason),
        "results": ("Results of a verification", VerificationResult),
        "payment-methods": ("Ways of payment", get_args(PaymentMethod)),
        "levels": ("Levels of a procedure", ProcedureLevel),
        "units": ("Units of a term", Unit),
        "row-outcomes": ("Outcomes of a pushed row", RowOutcome),
        "access-outcomes": ("Outcomes of a recorded call", AccessOutcome),
        "purpose-kinds": ("Kinds of a purpose", PurposeKind),
        "quota-classes": ("Quota classes", QuotaClass),
        "client-kinds": ("Kinds of a client", get_args(ClientKind)),
        "dead-letter-states": ("States of a dead letter", get_args(DeadLetterState)),
    }
)


def build_codes_page(texts: Texts) -> Page:
    parts = [_describe_list(name, title, codes, texts) for name, (title, codes) in LISTS.items()]
    text = texts.say(
        "The closed lists. A later version may add a value: have a way for one that you do not"
        " know. Codes of procedures and agencies are data: ask `GET /dossier/v1/procedures` and"
        " `GET /identity/v1/agencies`."
    )
    return Page(texts.say("Code lists"), text, [*parts, _describe_legal_bases(texts)])


def _describe_list(name: str, title: str, codes: Iterable[object], texts: Texts) -> Part:
    rows = []
    for code in codes:
        value = code.value if isinstance(code, Enum) else code
        label = getattr(code, "label", None)
        published = label if label and texts.language == "vi" else None
        rows.append([f"`{value}`", published or texts.explain(name, str(value))])
    head = [texts.say("code"), texts.say("it means")]
    return Part(name, texts.say(title), "", head, rows)


def _describe_legal_bases(texts: Texts) -> Part:
    bases = yaml.safe_load(LEGAL_BASES.read_text(encoding="utf-8"))
    rows = [
        [
            f"`{base['code']}`",
            base["document"],
            base[texts.language],
            str(base["valid_from"]),
            str(base.get("valid_to") or ""),
        ]
        for base in bases
    ]
    words = ("code", "document", "it allows", "from", "to")
    text = texts.say("Each may be the purpose of a call that serves no procedure.")
    return Part("legal-bases", texts.say("Legal bases"), text, list(map(texts.say, words)), rows)
