from typing import get_args

from dossier_service.dossiers.payment_methods import IS_ONLINE, PaymentMethod


def test_each_method_is_online_or_not() -> None:
    assert set(IS_ONLINE) == set(get_args(PaymentMethod))
