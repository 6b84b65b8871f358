"""Which operations are recorded durably before they are answered."""

from gateway.operations.model import QuotaClass
from gateway.operations.table import OPERATIONS


def test_whatever_touches_persons_or_changes_rights_is_recorded_first() -> None:
    recorded = {each.name for each in OPERATIONS.values() if each.recorded}
    personal = {each.name for each in OPERATIONS.values() if each.personal}
    administration = {
        each.name
        for each in OPERATIONS.values()
        if each.quota_class is QuotaClass.ADMIN and each.method != "GET"
    }
    assert recorded == personal | administration
    root = "/identity/v1"
    assert administration >= {
        f"POST {root}/agencies",
        f"POST {root}/agencies/{{code}}/reopening",
        f"POST {root}/clients",
        f"POST {root}/clients/{{client_id}}/keys",
        f"DELETE {root}/clients/{{client_id}}/keys/{{kid}}",
        f"POST {root}/clients/{{client_id}}/deactivation",
        f"POST {root}/clients/{{client_id}}/reactivation",
        f"POST {root}/grants",
        f"POST {root}/grants/{{grant_id}}/revocation",
        "POST /dossier/v1/dead-letters/{letter_id}/replay",
        "DELETE /gateway/v1/dead-letters/{letter_id}",
    }
