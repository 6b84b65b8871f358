from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.callers.claimed_client import (
    read_basic_client,
    read_form_client,
    read_token_client,
)

TOKEN = b"e30." + urlsafe_b64encode(b'{"sub":"onestop-h26"}').rstrip(b"=") + b".c2ln"


@pytest.mark.parametrize(
    "body",
    [
        b"grant_type=client_credentials&client_id=onestop-h26",
        b"client_id=onestop%2Dh26&client_secret=x",
        b"grant_type=client_credentials&client_assertion=" + TOKEN,
    ],
)
def test_client_of_a_token_request_is_the_one_it_names(body: bytes) -> None:
    assert read_form_client(body) == "onestop-h26"


def test_client_of_a_header_is_the_one_it_names() -> None:
    assert read_basic_client(b"Basic " + b64encode(b"onestop-h26:secret")) == "onestop-h26"
    assert read_token_client(b"Bearer " + TOKEN) == "onestop-h26"


@given(text=st.binary(max_size=200))
def test_what_names_nobody_is_no_error(text: bytes) -> None:
    token = b"a." + urlsafe_b64encode(text) + b".c"
    for read in (read_form_client, read_basic_client, read_token_client):
        for said in (text, b"client_assertion=" + token, b"Basic " + b64encode(text), token):
            assert len(read(said)) <= 64
