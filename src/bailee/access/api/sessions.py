"""Setup, sign-in, step-up and sessions over REST."""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post

from bailee.access.accounts import Accounts, SetupStarted, verify_person
from bailee.access.api.common import SMALL, Count, Email, PasskeyAnswer, Password, Short, id_of, raw_of, secret_of
from bailee.access.model import (
    Account,
    Enrolled,
    OwnTenant,
    PasskeyChallenge,
    PendingSignIn,
    Session,
    SessionKind,
    StartedSession,
)
from bailee.access.sessions import Sessions
from bailee.access.sign_in import SignIn
from bailee.foundation.database import Database
from bailee.foundation.http import own_account, problems
from bailee.foundation.principal import Principal


class SetupRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first account."""

    token: Short
    email: Email
    name: Short
    password: Password


class SetupConfirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first code."""

    confirmation: Short
    code: Short


class SetupView(msgspec.Struct, frozen=True):
    """What the app needs, and what the second step asks for. Shown once."""

    account: Account
    totp_secret: str
    totp_uri: str
    confirmation: str


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A password, with the code of an app (or a recovery code) beside it or in a second step."""

    email: Email
    password: Password
    code: Short | None = None


class PendingCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The second step of a sign-in."""

    pending: Short
    code: Short


class PendingOrNot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sign-in under way, or none: then any passkey that the browser has for us will do."""

    pending: Short | None = None


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code of the app, or a recovery code."""

    code: Short


class TenantChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tenant that the caller belongs to."""

    tenant: UUID


class SessionView(msgspec.Struct, frozen=True):
    """Who is signed in and until when at most, what they may do at present, and what stands in their way."""

    expires_at: datetime
    account: Account
    tenant: UUID | None
    permissions: list[str]
    unmet: list[str]
    stepped_up: bool


@post(
    "/setup",
    request_max_body_size=SMALL,
    summary="First-run setup: the owner's account",
    operation_id="beginSetup",
    responses=problems(),
)
async def begin_setup(database: Database, accounts: Accounts, data: SetupRequest, principal: Principal) -> SetupView:
    started = await setup(database, accounts, data.token, data.email, data.name, data.password, principal)
    return SetupView(started.account, started.secret, started.uri, started.confirmation)


@post(
    "/setup/confirm",
    request_max_body_size=SMALL,
    summary="First-run setup: the first code",
    operation_id="confirmSetup",
    responses=problems(),
)
async def confirm_setup(
    database: Database, accounts: Accounts, data: SetupConfirmation, principal: Principal
) -> Enrolled:
    async with database.operator() as tx:
        return await accounts.confirm_setup(
            tx, confirmation=data.confirmation, code=data.code, kind=SessionKind.API, by=principal
        )


@post("/session", request_max_body_size=SMALL, summary="Sign in", operation_id="signIn", responses=problems())
async def sign_in_(sign_in: SignIn, data: Credentials, principal: Principal) -> StartedSession | PendingSignIn:
    return await sign_in.by_password(
        email=data.email, password=secret_of(data.password), code=data.code, kind=SessionKind.API, by=principal
    )


@post("/session/code", request_max_body_size=SMALL, summary="Sign in: the second step, by code",
      operation_id="signInByCode", responses=problems())  # fmt: skip
async def sign_in_by_code(sign_in: SignIn, data: PendingCode, principal: Principal) -> StartedSession:
    return await sign_in.by_code(pending=data.pending, code=data.code, kind=SessionKind.API, by=principal)


@post("/session/passkey/options", request_max_body_size=SMALL, summary="Sign in with a passkey: what it is to answer",
      operation_id="passkeyOptions", status_code=200, responses=problems())  # fmt: skip
async def passkey_options(sign_in: SignIn, data: PendingOrNot, principal: Principal) -> PasskeyChallenge:
    if data.pending is None:
        return await sign_in.passkey_for_anyone(by=principal)
    return await sign_in.passkey_for(pending=data.pending)


@post("/session/passkey", request_max_body_size=SMALL, summary="Sign in with a passkey",
      operation_id="signInByPasskey", responses=problems())  # fmt: skip
async def sign_in_by_passkey(sign_in: SignIn, data: PasskeyAnswer, principal: Principal) -> StartedSession:
    answer, kind = raw_of(data.answer), SessionKind.API
    if data.pending is None:
        return await sign_in.by_passkey(challenge_id=data.challenge_id, answer=answer, kind=kind, by=principal)
    return await sign_in.by_passkey_after_password(
        pending=data.pending, challenge_id=data.challenge_id, answer=answer, kind=kind, by=principal
    )


@get("/session", summary="The caller's session", operation_id="getSession", responses=problems(), **own_account())
async def get_session(database: Database, accounts: Accounts, sessions: Sessions, principal: Principal) -> SessionView:
    async with database.operator_read() as tx:
        account = await accounts.get(tx, principal.account_id)
        expires_at = await sessions.end_of(tx, by=principal)
    return SessionView(
        expires_at, account, principal.tenant_id, sorted(principal.permissions), list(principal.unmet),
        principal.stepped_up,
    )  # fmt: skip


@delete("/session", summary="Sign out", operation_id="signOut", responses=problems(), **own_account())
async def sign_out(database: Database, sessions: Sessions, principal: Principal) -> None:
    async with database.operator() as tx:
        await sessions.sign_out(tx, by=principal)


@post("/session/step-up", request_max_body_size=SMALL,
      summary="Show a second factor again: a new token for the session", operation_id="stepUp",
      status_code=200, responses=problems(), **own_account())  # fmt: skip
async def step_up(sign_in: SignIn, data: Code, principal: Principal) -> StartedSession:
    return await sign_in.step_up_by_code(code=data.code, by=principal)


@post("/session/step-up/passkey/options", summary="Step-up with a passkey: what it is to answer",
      operation_id="stepUpOptions", status_code=200, responses=problems(), **own_account())  # fmt: skip
async def step_up_options(sign_in: SignIn, principal: Principal) -> PasskeyChallenge:
    return await sign_in.passkey_for_step_up(by=principal)


@post("/session/step-up/passkey", request_max_body_size=SMALL, summary="Step-up with a passkey",
      operation_id="stepUpByPasskey", status_code=200, responses=problems(), **own_account())  # fmt: skip
async def step_up_by_passkey(sign_in: SignIn, data: PasskeyAnswer, principal: Principal) -> StartedSession:
    return await sign_in.step_up_by_passkey(challenge_id=data.challenge_id, answer=raw_of(data.answer), by=principal)


@post("/session/tenant", summary="Work in another tenant: a new token for the session", operation_id="switchTenant",
      status_code=200, responses=problems(), **own_account())  # fmt: skip
async def switch_tenant(
    database: Database, sessions: Sessions, data: TenantChoice, principal: Principal
) -> StartedSession:
    async with database.operator() as tx:
        return await sessions.switch_tenant(tx, data.tenant, by=principal)


@get("/account/tenants", summary="The tenants that the caller belongs to", operation_id="listOwnTenants",
     responses=problems(), **own_account())  # fmt: skip
async def own_tenants(database: Database, sessions: Sessions, principal: Principal) -> list[OwnTenant]:
    async with database.operator_read() as tx:
        return await sessions.own_tenants(tx, by=principal)


@get("/sessions", summary="The caller's sessions", operation_id="listSessions", responses=problems(), **own_account())
async def list_sessions(database: Database, sessions: Sessions, principal: Principal) -> list[Session]:
    async with database.operator_read() as tx:
        return await sessions.own(tx, by=principal)


@delete("/sessions", summary="End the caller's other sessions", operation_id="endOtherSessions", status_code=200,
        responses=problems(), **own_account())  # fmt: skip
async def end_others(database: Database, sessions: Sessions, principal: Principal) -> Count:
    async with database.operator() as tx:
        return Count(await sessions.end_others(tx, by=principal))


@delete("/sessions/{session:str}", summary="End one of the caller's sessions", operation_id="endSession",
        responses=problems(), **own_account())  # fmt: skip
async def end_session(database: Database, sessions: Sessions, session: str, principal: Principal) -> None:
    async with database.operator() as tx:
        await sessions.end(tx, id_of(session), by=principal)


async def setup(
    database: Database, accounts: Accounts, token: str, email: str, name: str, password: str, by: Principal
) -> SetupStarted:
    """Begins first-run setup: link, then password, then the account. The API's and the page's way are one."""
    secret = secret_of(password)
    async with database.operator() as tx:
        await accounts.verify_setup_token(tx, token)
    person = verify_person(email, name)
    password_hash = await accounts.prepare_password(secret, email=person[0], name=person[1], staff=True)
    async with database.operator() as tx:
        return await accounts.begin_setup(tx, token=token, email=email, name=name, password_hash=password_hash, by=by)


router = Router(
    "/",
    route_handlers=[
        begin_setup, confirm_setup, sign_in_, sign_in_by_code, passkey_options, sign_in_by_passkey, get_session,
        sign_out, step_up, step_up_options, step_up_by_passkey, switch_tenant, own_tenants, list_sessions, end_others,
        end_session,
    ],
    tags=["Access"],
)  # fmt: skip
