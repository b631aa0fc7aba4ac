import base64

import pytest

from bailee.access.provider.client_authentication import Presented, presented_by
from bailee.access.provider.errors import InvalidClient, OAuthError
from bailee.foundation.pages import Form


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def _form(**fields: str) -> Form:
    return Form({name: [value] for name, value in fields.items()})


def test_basic_parts_are_form_urlencoded() -> None:
    assert presented_by(Form(), _basic("a%3Ab:c+d%25")) == Presented("a:b", "c d%")


def test_fields_of_the_form_are_another_way() -> None:
    assert presented_by(_form(client_id="a", client_secret="b"), None) == Presented("a", "b")
    assert presented_by(_form(client_id="a"), None) == Presented("a", None)
    assert presented_by(_form(client_id="a"), _basic("a:b")) == Presented("a", "b")


@pytest.mark.parametrize("fields", [{"client_secret": "b"}, {"client_id": "other"}])
def test_two_ways_at_once_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(OAuthError) as caught:
        presented_by(_form(**fields), _basic("a:b"))
    assert caught.value.fault == "invalid_request"


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Basic YQ==", "Bearer x", "Basic w7Y6w7Y=", "basic\x00"])
def test_what_is_no_basic_header_proves_nothing(header: str) -> None:
    with pytest.raises(InvalidClient):
        presented_by(Form(), header)


def test_nothing_presented_is_nobody() -> None:
    with pytest.raises(InvalidClient):
        presented_by(Form(), None)
