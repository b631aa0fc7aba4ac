"""Mail: left in the caller's transaction, sealed while it waits, delivered by a worker over verified TLS.

A message is delivered at least once. What is durable when:

    1. The caller's transaction commits: the sealed message and its job, or neither.
    2. A worker counts the attempt, commits, and only then speaks to the mail server: a message that ends its worker
       each time is given up in the end.
    3. The mail server answers that it has the message.
    4. The message is deleted here, before the session is ended.

Whoever dies between 3 and 4, or does not hear the answer of 3, sends it again: that cannot be told from a message that
was never taken. All copies carry the same Message-ID and Date, by which mailboxes fold them into one.
"""

import contextlib
import ssl
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import aiosmtplib
import msgspec
import structlog

from bailee.foundation.database import Database, OperatorReader, OperatorWriter, Writer
from bailee.foundation.errors import ConfigurationError, Error, FieldError, Invalid
from bailee.foundation.ids import new_id
from bailee.foundation.jobs import Jobs
from bailee.foundation.settings import MAILBOX, MailSettings

log = structlog.get_logger()

type Sealer = Callable[[UUID, bytes], bytes]
"""Seals the message of this id, or opens it: the composition root knows with which key."""

type Outcome = Callable[[OperatorWriter, UUID, str], Awaitable[None]]
"""Hears, in the transaction that settles it, that a message was taken (with an empty reason), or given up."""

DELIVER_JOB = "mail.deliver"
MAX_ATTEMPTS = 9
"""With the pauses of the queue these spread over a day; most links in the mail are dead by then."""
KEEP_DAYS = 7

_SIGN_IN_SECONDS = 20
# For each step of handing over. Who hangs up before a slow server's answer sends the message twice (RFC 5321, 4.5.3.2).
_SEND_SECONDS = 120
_MAX_SUBJECT = 500
_PERMANENT = range(500, 600)
_ANSWERS = range(200, 600)

# Lines short enough, and characters plain enough, for every mail server there is.
_WIRE = policy.SMTP.clone(cte_type="7bit")

_INSERT = "INSERT INTO mail_outbox (mail_id, sealed) VALUES (%s, %s)"
_CLAIM = """
    UPDATE mail_outbox SET attempts = attempts + 1 WHERE mail_id = %s AND failed_at IS NULL
    RETURNING mail_id, sealed, created_at, attempts
"""
_DELETE = "DELETE FROM mail_outbox WHERE mail_id = %s"
_FAIL = """
    UPDATE mail_outbox SET last_error = %(reason)s, failed_at = CASE WHEN %(finally)s THEN now() END
    WHERE mail_id = %(mail_id)s
"""
_DELETE_OLD = "DELETE FROM mail_outbox WHERE failed_at < now() - make_interval(days => %s)"
_FORGOTTEN = """
    SELECT mail_id FROM mail_outbox m
    WHERE failed_at IS NULL AND created_at < now() - interval '1 hour' AND NOT EXISTS (
        SELECT FROM procrastinate_jobs j
        WHERE j.task_name = %s AND j.status IN ('todo', 'doing') AND j.args ->> 'mail_id' = m.mail_id::text
    )
"""
_OUTBOX = """
    SELECT count(*) FILTER (WHERE failed_at IS NULL) AS waiting, count(failed_at) AS failed,
        coalesce(array_agg(DISTINCT last_error) FILTER (WHERE last_error IS NOT NULL), '{}') AS reasons
    FROM mail_outbox
"""


class Undelivered(Error):
    """The mail server did not take a message, or cannot be used at all. `reason` is its code or an error's name."""

    code = "undelivered"
    status = 503
    title = "Mail could not be delivered"

    def __init__(self, reason: str, attempt: int = 1) -> None:
        super().__init__(
            f"The mail server did not take the message ({reason}, attempt {attempt} of {MAX_ATTEMPTS}). It is tried "
            "again; `bailee doctor` tells whether the server can be reached."
        )


class ServerUnusable(Error):
    """No encrypted, verified, signed-in session with the mail server could be had."""

    code = "mail_server_unusable"
    status = 503
    title = "The mail server cannot be used"


class StartTlsMissing(ServerUnusable):
    """The server offers no encryption, or somebody on the way hides that it does; nothing was sent."""


class Message(msgspec.Struct, frozen=True):
    """A plain-text message to one mailbox. Its text may hold a one-time link: treat it as a secret.

    Raises Invalid for what could begin a header or a command of its own: line breaks and other control characters in
    `to` or `subject`, an address that is not plain ASCII or names several mailboxes.
    """

    to: str
    subject: str
    text: str

    def __post_init__(self) -> None:
        faults = []
        if not MAILBOX.fullmatch(self.to):
            faults.append(FieldError("to", "Give one e-mail address, such as name@example.com, in ASCII characters."))
        if len(self.subject) > _MAX_SUBJECT or any(map(_breaks_out, self.subject)):
            faults.append(FieldError("subject", f"Write one line of at most {_MAX_SUBJECT} characters."))
        if any(_breaks_out(character) for character in self.text if character not in "\r\n\t\u2028\u2029"):
            faults.append(FieldError("text", "Leave out control characters; line breaks and tabs may stay."))
        if faults:
            raise Invalid("This cannot be sent as a message.", errors=faults)

    def __repr__(self) -> str:
        return "Message(…)"


class Outbox(msgspec.Struct, frozen=True):
    """How much mail waits, and how much was given up within the last seven days."""

    waiting: int
    failed: int
    reasons: list[str]
    """Why, without repetition: codes of the mail server, names of errors."""


class _Waiting(msgspec.Struct, frozen=True):
    mail_id: UUID
    sealed: bytes
    created_at: datetime
    attempts: int


class _Failure(msgspec.Struct, frozen=True):
    reason: str
    permanent: bool = False


class Mail:
    """The outbox, and the way from it to the mail server.

    Raises ConfigurationError when a file that the settings name cannot be read.
    """

    def __init__(self, settings: MailSettings, database: Database, jobs: Jobs, seal: Sealer, unseal: Sealer) -> None:
        self._settings = settings
        self._database = database
        self._jobs = jobs
        self._seal = seal
        self._unseal = unseal
        self._outcomes: list[Outcome] = []
        if self.configured:
            self._sender = settings.sender_address()
            self._trust = _trust(settings.ca_file)
            self._password()

    @property
    def configured(self) -> bool:
        """Whether there is a mail server. Without one, callers show a link to whoever asked for it."""
        return bool(self._settings.host)

    @property
    def server(self) -> str:
        """The mail server, for people to read."""
        return f"{self._settings.host}:{self._settings.port}"

    def register(self) -> None:
        """Makes delivery and the hourly sweep known to the worker."""
        self._jobs.register(DELIVER_JOB, self.deliver)
        self._jobs.every("29 * * * *", "mail.sweep", self.sweep)

    def on_outcome(self, tell: Outcome) -> None:
        """Has it told what became of each message, by the id that it was queued under."""
        self._outcomes.append(tell)

    async def queue(self, tx: Writer, message: Message, *, mail_id: UUID | None = None) -> bool:
        """Leaves `message` to be sent if, and only if, `tx` commits, be it a tenant's or the operator's.

        Answers False, having done nothing, when there is no mail server.
        """
        if not self.configured:
            return False
        mail_id = mail_id or new_id()
        await tx.run(_INSERT, (mail_id, self._seal(mail_id, msgspec.msgpack.encode(message))))
        await self._jobs.enqueue(tx, DELIVER_JOB, mail_id=str(mail_id))
        return True

    async def deliver(self, mail_id: str) -> None:
        """The job: tries once. Raises Undelivered when it is to be tried again.

        What the mail server refuses for good, and what it has not taken after the last attempt, stays in the outbox,
        marked, until the sweep.
        """
        async with self._database.operator() as tx:
            waiting = await tx.one(_Waiting, _CLAIM, (UUID(mail_id),))
        if waiting is None:
            return  # a worker died after step 4, or this was given up
        failure = _Failure("Interrupted") if waiting.attempts > MAX_ATTEMPTS else await self._attempt(waiting)
        if failure is None:
            return
        given_up = failure.permanent or waiting.attempts >= MAX_ATTEMPTS
        async with self._database.operator() as tx:
            await tx.run(_FAIL, {"mail_id": waiting.mail_id, "reason": failure.reason, "finally": given_up})
            if given_up:
                await self._tell(tx, waiting.mail_id, failure.reason)
        log.warning("mail not taken", mail=mail_id, reason=failure.reason, attempt=waiting.attempts, given_up=given_up)
        if not given_up:
            raise Undelivered(failure.reason, waiting.attempts)

    async def sweep(self) -> None:
        """Deletes what was given up seven days ago, and queues again what has lost its job."""
        async with self._database.operator() as tx:
            await tx.run(_DELETE_OLD, (KEEP_DAYS,))
            for mail_id in await tx.values(_FORGOTTEN, (DELIVER_JOB,)):
                await self._jobs.enqueue(tx, DELIVER_JOB, mail_id=str(mail_id))

    async def outbox(self, tx: OperatorReader) -> Outbox:
        """What waits and what was given up."""
        return await tx.one(Outbox, _OUTBOX) or Outbox(0, 0, [])

    async def verify_server(self) -> None:
        """Connects, encrypts, signs in, and sends nothing. Raises ServerUnusable."""
        try:
            async with self._session():
                pass
        except (aiosmtplib.SMTPException, OSError) as error:
            reason = _reason_of(error)
        else:
            return
        raise ServerUnusable(
            f"The mail server {self.server} cannot be used ({reason}). Look at [mail] in the settings."
        )

    async def _attempt(self, waiting: _Waiting) -> _Failure | None:
        """Steps 3 and 4. Whatever fails before the message itself is offered is the server's matter, and may pass."""
        try:
            message = msgspec.msgpack.decode(self._unseal(waiting.mail_id, waiting.sealed), type=Message)
            content = compose(message, mail_id=waiting.mail_id, written_at=waiting.created_at, sender=self._sender)
            async with self._session() as session:
                try:
                    await session.sendmail(self._sender.addr_spec, message.to, content, timeout=_SEND_SECONDS)
                except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPResponseException) as error:
                    code = _code_of(error)
                    return _Failure(_reason_of(error), permanent=code in _PERMANENT)
                async with self._database.operator() as tx:
                    await tx.run(_DELETE, (waiting.mail_id,))
                    await self._tell(tx, waiting.mail_id, "")
        except (aiosmtplib.SMTPException, OSError, Error) as error:
            return _Failure(_reason_of(error))
        return None

    async def _tell(self, tx: OperatorWriter, mail_id: UUID, reason: str) -> None:
        for tell in self._outcomes:
            await tell(tx, mail_id, reason)

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A session that is encrypted (TLS 1.2 or newer), whose server is verified, and signed in.

        The user name and everything of a message go over it after that, never before.
        """
        settings = self._settings
        session = aiosmtplib.SMTP(
            hostname=settings.host, port=settings.port, local_hostname=self._sender.domain, timeout=_SIGN_IN_SECONDS,
            use_tls=settings.security == "tls", start_tls=False, tls_context=self._trust,
        )  # fmt: skip
        try:
            await session.connect()
            if settings.security == "starttls":
                await _encrypt(session)
            if settings.username:
                await session.login(settings.username, self._password())
            yield session
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await session.quit()
        finally:
            session.close()

    def _password(self) -> bytes:
        """Read each time: it may be changed without a restart."""
        if not self._settings.username:
            return b""
        try:
            return Path(self._settings.password_file).read_bytes().rstrip(b"\r\n")
        except OSError:
            raise ConfigurationError(
                f"{self._settings.password_file} is named in mail.password_file and cannot be read."
            ) from None


async def _encrypt(session: aiosmtplib.SMTP) -> None:
    """STARTTLS (RFC 3207), which a server must offer. Raises StartTlsMissing."""
    await session.ehlo()
    if not session.supports_extension("starttls"):
        raise StartTlsMissing("The mail server offers no STARTTLS; nothing was sent. Set mail.security, or its port.")
    await session.starttls()


def compose(message: Message, *, mail_id: UUID, written_at: datetime, sender: Address) -> bytes:
    """The message as it goes over the wire (RFC 5322): the same bytes each time it is tried."""
    mail = EmailMessage(policy=_WIRE)
    mail["From"] = sender
    mail["To"] = Address(addr_spec=message.to)
    mail["Subject"] = message.subject
    mail["Date"] = written_at
    mail["Message-ID"] = f"<{mail_id}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: absence notices and the like do not answer it
    mail.set_content(message.text)
    return mail.as_bytes()


def _breaks_out(character: str) -> bool:
    """Control characters, line and paragraph separators, and halves of surrogate pairs."""
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def _code_of(error: BaseException) -> int | None:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return error.recipients[0].code
    return error.code if isinstance(error, aiosmtplib.SMTPResponseException) else None


def _reason_of(error: BaseException) -> str:
    """The server's code, or the name of what lies at the bottom. Its words are left out: they repeat the address."""
    code = _code_of(error)
    if code in _ANSWERS:
        return str(code)
    return type(error.__cause__ if isinstance(error.__cause__, OSError) else error).__name__


def _trust(ca_file: str) -> ssl.SSLContext:
    """The roots in `ca_file` and no others, or the system's; the host name is verified too."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError:  # ssl.SSLError too
        raise ConfigurationError(f"{ca_file} is named in mail.ca_file and holds no certificates.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
