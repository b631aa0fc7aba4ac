"""Signing in through a tenant's identity provider (OpenID Connect, authorisation code flow with PKCE).

What keeps it honest:

    1. An intent ties the answer to one sign-in: of this browser (a cookie), for this tenant, provider and client, once.
       Nonce and code verifier follow from the browser's secret; we keep digests alone.
    2. The answer's issuer, where it is named, is the intent's (RFC 9207): no mix-up of two providers.
    3. The code is exchanged with the provider that was asked; the ID token is examined (see `oidc.py`).
    4. Subject and issuer name somebody within this tenant. The e-mail address links somebody new, if it lies in a
       domain that the tenant has verified.
    5. The session acts in this tenant alone, whatever else the person belongs to.

Every failure has one answer, and one event. An answer that nobody here asked for is counted on its own: any page could
have its visitors bring some, and must not shut their network out.
"""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from bailee.access.accounts import Accounts
from bailee.access.addresses import domain_of, normalise_email
from bailee.access.errors import TooManyAttempts
from bailee.access.federation import store as rows
from bailee.access.federation.connections import SsoConnections
from bailee.access.federation.domains import FEATURE
from bailee.access.federation.errors import ProviderUnusable, SsoRefused, TokenRefused
from bailee.access.federation.model import BROWSER, STATE, Connection, Onward, Returned, Vouched
from bailee.access.federation.oidc import IdentityProviders
from bailee.access.members import Members
from bailee.access.model import Account, AccountKind, AccountState, SessionKind, StartedSession
from bailee.access.sessions import Sessions, Start
from bailee.access.sign_in import throttle_key
from bailee.access.store import accounts as account_rows
from bailee.access.store import sessions as session_rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import AccountCreated, IdentityLinked, SignedIn, SignInFailed
from bailee.events.model import Outcome
from bailee.events.verbs import ANYONE
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter, constraints
from bailee.foundation.errors import Conflict, Error
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import Principal
from bailee.tenants import store as tenant_rows
from bailee.tenants.model import TenantState

log = structlog.get_logger()

_INTENT_LIFE = timedelta(minutes=10)
_FRESH = timedelta(minutes=5)
_INTENTS_PER_ADDRESS = 100
_FAILURES_PER_ADDRESS = 50
_MAX_CODE = 4000
_KNOWLEDGE = frozenset({"pwd", "pin", "kba"})
_POSSESSION = frozenset({"otp", "hwk", "swk", "sc", "pop"})
_CLOSED = (TenantState.SUSPENDED, TenantState.TERMINATED)


class SsoSignIn:
    """The way in through somebody else's door."""

    def __init__(
        self, database: Database, events: Events, providers: IdentityProviders, connections: SsoConnections,
        sessions: Sessions, accounts: Accounts, members: Members, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._providers = providers
        self._connections = connections
        self._sessions = sessions
        self._accounts = accounts
        self._members = members
        self._clock = clock

    async def begin(self, *, email: str, onward: str, anew: bool = False, by: Principal) -> Onward | None:
        """Where an address's company signs its people in; None where nothing is set up for its domain.

        The answer depends on the domain alone, never on who has an account. `onward` is the page of ours to go on to;
        `anew` asks the provider to have the person show again who they are.
        Raises TooManyAttempts, ProviderUnusable.
        """
        email = normalise_email(email)
        async with self._database.operator_read() as reader:
            connection = await self._connection(reader, await rows.find_holder(reader, domain_of(email)))
        if connection is None:
            return None
        intent_id = new_id()
        state, digest = STATE.new(intent_id)
        browser, browser_digest = BROWSER.new(intent_id)
        intent = rows.Intent(
            intent_id, digest, browser_digest, connection.tenant_id, connection.issuer, connection.client_id, onward,
            anew, by.session_id,
        )  # fmt: skip
        await self._keep(intent, by)  # counted before the provider is asked
        discovered = await self._providers.discover(connection.issuer)
        url = self._providers.authorization_url(
            discovered, connection.client_id, redirect_uri=self._connections.redirect_uri, state=state,
            nonce=derived(browser, "nonce"), verifier=derived(browser, "verifier"), login_hint=email, anew=anew,
        )  # fmt: skip
        host = urlsplit(discovered.authorization_endpoint).hostname or ""
        return Onward(url, host, browser, int(_INTENT_LIFE.total_seconds()))

    async def finish(self, returned: Returned, *, by: Principal) -> tuple[StartedSession, str]:
        """The session that a browser has come back for, and the page to go on to.

        Raises SsoRefused or TooManyAttempts.
        """
        async with self._database.operator() as tx:
            intent = await self._use(tx, returned)
            address = throttle_key(by.address)
            attempt = await session_rows.begin_attempt(
                tx,
                address if intent else f"sso {address}",
                None,
                None,
                per_address=_FAILURES_PER_ADDRESS,
                per_account=1,
            )
        if attempt is None:
            raise TooManyAttempts("Too many failed sign-ins. Wait 15 minutes.", retry_after=900)
        try:
            if intent is None:
                raise SsoRefused
            connection, vouched = await self._examine(returned, intent)
            with constraints({"accounts_email_key": SsoRefused()}):
                async with self._database.operator() as tx:
                    started = await self.finish_sign_in(tx, connection, vouched, by=by)
                    if intent.former is not None:
                        await session_rows.delete_session(tx, intent.former, started.account.id)
                    await session_rows.end_attempts(tx, [attempt])
        except (SsoRefused, TokenRefused, ProviderUnusable, Conflict) as error:
            await self._refuse(error, intent, by)
            raise SsoRefused from None
        return started, intent.onward

    @verb(SignedIn, permission=ANYONE)
    async def finish_sign_in(
        self, tx: OperatorWriter, connection: Connection, vouched: Vouched, *, by: Principal
    ) -> StartedSession:
        """The transaction of `finish`: who the subject is here, and a session for them. Raises SsoRefused."""
        present = await rows.find_connection(tx, connection.tenant_id, share=True)
        if present is None or not present.enabled or not present.is_same(connection):
            raise SsoRefused  # changed or switched off while the provider was asked
        account_id = await self._known(tx, connection, vouched) or await self._new(tx, connection, vouched, by)
        start = Start(
            account_id, ["sso"], SessionKind.BROWSER, mfa=self._showed_two_factors(vouched),
            tenant=connection.tenant_id, via_sso=connection.tenant_id,
        )  # fmt: skip
        return await self._sessions.start(tx, start, by=by)

    # --- the way there and back -----------------------------------------------------------------------

    async def _connection(self, tx: OperatorReader, tenant: TenantId | None) -> Connection | None:
        """The connection that is in force for a tenant."""
        found = await rows.find_connection(tx, tenant) if tenant else None
        holder = await tenant_rows.find_tenant(tx, found.tenant_id) if found else None
        if found is None or not found.enabled or holder is None or holder.state in _CLOSED:
            return None
        if FEATURE not in holder.features:
            return None
        return found

    async def _keep(self, intent: rows.Intent, by: Principal) -> None:
        now = self._clock.now()
        address = throttle_key(by.address)
        async with self._database.operator() as tx:
            if await rows.count_intents(tx, address, now - _INTENT_LIFE) >= _INTENTS_PER_ADDRESS:
                raise TooManyAttempts("Too many sign-ins were begun. Wait ten minutes.", retry_after=600)
            await rows.insert_intent(tx, intent, address, now + _INTENT_LIFE)

    async def _use(self, tx: OperatorWriter, returned: Returned) -> rows.Intent | None:
        """Uses up the intent that address and cookie both name; None where they name none, or different ones."""
        state, browser = STATE.parse(returned.state), BROWSER.parse(returned.browser)
        if state is None or browser is None or state.id != browser.id:
            return None
        return await rows.use_intent(tx, state.id, state.digest, browser.digest)

    async def _examine(self, returned: Returned, intent: rows.Intent) -> tuple[Connection, Vouched]:
        """Steps 1 to 3. Raises SsoRefused, TokenRefused, ProviderUnusable."""
        if returned.error is not None or not 1 <= len(returned.code) <= _MAX_CODE:
            raise SsoRefused
        async with self._database.operator_read() as reader:
            connection = await self._connection(reader, intent.holder)
        if connection is None or (connection.issuer, connection.client_id) != (intent.issuer, intent.client_id):
            raise SsoRefused
        discovered = await self._providers.discover(connection.issuer)
        if returned.issuer is None and discovered.names_itself:
            raise TokenRefused("response without issuer")
        if returned.issuer is not None and returned.issuer != connection.issuer:
            raise TokenRefused("response of another issuer")
        token = await self._providers.exchange(
            discovered, self._connections.client_of(connection), code=returned.code,
            redirect_uri=self._connections.redirect_uri, verifier=derived(returned.browser, "verifier"),
        )  # fmt: skip
        nonce = derived(returned.browser, "nonce")
        vouched = await self._providers.verify(discovered, connection.client_id, token, nonce)
        if intent.anew and vouched.authenticated_at is not None and not self._is_fresh(vouched.authenticated_at):
            raise TokenRefused("old sign-in")
        return connection, vouched

    # --- who it is ------------------------------------------------------------------------------------

    async def _known(self, tx: OperatorWriter, connection: Connection, vouched: Vouched) -> UUID | None:
        """The person that this subject was linked to, within this tenant. Raises SsoRefused for one who is shut out."""
        tenant = connection.tenant_id
        account_id = await rows.find_identity(tx, tenant, vouched.issuer, vouched.subject)
        if account_id is None:
            return None
        account = await account_rows.find_account(tx, account_id)
        if not _may_enter(account) or await rows.find_member_state(tx, tenant, account_id) != "active":
            raise SsoRefused
        await rows.touch_identity(tx, tenant, vouched.issuer, vouched.subject)
        return account_id

    async def _new(self, tx: OperatorWriter, connection: Connection, vouched: Vouched, by: Principal) -> UUID:
        """Links a subject by its address: to a member, to somebody who becomes one, or to a new account.

        Raises SsoRefused for an address outside the tenant's verified domains or one that the provider calls
        unverified, for staff, for whoever is disabled here or everywhere, for somebody who belongs to other tenants
        alone (they accept an invitation with the account they have), and for an account that another subject stands
        for: an address that was given to somebody else does not bring them the account of the one before.
        """
        tenant, email = connection.tenant_id, vouched.email
        if not email or vouched.email_verified is False or await rows.find_holder(tx, domain_of(email)) != tenant:
            raise SsoRefused
        account = await account_rows.find_by_email(tx, email)
        if account is not None and _may_enter(account) and not await rows.has_memberships(tx, account.id):
            await self._accounts.retire(tx, account, by=by)
            account = None
        way: Literal["new_account", "member"] = "new_account"
        if account is None:
            account_id = await self._make_account(tx, connection, vouched, by)
        elif not _may_enter(account):
            raise SsoRefused
        else:
            account_id, way = account.id, "member"
            await self._verify_member(tx, connection, account, vouched)
        if not await rows.insert_identity(tx, tenant, vouched.issuer, vouched.subject, account_id):
            raise SsoRefused
        on = Object("account", str(account_id))
        await self._events.record(tx, IdentityLinked(way), by=by, on=on, tenant=tenant)
        return account_id

    async def _verify_member(
        self, tx: OperatorWriter, connection: Connection, account: Account, vouched: Vouched
    ) -> None:
        """Raises SsoRefused for somebody who is no member, or is shut out; and where the provider does not say that it
        has verified the address, for a member with another role than everybody new gets: an address that can be set
        without proof must not open an administrator's membership.
        """
        tenant = connection.tenant_id
        if await rows.find_member_state(tx, tenant, account.id) != "active":
            raise SsoRefused
        if vouched.email_verified is None:
            role = await rows.find_member_role(tx, tenant, account.id)
            if role != connection.default_role:
                raise SsoRefused

    async def _make_account(self, tx: OperatorWriter, connection: Connection, vouched: Vouched, by: Principal) -> UUID:
        """Somebody new, without a password: a mailed link can add one."""
        account_id, role = new_id(), connection.default_role
        name = vouched.name or vouched.email.partition("@")[0]
        await account_rows.insert_account(
            tx, account_id, AccountKind.MEMBER, vouched.email, name, AccountState.ACTIVE, None, verified=True
        )
        on = Object("account", str(account_id))
        await self._events.record(tx, AccountCreated(role), by=by, on=on, tenant=connection.tenant_id)
        await self._members.join(tx, connection.tenant_id, account_id, vouched.email, name, role, "sso", by=by)
        return account_id

    def _showed_two_factors(self, vouched: Vouched) -> bool:
        """Whether the provider saw two factors a moment ago: an old sign-in there is no step-up here (RFC 8176)."""
        methods = vouched.methods
        two = "mfa" in methods or bool(methods & _KNOWLEDGE and methods & _POSSESSION)
        at = vouched.authenticated_at
        return two and at is not None and self._is_fresh(at)

    def _is_fresh(self, moment: datetime) -> bool:
        return self._clock.now() - moment <= _FRESH

    async def _refuse(self, error: Error, intent: rows.Intent | None, by: Principal) -> None:
        fault = error.fault if isinstance(error, TokenRefused) else error.code
        log.info("single sign-on refused", fault=fault, intent=str(intent.intent_id) if intent else None)
        tenant = intent.holder if intent else None
        async with self._database.operator() as tx:
            await self._events.record(tx, SignInFailed("sso"), by=by, tenant=tenant, outcome=Outcome.REFUSED)


def derived(browser: str, purpose: str) -> str:
    """A secret of this sign-in, known to its browser alone: 43 characters, as many as a code verifier needs."""
    raw = hmac.digest(browser.encode(), purpose.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _may_enter(account: Account | None) -> bool:
    """Staff are nobody's members, and a disabled account stays so."""
    return account is not None and account.kind is AccountKind.MEMBER and account.state is AccountState.ACTIVE
