"""The table of who may grant what is whole, and identity reads it as it is."""

import json

import pytest

from deploy.schemas import GRANT_RULES as PUBLISHED
from dossier_service.dossiers.schemas.responses import ApplicantOut
from gateway.access.grant_rules import (
    ANY_OPERATION,
    FIELDS,
    GRANT_RULES,
    Granter,
    OperationGrantRule,
    require_complete_grant_rules,
    serialise_grant_rules,
)
from gateway.ledger.schemas import RecordOut
from gateway.operations.model import QuotaClass
from gateway.operations.table import OPERATIONS
from identity_service.persons.matching import Claim
from tests.contracts.written import REGENERATE


def test_each_operation_that_needs_a_right_has_a_rule_and_no_other_has() -> None:
    guarded = {each.name for each in OPERATIONS.values() if not each.public}
    assert set(GRANT_RULES) == guarded | {ANY_OPERATION}


def test_fields_of_an_operation_are_those_that_its_service_knows() -> None:
    read = {*ApplicantOut.model_fields, "summary", "note", "documents", "results"}
    assert set(FIELDS["GET /dossier/v1/dossiers/{code}"]) == read
    assert set(FIELDS["POST /identity/v1/verifications"]) == set(Claim.__slots__)
    assert set(FIELDS["GET /ledger/v1/records"]) == RecordOut.list_shown_members(None)


@pytest.mark.parametrize("over", [{"GET /nowhere": OperationGrantRule(Granter.OWNER)}, None])
def test_gateway_does_not_start_with_a_row_too_many_or_too_few(
    over: dict[str, OperationGrantRule] | None,
) -> None:
    rules = {**GRANT_RULES, **over} if over else dict(list(GRANT_RULES.items())[1:])
    with pytest.raises(ValueError, match="differ"):
        require_complete_grant_rules(rules)


def test_administration_is_granted_by_operators_alone_and_never_to_oneself() -> None:
    reserved = OperationGrantRule(Granter.OPERATOR, granted_on=False, to_self=False)
    for operation in OPERATIONS.values():
        if operation.quota_class is QuotaClass.ADMIN:
            assert GRANT_RULES[operation.name] == reserved, operation.name
    assert GRANT_RULES[ANY_OPERATION] == reserved


def test_personal_data_is_neither_granted_on_nor_to_oneself() -> None:
    personal = [each.name for each in OPERATIONS.values() if each.personal]
    assert personal
    for name in personal:
        rule = GRANT_RULES[name]
        assert (rule.granted_on, rule.to_self) == (False, False), name


def test_identity_reads_the_rules_as_they_are() -> None:
    assert json.loads(PUBLISHED.read_text()) == serialise_grant_rules(), REGENERATE
