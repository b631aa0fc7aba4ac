"""One's own account over REST: factors and password; and what mailed links lead to."""

from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.background_tasks import BackgroundTask

from bailee.access.accounts import Accounts
from bailee.access.api.common import SMALL, Email, PasskeyAnswer, Password, Short, id_of, raw_of, secret_of
from bailee.access.api.sessions import Code
from bailee.access.factors import Factors
from bailee.access.invitations import Invitations, InvitationView
from bailee.access.model import Account, Enrolled, PasskeyChallenge, SessionKind, StartedSession, TotpEnrolment
from bailee.access.model import Factors as OwnFactors
from bailee.access.password_change import PasswordChange
from bailee.foundation.database import Database
from bailee.foundation.http import own_account, problems
from bailee.foundation.principal import Principal


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name for a thing of the caller's."""

    name: Short


class NewPasskey(PasskeyAnswer, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A passkey that a browser has made, and what to call it."""

    name: Short


class RecoveryCodes(msgspec.Struct, frozen=True):
    """Each works once. Shown this once."""

    recovery_codes: list[str]


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password that one has, and the one to have."""

    old: Password
    new: Password


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the link is to go."""

    email: Email


class LinkPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a mailed link carries, and a password: the new one, or for an enrolment the present one."""

    token: Short
    password: Password


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a mailed link carries behind its #."""

    token: Short


class Acceptance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The account that an invitation makes."""

    token: Short
    name: Short
    password: Password


class Joined(msgspec.Struct, frozen=True):
    """The tenant that the caller belongs to from now on."""

    tenant: UUID


@get("/account", summary="The caller's account", operation_id="getAccount", responses=problems(), **own_account())
async def get_account(database: Database, accounts: Accounts, principal: Principal) -> Account:
    async with database.operator_read() as tx:
        return await accounts.get(tx, principal.account_id)


@patch("/account", summary="Change the caller's name", operation_id="renameAccount", responses=problems(),
       **own_account())  # fmt: skip
async def rename_account(database: Database, accounts: Accounts, data: Named, principal: Principal) -> Account:
    async with database.operator() as tx:
        return await accounts.rename(tx, name=data.name, by=principal)


@get("/account/factors", summary="The caller's second factors", operation_id="getFactors", responses=problems(),
     **own_account())  # fmt: skip
async def get_factors(database: Database, factors: Factors, principal: Principal) -> OwnFactors:
    async with database.operator_read() as tx:
        return await factors.own(tx, by=principal)


@post("/account/factors/totp", summary="Begin to set up an authenticator app", operation_id="beginTotp",
      responses=problems(409), **own_account())  # fmt: skip
async def begin_totp(database: Database, factors: Factors, principal: Principal) -> TotpEnrolment:
    async with database.operator() as tx:
        return await factors.begin_totp(tx, by=principal)


@post("/account/factors/totp/confirm", summary="Set up an authenticator app: the first code",
      operation_id="confirmTotp", responses=problems(409), **own_account())  # fmt: skip
async def confirm_totp(database: Database, factors: Factors, data: Code, principal: Principal) -> Enrolled:
    async with database.operator() as tx:
        return await factors.confirm_totp(tx, code=data.code, by=principal)


@delete("/account/factors/totp", summary="Remove the authenticator app", operation_id="removeTotp",
        responses=problems(409), **own_account())  # fmt: skip
async def remove_totp(database: Database, factors: Factors, principal: Principal) -> None:
    async with database.operator() as tx:
        await factors.remove_totp(tx, by=principal)


@post("/account/factors/passkeys/options", summary="Begin to register a passkey", operation_id="beginPasskey",
      status_code=200, responses=problems(409), **own_account())  # fmt: skip
async def begin_passkey(database: Database, factors: Factors, principal: Principal) -> PasskeyChallenge:
    async with database.operator() as tx:
        return await factors.begin_passkey(tx, by=principal)


@post("/account/factors/passkeys", request_max_body_size=SMALL, summary="Register a passkey",
      operation_id="confirmPasskey", responses=problems(409), **own_account())  # fmt: skip
async def confirm_passkey(database: Database, factors: Factors, data: NewPasskey, principal: Principal) -> Enrolled:
    async with database.operator() as tx:
        return await factors.confirm_passkey(
            tx, challenge_id=data.challenge_id, answer=raw_of(data.answer), name=data.name, by=principal
        )


@patch("/account/factors/passkeys/{passkey:str}", summary="Rename a passkey", operation_id="renamePasskey",
       status_code=204, responses=problems(), **own_account())  # fmt: skip
async def rename_passkey(database: Database, factors: Factors, passkey: str, data: Named, principal: Principal) -> None:
    async with database.operator() as tx:
        await factors.rename_passkey(tx, id_of(passkey), name=data.name, by=principal)


@delete("/account/factors/passkeys/{passkey:str}", summary="Remove a passkey", operation_id="removePasskey",
        responses=problems(409), **own_account())  # fmt: skip
async def remove_passkey(database: Database, factors: Factors, passkey: str, principal: Principal) -> None:
    async with database.operator() as tx:
        await factors.remove_passkey(tx, id_of(passkey), by=principal)


@post("/account/factors/recovery-codes", summary="New recovery codes in place of the old",
      operation_id="newRecoveryCodes", responses=problems(), **own_account())  # fmt: skip
async def new_recovery_codes(database: Database, factors: Factors, principal: Principal) -> RecoveryCodes:
    async with database.operator() as tx:
        return RecoveryCodes(await factors.new_recovery_codes(tx, by=principal))


@post("/account/password", request_max_body_size=SMALL, summary="Change the password; every other session ends",
      operation_id="changePassword", status_code=200, responses=problems(), **own_account())  # fmt: skip
async def change_password(password_change: PasswordChange, data: NewPassword, principal: Principal) -> StartedSession:
    return await password_change.change(old=secret_of(data.old), new=secret_of(data.new), by=principal)


# --- by mailed link ---------------------------------------------------------------------------------


@post("/password/link", request_max_body_size=SMALL, summary="Ask for a link to choose a new password",
      operation_id="askPasswordLink", status_code=202, responses=problems())  # fmt: skip
async def ask_password_link(password_change: PasswordChange, data: Address, principal: Principal) -> Response[None]:
    # Answered first and looked up after: the answer and its time are the same whoever has an account.
    return Response(
        None, status_code=202, background=BackgroundTask(password_change.ask, email=data.email, by=principal)
    )


@post("/password", request_max_body_size=SMALL, summary="Choose a new password with a link",
      operation_id="resetPassword", status_code=204, responses=problems())  # fmt: skip
async def reset_password(password_change: PasswordChange, data: LinkPassword, principal: Principal) -> None:
    await password_change.reset(token=data.token, new=secret_of(data.password), by=principal)


@post("/enrolment", request_max_body_size=SMALL, summary="Begin to enrol a new factor with a link, after a reset",
      operation_id="beginEnrolment", responses=problems())  # fmt: skip
async def begin_enrolment(password_change: PasswordChange, data: LinkPassword, principal: Principal) -> StartedSession:
    return await password_change.enrol(token=data.token, password=secret_of(data.password), by=principal)


@post("/invitation", request_max_body_size=SMALL, summary="What an invitation's link invites to",
      operation_id="viewInvitation", status_code=200, responses=problems())  # fmt: skip
async def view_invitation(database: Database, invitations: Invitations, data: Token) -> InvitationView:
    async with database.operator_read() as tx:
        return await invitations.view(tx, data.token)


@post("/invitation/accept", request_max_body_size=SMALL, summary="Accept an invitation with a new account",
      operation_id="acceptInvitation", responses=problems(409))  # fmt: skip
async def accept_invitation(invitations: Invitations, data: Acceptance, principal: Principal) -> StartedSession:
    return await invitations.accept(
        token=data.token, name=data.name, password=secret_of(data.password), kind=SessionKind.API, by=principal
    )


@post("/invitation/join", request_max_body_size=SMALL, summary="Accept an invitation with the account one has",
      operation_id="joinTenant", status_code=200, responses=problems(409), **own_account())  # fmt: skip
async def join_tenant(database: Database, invitations: Invitations, data: Token, principal: Principal) -> Joined:
    async with database.operator() as tx:
        return Joined(await invitations.join(tx, token=data.token, by=principal))


router = Router(
    "/",
    route_handlers=[
        get_account, rename_account, get_factors, begin_totp, confirm_totp, remove_totp, begin_passkey, confirm_passkey,
        rename_passkey, remove_passkey, new_recovery_codes, change_password, ask_password_link, reset_password,
        begin_enrolment, view_invitation, accept_invitation, join_tenant,
    ],
    tags=["Access"],
)  # fmt: skip
