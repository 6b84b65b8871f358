"""Validate the explanation of a call: its purpose, its officer and its dossier.

A value is written to the record only once it is known to be a code, because any other text may name
a person. This holds on each path, also where the call is refused for another reason.
"""

import re
from collections.abc import Mapping
from contextlib import suppress

from gateway.ledger.record_draft import AccessRecordDraft
from gateway.ledger.records import PurposeKind
from gateway.operations.model import QuotaClass
from gateway.operations.problems import RequestMalformed
from gateway.operations.targets import find_target_path
from gateway.purposes.problems import PurposeMissing, PurposeUnknown
from gateway.purposes.registry import (
    PURPOSES_UNCHECKED,
    PurposeRegistry,
    is_accepted_purpose,
    is_recordable_purpose,
)
from shared.codes.agency import CodeError
from shared.codes.dossier import parse_dossier_code
from shared.codes.officer import OFFICER_PATTERN
from shared.codes.persons.personal_numbers import ADVICE, FINDING, holds_personal_number
from shared.texts.translatable import Translatable
from shared.web.calls.internal_headers import (
    DOSSIER_HEADER,
    EXPLAINING_HEADERS,
    OFFICER_HEADER,
    PURPOSE_HEADER,
)

DOSSIER_PATH = "/dossiers/{code}"
MAX_PURPOSE_LENGTH = 64
_OFFICER = re.compile(OFFICER_PATTERN)


def record_call_explanation(
    draft: AccessRecordDraft,
    headers: Mapping[str, str],
    parameters: Mapping[str, str],
    purposes: PurposeRegistry,
    *,
    now: float,
) -> None:
    """Write the explanation to the draft of the record; `now` is in Unix seconds.

    Raise RequestMalformed, PurposeMissing, or PurposeUnknown where the purpose has no meaning now.
    """
    draft.target = find_target_path(draft.operation, parameters)
    if officer := headers.get(OFFICER_HEADER):
        draft.officer = _parse_officer_code(officer)
    if purpose := headers.get(PURPOSE_HEADER):
        _record_call_purpose(draft, purpose, purposes, now)
    _record_call_dossier(draft, headers.get(DOSSIER_HEADER), parameters)
    if draft.operation.personal and not (purpose and officer):
        required = (PURPOSE_HEADER, OFFICER_HEADER)
        raise PurposeMissing([name for name in required if not headers.get(name)])
    for name in EXPLAINING_HEADERS:
        if headers.get(name) == "":
            raise RequestMalformed(
                Translatable("{name} is empty: send a value or omit the header.", name=name)
            )
    if kind := draft.purpose_kind:
        _require_accepted_purpose(kind, continues_dossier=_is_dossier_step(draft))


def _parse_officer_code(officer: str) -> str:
    if not _OFFICER.fullmatch(officer):
        raise RequestMalformed(
            Translatable(
                "X-Officer is not a code: send 1 to 64 ASCII letters, digits and the signs . _ @ "
                "-, with a letter or digit first and without spaces, such as officer-17. Do not "
                "send a name."
            )
        )
    if holds_personal_number(officer):
        raise RequestMalformed(Translatable("X-Officer {advice}.", advice=ADVICE))
    return officer


def _record_call_purpose(
    draft: AccessRecordDraft, purpose: str, purposes: PurposeRegistry, now: float
) -> None:
    """Record the kind of the purpose, and the purpose itself where it is a code."""
    # Classification caches texts, so a longer text is refused before it.
    if len(purpose) > MAX_PURPOSE_LENGTH or not purpose.isprintable():
        raise RequestMalformed(
            Translatable(
                "X-Purpose has at most {count} printable characters: send the code "
                "of a procedure or of a legal basis.",
                count=MAX_PURPOSE_LENGTH,
            )
        )
    kind = draft.purpose_kind = purposes.classify_purpose(purpose, now=now, agency=draft.agency)
    if kind is PurposeKind.UNKNOWN and holds_personal_number(purpose):
        raise RequestMalformed(
            Translatable(
                "X-Purpose {finding}: send the code of a procedure or of a legal basis.",
                finding=FINDING,
            )
        )
    if is_recordable_purpose(purpose, kind):
        draft.purpose = purpose


def _record_call_dossier(
    draft: AccessRecordDraft, dossier: str | None, parameters: Mapping[str, str]
) -> None:
    """Record the dossier of the path, which is the one that is read, else the one of the header."""
    if DOSSIER_PATH in draft.operation.template:
        code = parameters["code"]
        # A path that names no dossier may name a person instead.
        with suppress(CodeError):
            parse_dossier_code(code)
            draft.dossier = code
        if dossier and dossier != code:
            raise RequestMalformed(
                Translatable("X-Dossier differs from the dossier of the path: omit the header.")
            )
    elif dossier:
        try:
            parse_dossier_code(dossier)
        except CodeError as error:
            raise RequestMalformed(
                Translatable("X-Dossier: {error}.", error=error.args[0])
            ) from None
        draft.dossier = dossier


def _is_dossier_step(draft: AccessRecordDraft) -> bool:
    """Return whether the call is a step of a dossier that was filed before.

    The path of a verification has no dossier, so only X-Dossier shows it. On other operations, such
    as a filing, the header would open an ended procedure to every call.
    """
    operation = draft.operation
    verifies = operation.quota_class is QuotaClass.VERIFICATION
    return draft.dossier is not None and (DOSSIER_PATH in operation.template or verifies)


def _require_accepted_purpose(kind: PurposeKind, *, continues_dossier: bool) -> None:
    if kind is PurposeKind.UNCHECKED:
        PURPOSES_UNCHECKED.inc()
    if not is_accepted_purpose(kind, continues_dossier=continues_dossier):
        raise PurposeUnknown
