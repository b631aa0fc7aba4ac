"""Mail through a real queue and a real mail server."""

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg
import pytest
from psycopg import errors as pg

from bailee.assembly import open_services
from bailee.cli.doctor import _mail as _examine_mail
from bailee.encryption.envelope import KEY, DataKey, Place, seal, unseal
from bailee.encryption.errors import DecryptionFailed
from bailee.foundation.database import Database, Writer
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.mail import (
    DELIVER_JOB,
    MAX_ATTEMPTS,
    Mail,
    Message,
    Outbox,
    ServerUnusable,
    StartTlsMissing,
    Undelivered,
)
from bailee.foundation.secrets import Secret
from bailee.foundation.settings import MailSettings
from tests.integration.rig import open_settings, superuser, work
from tests.postgres import Pair
from tests.smtp import PASSWORD, MailServer, mail_server

ADA = Message("ada@customer.example", "Choose a new password", "https://bailee.example/reset#one-time-secret\n")


class Post:
    """An outbox on databases of its own, and the worker that empties it."""

    def __init__(self, url: str, database: Database, jobs: Jobs) -> None:
        self.url = url
        self.database = database
        self.jobs = jobs
        self._key = DataKey(UUID(int=2), Secret(bytes(KEY)))
        self.mail = self.open(MailSettings())

    def open(self, settings: MailSettings) -> Mail:
        self.mail = Mail(settings, self.database, self.jobs, self._seal, self._unseal)
        return self.mail

    def _seal(self, mail_id: UUID, plaintext: bytes) -> bytes:
        return seal(self._key, plaintext, Place(OPERATOR, "mail", mail_id, 1))

    def _unseal(self, mail_id: UUID, sealed: bytes) -> bytes:
        return unseal(self._key, sealed, Place(OPERATOR, "mail", mail_id, 1))

    async def queue(self, message: Message = ADA) -> None:
        async with self.database.operator() as tx:
            assert await self.mail.queue(tx, message)

    async def deliver(self, mail_id: str) -> None:
        await self.mail.deliver(mail_id)

    async def work(self) -> None:
        """Runs what is due, as a worker does; what is to be tried again becomes due at once."""
        self.sql("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'")
        await self.jobs._app.run_worker_async(
            wait=False, listen_notify=False, install_signal_handlers=False, delete_jobs="successful"
        )

    async def outbox(self) -> Outbox:
        async with self.database.operator_read() as tx:
            return await self.mail.outbox(tx)

    def sql(self, query: LiteralString, parameters: tuple[object, ...] = ()) -> list[Any]:
        with superuser(self.url) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
async def opened(pair: Pair) -> AsyncIterator[Post]:
    with pair.databases() as databases:
        database = Database(lambda _role: databases.main, pool_size=4, name="main")
        jobs = Jobs(databases.main)
        await database.open()
        await jobs.open()
        post = Post(databases.main, database, jobs)
        jobs.register(DELIVER_JOB, post.deliver)
        try:
            yield post
        finally:
            await jobs.close()
            await database.close()


@pytest.fixture
def post(opened: Post) -> Iterator[Post]:
    """An empty outbox."""
    opened.sql("DELETE FROM mail_outbox")
    opened.sql("DELETE FROM procrastinate_jobs")
    yield opened
    opened.open(MailSettings())


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.mark.parametrize("who", ["tenant", "operator"])
async def test_message_is_delivered_over_tls_and_its_row_goes(post: Post, server: MailServer, who: str) -> None:
    mail = post.open(server.mail_settings())
    writer = post.database.operator() if who == "operator" else post.database.tenant(TenantId(new_id()))
    tx: Writer
    async with writer as tx:
        assert await mail.queue(tx, ADA)
        assert server.messages == []
    await post.work()
    received = server.wait_for(to="ada@customer.example", subject="new password", seconds=1)
    assert received.get_content().strip() == ADA.text.strip()
    assert received["From"] == "Bailee <noreply@bailee.example>"
    assert server.commands == ["EHLO", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"]  # greeted anew inside TLS
    assert await post.outbox() == Outbox(0, 0, [])
    assert post.sql("SELECT count(*) FROM procrastinate_jobs") == [(0,)]


async def test_message_is_delivered_over_tls_from_the_first_byte(post: Post) -> None:
    with mail_server(implicit=True) as server:
        post.open(server.mail_settings())
        await post.queue()
        await post.work()
        assert [str(message["To"]) for message in server.messages] == [ADA.to]
        assert server.commands[:2] == ["EHLO", "AUTH"]


async def test_rolled_back_transaction_sends_nothing(post: Post, server: MailServer) -> None:
    mail = post.open(server.mail_settings())
    with contextlib.suppress(ZeroDivisionError):
        async with post.database.operator() as tx:
            assert await mail.queue(tx, ADA)
            raise ZeroDivisionError
    await post.work()
    assert (await post.outbox(), server.messages, server.commands) == (Outbox(0, 0, []), [], [])


async def test_without_a_mail_server_nothing_is_queued_and_the_caller_knows(post: Post) -> None:
    mail = post.open(MailSettings())
    async with post.database.operator() as tx:
        assert await mail.queue(tx, ADA) is False
    assert not mail.configured
    assert await post.outbox() == Outbox(0, 0, [])


async def test_waiting_message_is_sealed_and_bound_to_its_row(post: Post, server: MailServer) -> None:
    post.open(server.mail_settings())
    await post.queue()
    await post.queue(Message("bob@customer.example", "Hello", "Text"))
    stored = str(post.sql("SELECT m::text FROM mail_outbox m"))
    stored += str(post.sql("SELECT j::text FROM procrastinate_jobs j"))
    for private in (ADA.to, "customer", "password", "one-time-secret"):
        assert private not in stored
        assert private.encode().hex() not in stored
    (one, sealed), (other, _) = post.sql("SELECT mail_id, sealed FROM mail_outbox ORDER BY 1")
    assert ADA.to.encode() in post._unseal(one, sealed)
    with pytest.raises(DecryptionFailed):
        post._unseal(other, sealed)


async def test_tenant_role_leaves_mail_and_sees_none(post: Post, server: MailServer) -> None:
    post.open(server.mail_settings())
    await post.queue()
    async with post.database.session("bailee_tenant") as connection:
        for query in (
            "SELECT FROM mail_outbox", "SELECT sealed FROM mail_outbox", "DELETE FROM mail_outbox",
            "UPDATE mail_outbox SET attempts = 0",
        ):  # fmt: skip
            with pytest.raises(pg.InsufficientPrivilege):
                await connection.execute(query)


async def test_server_without_starttls_is_refused_and_hears_no_message(post: Post) -> None:
    with mail_server(starttls=False) as server:
        mail = post.open(server.mail_settings())
        await post.queue()
        await post.work()
        assert await post.outbox() == Outbox(1, 0, ["StartTlsMissing"])
        assert server.commands == ["EHLO"]  # no AUTH, no MAIL
        with pytest.raises(StartTlsMissing):
            await mail.verify_server()


@pytest.mark.parametrize("implicit", [False, True])
async def test_certificate_of_another_authority_is_refused(post: Post, server: MailServer, implicit: bool) -> None:
    with mail_server(implicit=implicit) as impostor:
        settings = msgspec.structs.replace(impostor.mail_settings(), ca_file=str(server.ca_file))
        await _refused(post, impostor, settings)


@pytest.mark.parametrize("implicit", [False, True])
async def test_certificate_for_another_name_is_refused(post: Post, implicit: bool) -> None:
    with mail_server(names=("mail.example",), implicit=implicit) as impostor:
        await _refused(post, impostor, impostor.mail_settings())


async def _refused(post: Post, impostor: MailServer, settings: MailSettings) -> None:
    mail = post.open(settings)
    await post.queue()
    await post.work()
    assert await post.outbox() == Outbox(1, 0, ["SSLCertVerificationError"])
    assert impostor.messages == []
    assert not {"AUTH", "MAIL"} & set(impostor.commands)
    with pytest.raises(ServerUnusable, match="SSLCertVerificationError"):
        await mail.verify_server()


async def test_greylisted_message_arrives_at_the_next_attempt(post: Post, server: MailServer) -> None:
    post.open(server.mail_settings())
    server.answers.append("450 4.2.0 <ada@customer.example>: greylisted, come back later")
    await post.queue()
    await post.work()
    assert (server.messages, await post.outbox()) == ([], Outbox(1, 0, ["450"]))
    assert post.sql("SELECT status::text, attempts FROM procrastinate_jobs") == [("todo", 1)]
    await post.work()
    server.wait_for(to=ADA.to, seconds=1)
    assert await post.outbox() == Outbox(0, 0, [])


async def test_refusal_for_good_is_marked_and_not_tried_again(post: Post, server: MailServer) -> None:
    post.open(server.mail_settings())
    server.answers.append("550 5.1.1 <ada@customer.example>: no such mailbox")
    await post.queue()
    await post.work()
    await post.work()
    assert (await post.outbox(), server.commands.count("RCPT")) == (Outbox(0, 1, ["550"]), 1)
    assert ADA.to not in str(post.sql("SELECT m::text FROM mail_outbox m"))
    assert post.sql("SELECT count(*) FROM procrastinate_jobs") == [(0,)]


async def test_message_is_given_up_after_the_last_attempt_and_kept_for_a_week(post: Post, server: MailServer) -> None:
    settings = server.mail_settings()
    server.close()
    mail = post.open(settings)
    await post.queue()
    for _ in range(MAX_ATTEMPTS - 1):
        await post.work()
        assert await post.outbox() == Outbox(1, 0, ["ConnectionRefusedError"])
    await post.work()
    assert await post.outbox() == Outbox(0, 1, ["ConnectionRefusedError"])
    assert post.sql("SELECT count(*) FROM procrastinate_jobs") == [(0,)]
    post.sql("UPDATE mail_outbox SET failed_at = now() - interval '6 days 23 hours'")
    await mail.sweep()
    assert (await post.outbox()).failed == 1
    post.sql("UPDATE mail_outbox SET failed_at = now() - interval '7 days 1 minute'")
    await mail.sweep()
    assert await post.outbox() == Outbox(0, 0, [])


async def test_wrong_password_leaves_the_mail_waiting_until_it_is_mended(post: Post, server: MailServer) -> None:
    mail = post.open(server.mail_settings())
    right = server.password_file.read_text()
    server.password_file.write_text("wrong")
    await post.queue()
    await post.work()
    assert await post.outbox() == Outbox(1, 0, ["535"])
    with pytest.raises(ServerUnusable, match="535"):
        await mail.verify_server()
    server.password_file.unlink()
    await post.work()
    assert (await post.outbox()).reasons == ["ConfigurationError"]
    server.password_file.write_text(right)
    await mail.verify_server()
    assert server.messages == []
    await post.work()
    assert len(server.messages) == 1


async def test_worker_that_dies_before_the_row_is_gone_sends_a_copy_that_mailboxes_know(
    post: Post, server: MailServer
) -> None:
    """The crash point of the module: what was taken, and not yet forgotten, is sent again under the same id."""
    mail = post.open(server.mail_settings())
    await post.queue()
    ((mail_id,),) = post.sql("SELECT mail_id FROM mail_outbox")
    post.sql("ALTER TABLE mail_outbox RENAME TO away")  # the answer of the server has come; deleting fails
    post.sql("CREATE VIEW mail_outbox AS SELECT * FROM away")
    post.sql("GRANT SELECT, UPDATE ON mail_outbox TO bailee_operator")
    try:
        with pytest.raises(psycopg.Error):
            await mail.deliver(str(mail_id))
    finally:
        post.sql("DROP VIEW mail_outbox")
        post.sql("ALTER TABLE away RENAME TO mail_outbox")
    await mail.deliver(str(mail_id))
    assert len(server.raw) == 2
    assert server.raw[0] == server.raw[1]
    await mail.deliver(str(mail_id))  # and once more, when the row is gone
    assert len(server.raw) == 2


async def test_message_that_ends_its_worker_each_time_is_given_up(post: Post, server: MailServer) -> None:
    mail = post.open(server.mail_settings())
    await post.queue()
    post.sql("UPDATE mail_outbox SET attempts = %s", (MAX_ATTEMPTS,))
    ((mail_id,),) = post.sql("SELECT mail_id FROM mail_outbox")
    await mail.deliver(str(mail_id))
    assert (await post.outbox(), server.commands) == (Outbox(0, 1, ["Interrupted"]), [])


async def test_message_that_lost_its_job_is_queued_again(post: Post, server: MailServer) -> None:
    mail = post.open(server.mail_settings())
    await post.queue()
    await mail.sweep()
    assert post.sql("SELECT count(*) FROM procrastinate_jobs") == [(1,)]
    post.sql("UPDATE mail_outbox SET created_at = now() - interval '2 hours'")
    await mail.sweep()
    assert post.sql("SELECT count(*) FROM procrastinate_jobs") == [(1,)]  # it waits for its turn
    post.sql("UPDATE procrastinate_jobs SET status = 'failed'")
    await mail.sweep()
    await post.work()
    assert len(server.messages) == 1


async def test_altered_message_is_not_sent(post: Post, server: MailServer) -> None:
    mail = post.open(server.mail_settings())
    await post.queue()
    post.sql("UPDATE mail_outbox SET sealed = set_byte(sealed, 40, 255 - get_byte(sealed, 40))")
    ((mail_id,),) = post.sql("SELECT mail_id FROM mail_outbox")
    with pytest.raises(Undelivered) as failed:
        await mail.deliver(str(mail_id))
    assert failed.value.__cause__ is None
    assert failed.value.__context__ is None  # nothing of the message reaches a log by way of a traceback
    assert (await post.outbox(), server.commands) == (Outbox(1, 0, ["DecryptionFailed"]), [])


async def test_failure_says_nothing_of_whom_or_what(
    post: Post, server: MailServer, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    post.open(server.mail_settings())
    server.answers.extend(["450 <ada@customer.example> later", "550 <ada@customer.example> never"])
    await post.queue()
    with caplog.at_level("DEBUG"):
        await post.work()
        await post.work()
    lines = [caplog.handler.format(record) for record in caplog.records if record.name != "mail.log"]  # the server's
    said = "".join([*capsys.readouterr(), *lines])
    assert said.count("mail not taken") == 2
    assert "Undelivered" in said
    for private in ("customer.example", "one-time-secret", "greylisted", "never", PASSWORD):
        assert private not in said


@pytest.mark.parametrize("name", ["ca_file", "password_file"])
async def test_file_that_cannot_be_read_is_told_at_the_start(
    post: Post, server: MailServer, tmp_path: Path, name: str
) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(ConfigurationError, match="missing"):
        post.open(server.mail_settings(**{name: missing}))


async def test_sessions_take_tls_1_2_or_newer_and_verify_who_answers(post: Post, server: MailServer) -> None:
    trust = post.open(server.mail_settings())._trust
    assert trust.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (trust.verify_mode, trust.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(trust.get_ca_certs()) == 1  # the named root, and none of the system's


async def test_product_seals_delivers_and_tells_of_its_mail(pair: Pair, server: MailServer) -> None:
    with open_settings(pair) as settings:
        async with open_services(settings) as without:
            assert (await _examine_mail(without)).detail.startswith("no mail server")
        async with open_services(msgspec.structs.replace(settings, mail=server.mail_settings())) as services:
            async with services.database.tenant(TenantId(new_id())) as tx:
                assert await services.mail.queue(tx, ADA)
            found = await _examine_mail(services)
            assert (found.ok, found.detail) == (
                True,
                f"localhost:{server.port} lets us in, 1 waiting, 0 given up in 7 days",
            )
            await work(services)
            assert server.wait_for(to=ADA.to, seconds=1)["Subject"] == ADA.subject
            server.close()
            found = await _examine_mail(services)
            assert not found.ok
            assert "ConnectionRefusedError" in found.detail
