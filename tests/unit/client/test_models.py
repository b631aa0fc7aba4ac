import msgspec
import pytest

from bailee.client import (
    ApiKey,
    DeviceRequest,
    Enrolled,
    Event,
    Field,
    Invitation,
    Page,
    PendingSignIn,
    Record,
    SealedEnvelope,
    Session,
)
from tests.unit.client.harness import record


def test_representation_hides_the_subject_and_the_data_of_a_record() -> None:
    parsed = msgspec.convert({"items": [record()]}, Page[Record], strict=False)
    assert "ada" not in repr(parsed)
    assert "id='0190', version=1, data=…, subject=…, collection=None" in repr(parsed)
    assert "ada" not in repr(list(parsed.items[0].__rich_repr__()))
    assert parsed.items[0].subject == "ada"


def test_representation_hides_tokens() -> None:
    key = ApiKey(id="1", name="ci", token="bailee_secret")
    assert "secret" not in repr(key)
    assert key.token == "bailee_secret"
    account = {"id": "1", "email": "a@example.org", "name": "Ada"}
    session = {"token": "bst_secret", "expires_at": "2026-01-02T03:04:05Z", "account": account}
    assert "secret" not in repr(msgspec.convert(session, Session))
    assert "secret" not in repr(msgspec.convert(session | {"recovery_codes": ["secret"]}, Enrolled))
    assert "secret" not in repr(PendingSignIn(pending="secret"))
    assert "secret" not in repr(Invitation(id="1", email="a@example.org", name="Ada", link="https://x/#secret"))
    assert "secret" not in repr(SealedEnvelope(email="e", password="secret", codes=("secret",)))
    device = DeviceRequest(device_code="secret", user_code="secret", verification_uri="u", expires_in=1, interval=1)
    assert "secret" not in repr(device)


def test_models_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Field(type="string").type = "integer"  # type: ignore[misc]


def test_field_is_written_as_it_was_read_and_without_defaults() -> None:
    text = b'{"type":"array","category":"contact","items":{"type":"integer","minimum":3,"maximum":7.5}}'
    assert msgspec.json.encode(msgspec.json.decode(text, type=Field)) == text


def test_event_of_a_later_version_is_still_read() -> None:
    later = {"id": "e1", "time": "2026-01-02T03:04:05Z", "action": "new.verb", "outcome": "done", "weather": "fine"}
    assert msgspec.convert(later, Event).action == "new.verb"
