"""Invitations: how an account comes to be. A single-use link by mail, which also proves the address."""

from datetime import timedelta
from uuid import UUID

import msgspec

from bailee.access.accounts import Accounts, verify_person
from bailee.access.errors import LinkRefused
from bailee.access.factors import verify_label
from bailee.access.grants import verify_grantable
from bailee.access.letters import Letters
from bailee.access.members import Members
from bailee.access.model import (
    AccountKind,
    AccountState,
    Invitation,
    SentInvitation,
    SessionKind,
    StartedSession,
)
from bailee.access.sessions import Sessions, Start
from bailee.access.sign_in import SignIn
from bailee.access.store import accounts as account_rows
from bailee.access.store import members as rows
from bailee.access.store import roles as role_rows
from bailee.access.tokens import INVITATION, Parsed, same
from bailee.events import Events, Object, verb
from bailee.events.catalogue import (
    AccountCreated,
    AccountInvited,
    InvitationWithdrawn,
    MemberInvitationWithdrawn,
    MemberInvited,
    RoleGranted,
)
from bailee.events.verbs import ANYONE, OWN
from bailee.foundation.clock import Clock
from bailee.foundation.database import (
    Database,
    OperatorReader,
    OperatorWriter,
    TenantReader,
    TenantWriter,
    Writer,
    constraints,
)
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.http import parse_uuid
from bailee.foundation.ids import OPERATOR, TenantId, new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import ActorKind, Forbidden, Principal
from bailee.foundation.secrets import Secret
from bailee.foundation.settings import Access
from bailee.tenants import store as tenant_rows


class InvitationView(msgspec.Struct, frozen=True):
    """What somebody sees who holds an invitation's link."""

    email: str
    name: str
    staff: bool
    place: str
    roles: list[str]
    has_account: bool
    """Whether to sign in with the account there is, instead of making one."""


class Invitations:
    """Asking people to join: the operator's staff, or a tenant's members."""

    def __init__(
        self, database: Database, events: Events, accounts: Accounts, members: Members, sessions: Sessions,
        sign_in: SignIn, mail: Mail, letters: Letters, limits: Access, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._accounts = accounts
        self._members = members
        self._sessions = sessions
        self._sign_in = sign_in
        self._mail = mail
        self._letters = letters
        self._limits = limits
        self._clock = clock

    # --- staff ----------------------------------------------------------------------------------------

    @verb(AccountInvited, permission="accounts.invite", step_up=True, lasting=True)
    async def invite_staff(
        self, tx: OperatorWriter, *, email: str, name: str, roles: list[str], by: Principal
    ) -> SentInvitation:
        """Asks somebody to become staff. Raises Invalid, GrantRefused, or Conflict for somebody who is there
        already.
        """
        email, name = verify_person(email, name)
        if not roles:
            raise Invalid("The invitation is not valid.", errors=[FieldError("roles", "Choose at least one role.")])
        verify_grantable(roles, by)
        account = await account_rows.find_by_email(tx, email)
        if account is not None and account.kind is AccountKind.MEMBER:
            raise Conflict("This address belongs to a customer's member. Staff use an address of their own.")
        if account is not None and account.state is not AccountState.OFF_BOARDED:
            raise Conflict("This person has an account already.")
        sent = await self._invite(tx, OPERATOR, email, name, sorted(set(roles)), "the operator’s staff", by)
        on = Object("invitation", str(sent.id))
        await self._events.record(tx, AccountInvited(sorted(set(roles))), by=by, on=on)
        return sent

    @verb(InvitationWithdrawn, permission="accounts.withdraw_invitation")
    async def withdraw_staff(self, tx: OperatorWriter, invitation_id: UUID, *, by: Principal) -> None:
        """Makes an invitation's link worthless. Raises NotFound, Conflict."""
        await self._withdraw(tx, OPERATOR, invitation_id)
        await self._events.record(tx, InvitationWithdrawn(), by=by, on=Object("invitation", str(invitation_id)))

    async def of_staff(self, tx: OperatorReader, *, before: UUID | None = None, limit: int = 100) -> list[Invitation]:
        """Newest first."""
        return await rows.list_invitations(tx, OPERATOR, before=before, limit=limit)

    # --- members --------------------------------------------------------------------------------------

    @verb(MemberInvited, permission="members.invite", step_up=True)
    async def invite_member(
        self, tx: TenantWriter, *, email: str, name: str, role: str, by: Principal
    ) -> SentInvitation:
        """Asks somebody to join the tenant. Raises Invalid, GrantRefused, or Conflict for a member."""
        await self._members.verify_grantable(tx, role, by)
        return await self._invite_member(tx, email, name, role, by)

    @verb(MemberInvited, permission="tenants.invite_owner", step_up=True, lasting=True)
    async def invite_owner(self, tx: TenantWriter, *, email: str, name: str, by: Principal) -> SentInvitation:
        """Staff ask a customer's first person to join, as the tenant's owner. Raises Invalid, Conflict.

        Only while the tenant has no owner: from then on its own people decide.
        """
        if await rows.lock_owners(tx):
            raise Conflict("This tenant has an owner, who invites its people.")
        return await self._invite_member(tx, email, name, "owner", by)

    @verb(MemberInvitationWithdrawn, permission="members.withdraw_invitation")
    async def withdraw_member(self, tx: TenantWriter, invitation_id: UUID, *, by: Principal) -> None:
        """Makes an invitation's link worthless. Raises NotFound, Conflict."""
        await self._withdraw(tx, tx.tenant, invitation_id)
        await self._events.record(tx, MemberInvitationWithdrawn(), by=by, on=Object("invitation", str(invitation_id)))

    async def of_members(self, tx: TenantReader, *, before: UUID | None = None, limit: int = 100) -> list[Invitation]:
        """Newest first."""
        return await rows.list_invitations(tx, tx.tenant, before=before, limit=limit)

    # --- accepting ------------------------------------------------------------------------------------

    async def view(self, tx: OperatorReader, token: str) -> InvitationView:
        """What a link invites to. Raises LinkRefused."""
        _parsed, found = await self._valid(tx, token)
        account = await account_rows.find_by_email(tx, found.email)
        usable = account is not None and account.state is not AccountState.OFF_BOARDED
        place = await self._place(tx, found.tenant_id)
        return InvitationView(
            found.email, found.name, found.tenant_id == OPERATOR, place, found.roles, has_account=usable
        )

    async def accept(
        self, *, token: str, name: str, password: Secret, kind: SessionKind, by: Principal
    ) -> StartedSession:
        """Makes the account. A member is signed in; staff get a session in which nothing but enrolling a factor works.

        Raises LinkRefused, Invalid, TooManyAttempts, or Conflict for somebody who has an account and joins with it
        instead.
        """
        async with self._database.operator_read() as reader:
            parsed, found = await self._valid(reader, token)
            place = "" if found.tenant_id == OPERATOR else await self._place(reader, found.tenant_id)
        staff = found.tenant_id == OPERATOR
        name = verify_label(name, "name")
        async with self._database.tenant_read(found.tenant_id) as tenant_tx:
            rules = None if staff else await self._members.password_rules(tenant_tx)
        await self._sign_in.count_attempt(found.email, parsed.id, by=by)
        password_hash = await self._accounts.prepare_password(
            password, email=found.email, name=name, staff=staff, rules=rules, tenant=place
        )
        async with self._database.operator() as tx:
            return await self.finish(tx, token=token, name=name, password_hash=password_hash, kind=kind, by=by)

    @verb(AccountCreated, permission=ANYONE)
    async def finish(
        self, tx: OperatorWriter, *, token: str, name: str, password_hash: str, kind: SessionKind, by: Principal
    ) -> StartedSession:
        """The transaction of `accept`. Of many at once, one succeeds."""
        parsed, found = await self._valid(tx, token)
        await self._verify_first_owner(tx, found)
        if not await rows.use_invitation(tx, found.tenant_id, parsed.id):
            raise LinkRefused
        staff = found.tenant_id == OPERATOR
        account_kind = AccountKind.STAFF if staff else AccountKind.MEMBER
        state = AccountState.PENDING if staff else AccountState.ACTIVE
        account_id = await self._account(tx, found, name, account_kind, state, password_hash)
        on = Object("account", str(account_id))
        await self._events.record(tx, AccountCreated(found.roles[0]), by=by, on=on)
        if not staff:
            await self._members.join(
                tx, found.tenant_id, account_id, found.email, name, found.roles[0], "invitation", by=by
            )
            return await self._sessions.start(
                tx,
                Start(account_id, ["password"], kind, tenant=found.tenant_id, new_device=kind is SessionKind.BROWSER),
                by=by,
            )  # fmt: skip
        for role in found.roles:
            await role_rows.insert_grant(tx, account_id, role, found.invited_by)
            await self._events.record(tx, RoleGranted(role), by=by, on=on)
        return await self._sessions.start_enrolment(tx, account_id, by=by)

    @verb(AccountCreated, permission=OWN)
    async def join(self, tx: OperatorWriter, *, token: str, by: Principal) -> TenantId:
        """Somebody signed in accepts an invitation with the account they have. Raises LinkRefused, Forbidden,
        Conflict.
        """
        parsed, found = await self._valid(tx, token)
        account = await account_rows.find_account(tx, by.account_id)
        if account is None or account.email != found.email:
            raise Forbidden("This invitation is for another address. Sign in with the account it was sent to.")
        if found.tenant_id == OPERATOR or by.kind is not ActorKind.MEMBER:
            raise Forbidden("An account is staff's or a member's. Ask for an invitation to another address.")
        await self._verify_first_owner(tx, found)
        if not await rows.use_invitation(tx, found.tenant_id, parsed.id):
            raise LinkRefused
        await self._members.join(
            tx, found.tenant_id, account.id, account.email, account.name, found.roles[0], "invitation", by=by
        )
        await self._events.record(
            tx, AccountCreated(found.roles[0]), by=by, on=Object("account", by.id), tenant=found.tenant_id
        )
        return found.tenant_id

    # --- inside ---------------------------------------------------------------------------------------

    async def _invite_member(self, tx: TenantWriter, email: str, name: str, role: str, by: Principal) -> SentInvitation:
        email, name = verify_person(email, name)
        if await rows.find_membership_by_email(tx, email) is not None:
            raise Conflict("This person is a member already.")
        tenant = await tenant_rows.find_tenant(tx, tx.tenant)
        if tenant is None:
            raise NotFound
        sent = await self._invite(tx, tx.tenant, email, name, [role], tenant.name, by)
        await self._events.record(tx, MemberInvited(role), by=by, on=Object("invitation", str(sent.id)))
        return sent

    async def _invite(
        self, tx: Writer, place: TenantId, email: str, name: str, roles: list[str], called: str, by: Principal
    ) -> SentInvitation:
        invitation_id = new_id()
        token, digest = INVITATION.new(place, invitation_id)
        expires_at = self._clock.now() + timedelta(hours=self._limits.invitation_hours)
        await rows.insert_invitation(
            tx, place, invitation_id, email, name, roles, digest, by.id, expires_at, mailed=self._mail.configured
        )
        sent = await self._mail.queue(tx, self._letters.invitation(email, token, called, expires_at))
        made = await rows.find_invitation(tx, place, invitation_id)
        if made is None:
            raise NotFound
        link = None if sent else self._letters.link("invitation", token)
        return SentInvitation(**msgspec.structs.asdict(made), link=link)

    async def _withdraw(self, tx: Writer, place: TenantId, invitation_id: UUID) -> None:
        if await rows.find_invitation(tx, place, invitation_id) is None:
            raise NotFound
        if not await rows.withdraw_invitation(tx, place, invitation_id):
            raise Conflict("This invitation was accepted or withdrawn already.")

    async def _valid(self, tx: OperatorReader, token: str) -> tuple[Parsed, rows.InvitationCheck]:
        parsed = INVITATION.parse(token)
        found = await rows.find_open_invitation(tx, TenantId(parsed.ids[0]), parsed.id) if parsed else None
        if parsed is None or found is None or not same(parsed.digest, found.digest):
            raise LinkRefused
        return parsed, found

    async def _verify_first_owner(self, tx: OperatorWriter, found: rows.InvitationCheck) -> None:
        """Staff invite a tenant's first owner, and no second one: of several links the first that is used counts."""
        if found.tenant_id == OPERATOR or found.roles != ["owner"]:
            return
        inviter = parse_uuid(found.invited_by)
        account = await account_rows.find_account(tx, inviter) if inviter else None
        by_staff = account is not None and account.kind is AccountKind.STAFF
        if by_staff and await rows.has_owner(tx, found.tenant_id):
            raise LinkRefused

    async def _account(
        self, tx: OperatorWriter, found: rows.InvitationCheck, name: str, kind: AccountKind, state: AccountState,
        password_hash: str,
    ) -> UUID:  # fmt: skip
        there = await account_rows.find_by_email(tx, found.email)
        known = Conflict("You have an account already: sign in with it, then open the link again.")
        if there is None:
            account_id = new_id()
            with constraints({"accounts_email_key": known}):  # made meanwhile, by another invitation
                await account_rows.insert_account(
                    tx, account_id, kind, found.email, name, state, password_hash, verified=found.mailed
                )
            return account_id
        if there.state is not AccountState.OFF_BOARDED or there.kind is not kind:
            raise known
        await account_rows.restart(tx, there.id, name, password_hash, state)
        return there.id

    async def _place(self, tx: OperatorReader, place: TenantId) -> str:
        if place == OPERATOR:
            return "the operator’s staff"
        tenant = await tenant_rows.find_tenant(tx, place)
        return tenant.name if tenant else ""
