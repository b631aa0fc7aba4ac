"""What a message may hold, and what it becomes on the wire."""

import re
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bailee.foundation.errors import ConfigurationError, Invalid
from bailee.foundation.mail import Message, compose
from bailee.foundation.settings import MailSettings, load_settings

SENDER = Address("Bailee, Ltd", addr_spec="noreply@bailee.example")
MAIL_ID = UUID("01234567-89ab-7def-8123-456789abcdef")
WRITTEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
    "MIME-Version",
}  # fmt: skip


def wire(message: Message, sender: Address = SENDER) -> bytes:
    return compose(message, mail_id=MAIL_ID, written_at=WRITTEN, sender=sender)


def parsed(content: bytes) -> EmailMessage:
    message = BytesParser(policy=policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize(
    "to",
    [
        "", "ada", "@example.com", "ada@", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\n",
        "ada@example.com\r", "\nada@example.com", "ada@example.com, eve@example.com", "ada@example.com;eve@example.com",
        "Ada <ada@example.com>", "<ada@example.com>", "ada@example.com> SIZE=1", '"a b"@example.com',
        "ada@example.com\x00", "ada @example.com", "ada@exam\u2028ple.com", "ädä@example.com", "ada@exämple.com",
        "ada@@example.com", "ada@-example.com", "ada@example..com", ".ada@example.com", "ada..l@example.com",
        "a" * 65 + "@example.com", "a@" + "b." * 127 + "com", "ada@[127.0.0.1]", "ada(comment)@example.com",
        "ada\\@example.com",
    ],
)  # fmt: skip
def test_anything_but_one_plain_address_is_refused(to: str) -> None:
    with pytest.raises(Invalid) as refused:
        Message(to, "Hello", "Text")
    assert [error.path for error in refused.value.errors] == ["to"]
    assert "eve" not in str(refused.value.errors)


@pytest.mark.parametrize(
    "character", ["\r", "\n", "\r\n", "\x00", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]
)
def test_line_breaks_and_control_characters_in_a_subject_are_refused(character: str) -> None:
    with pytest.raises(Invalid) as refused:
        Message("ada@example.com", f"Hello{character}Bcc: eve@example.com", "Text")
    assert [error.path for error in refused.value.errors] == ["subject"]


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b[31m", "\ud800"])
def test_control_characters_in_the_text_are_refused(character: str) -> None:
    with pytest.raises(Invalid) as refused:
        Message("ada@example.com", "Hello", f"one\n\ttwo{character}")
    assert [error.path for error in refused.value.errors] == ["text"]


def test_stored_message_is_held_to_the_same_rules() -> None:
    stored = msgspec.msgpack.encode({"to": "ada@example.com", "subject": "a\r\nBcc: eve@example.com", "text": ""})
    with pytest.raises(Invalid):
        msgspec.msgpack.decode(stored, type=Message)


def test_message_shows_neither_address_nor_link() -> None:
    assert repr(Message("ada@example.com", "Hello", "https://bailee.example/#secret")) == "Message(…)"


def test_message_on_the_wire_names_its_sender_and_says_that_a_machine_wrote_it() -> None:
    mail = parsed(wire(Message("ada@example.com", "Grüße für Ada 🔑", "Hällo,\nhttps://bailee.example/#abc\n")))
    assert set(mail.keys()) == HEADERS
    assert str(mail["From"]) == '"Bailee, Ltd" <noreply@bailee.example>'
    assert (str(mail["To"]), str(mail["Subject"])) == ("ada@example.com", "Grüße für Ada 🔑")
    assert mail["Date"].datetime == WRITTEN
    assert mail["Message-ID"] == f"<{MAIL_ID}@bailee.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n") == "Hällo,\nhttps://bailee.example/#abc\n"


def test_every_attempt_sends_the_same_bytes() -> None:
    message = Message("ada@example.com", "Hello", "Text")
    assert wire(message) == wire(message)


def test_long_names_leave_the_message_id_whole() -> None:
    sender = Address("", addr_spec="noreply@" + "a" * 60 + "." + "b" * 60 + ".example")
    content = wire(Message("a" * 64 + "@" + "c" * 60 + ".example", "Hello", "Text"), sender)
    assert f"Message-ID: <{MAIL_ID}@{sender.domain}>\r\n".encode() in content
    assert parsed(content)["To"].addresses[0].addr_spec == "a" * 64 + "@" + "c" * 60 + ".example"


@given(subject=st.text(max_size=200), text=st.text(max_size=400))
def test_no_subject_or_text_adds_a_header_or_a_line_of_its_own(subject: str, text: str) -> None:
    try:
        message = Message("ada@example.com", subject, text)
    except Invalid:
        return
    content = wire(message)
    assert content.isascii()
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", content) is None
    assert max(map(len, content.split(b"\r\n"))) < 998
    mail = parsed(content)
    assert set(mail.keys()) == HEADERS
    assert len(mail.keys()) == len(HEADERS)
    assert str(mail["To"]) == "ada@example.com"


def test_link_of_any_length_survives_the_wire() -> None:
    link = "https://bailee.example/reset#" + "aZ09-_=" * 200
    assert link in parsed(wire(Message("ada@example.com", "Hello", f"Open:\n\n{link}\n\n.\nFrom here\n"))).get_content()


# --- settings --------------------------------------------------------------------------------------------


def environment(data: Path, **changes: str) -> dict[str, str]:
    known = {"HOST": "smtp.example.com", "SENDER": "Bailee <noreply@example.com>"} | changes
    return {"BAILEE_DATA": str(data), **{f"BAILEE_MAIL__{name}": value for name, value in known.items()}}


def test_mail_is_off_by_default_and_encrypted_when_on(tmp_path: Path) -> None:
    assert load_settings({"BAILEE_DATA": str(tmp_path)}).mail == MailSettings()
    mail = load_settings(environment(tmp_path)).mail
    assert (mail.host, mail.port, mail.security) == ("smtp.example.com", 587, "starttls")
    assert mail.sender_address() == Address("Bailee", addr_spec="noreply@example.com")


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"SENDER": ""}, "mail.sender"),
        ({"SENDER": "Bailee"}, "mail.sender"),
        ({"SENDER": "Bailee <noreply@example.com>\r\nBcc: eve@example.com"}, "mail.sender"),
        ({"SENDER": "a@example.com, b@example.com"}, "mail.sender"),
        ({"PORT": "0"}, "mail.port"),
        ({"USERNAME": "bailee"}, "mail.password_file"),
        ({"PASSWORD_FILE": "/run/secrets/mail"}, "mail.username"),
        ({"SECURITY": "none"}, "mail.security"),
        ({"SECURITY": "opportunistic"}, "mail.security"),
        ({"PASSWORD": "secret"}, "password"),
    ],
)
def test_wrong_mail_settings_are_refused_by_name(tmp_path: Path, changes: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(environment(tmp_path, **changes))
    assert named in str(refused.value)
