"""A tenant's connection to its identity provider: set up, tried out, taken away.

The provider is asked outside any transaction. The client's secret is sealed under a key of the instance, for a tenant.
"""

from uuid import UUID

from bailee.access.errors import GrantRefused
from bailee.access.federation import store as rows
from bailee.access.federation.domains import CALLED, FEATURE
from bailee.access.federation.errors import ProviderUnusable
from bailee.access.federation.model import Client, Connection, SsoConnection, SsoReport
from bailee.access.federation.oidc import IdentityProviders
from bailee.access.members import Members, require_feature
from bailee.access.permissions import TENANT_PERMISSIONS
from bailee.access.store import members as member_rows
from bailee.encryption.envelope import DataKey, Place, seal, unseal
from bailee.events import Events, Object, verb
from bailee.events.catalogue import SsoConfigured, SsoRemoved
from bailee.foundation.database import Database, OperatorWriter, TenantReader
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import TenantId
from bailee.foundation.principal import Principal
from bailee.foundation.revocation import announce
from bailee.foundation.secrets import Secret

CALLBACK = "/sso/callback"
_LONGEST = {"issuer": 500, "client_id": 255, "client_secret": 1000}


class SsoConnections:
    """The connection of one tenant at a time."""

    def __init__(
        self, database: Database, events: Events, providers: IdentityProviders, members: Members, key: DataKey,
        base_url: str,
    ) -> None:  # fmt: skip
        self._database = database
        self._events = events
        self._providers = providers
        self._members = members
        self._key = key
        self._base_url = base_url

    @property
    def redirect_uri(self) -> str:
        """Where identity providers send people back to."""
        return f"{self._base_url}{CALLBACK}"

    async def get(self, tx: TenantReader) -> SsoConnection:
        """Raises NotFound where none is set up."""
        found = await rows.show_connection(tx)
        if found is None:
            raise NotFound("No identity provider is set up.")
        return SsoConnection(
            found.issuer, found.client_id, found.default_role, found.enabled, found.created_at, found.updated_at,
            self.redirect_uri,
        )  # fmt: skip

    async def configure(
        self, *, issuer: str, client_id: str, client_secret: Secret | None, default_role: str, enabled: bool,
        by: Principal,
    ) -> SsoConnection:  # fmt: skip
        """Sets the connection up or changes it, once the provider's own description has been found good.

        Without `client_secret` the one before stays, as long as issuer and client do. `default_role` is what people get
        who are new here. Raises Invalid, NotInPlan, GrantRefused, ProviderUnusable, StepUpRequired, Conflict.
        """
        by.require("sso.configure")
        by.require_step_up()
        issuer, client_id = issuer.strip(), client_id.strip()
        _verify_texts(issuer, client_id, client_secret)
        async with self._database.tenant_read(by.tenant) as reader:
            if enabled:  # switching it off is open to every plan
                await require_feature(reader, FEATURE, CALLED)
            if default_role == "owner":
                message = "Choose another role: owners are made by owners."
                raise Invalid("The connection is not valid.", errors=[FieldError("default_role", message)])
            await self._members.verify_grantable(reader, default_role, by)
            known = await rows.show_connection(reader)
            if known is None or (known.issuer, known.client_id) != (issuer, client_id):
                _verify_everything(by)
        if enabled:
            await self._providers.discover(issuer, fresh=True)
        async with self._database.operator() as tx:
            before = await rows.find_connection(tx, by.tenant)
            sealed = self._sealed(by.tenant, issuer, client_id, client_secret, before)
            wanted = Connection(by.tenant, issuer, client_id, sealed, default_role, enabled)
            await self.finish_configuration(tx, wanted, by=by)
        async with self._database.tenant_read(by.tenant) as reader:
            return await self.get(reader)

    @verb(SsoConfigured, permission="sso.configure", step_up=True)
    async def finish_configuration(self, tx: OperatorWriter, wanted: Connection, *, by: Principal) -> None:
        """The transaction of `configure`. What another provider has begun, or one that is switched off, ends."""
        before = await rows.lock_connection(tx, wanted.tenant_id)
        if before is None or not before.is_same(wanted):  # looked at again: it may have changed meanwhile
            _verify_everything(by)
        if not wanted.enabled:
            await self._verify_not_needed(tx, wanted.tenant_id)
        await rows.put_connection(tx, wanted)
        if before is not None and (before.issuer != wanted.issuer or not wanted.enabled):
            await self._end_sessions(tx, wanted.tenant_id, by)
        await self._events.record(
            tx, SsoConfigured(wanted.enabled, wanted.default_role), by=by, on=_object(wanted.tenant_id),
            tenant=wanted.tenant_id,
        )  # fmt: skip

    @verb(SsoRemoved, permission="sso.remove", step_up=True)
    async def remove(self, tx: OperatorWriter, tenant: TenantId, *, by: Principal) -> None:
        """Takes the connection away, and ends the sessions that it began. Raises NotFound, or Conflict while the policy
        asks members to use it.
        """
        await self._verify_not_needed(tx, tenant)
        if not await rows.delete_connection(tx, tenant):
            raise NotFound("No identity provider is set up.")
        await self._end_sessions(tx, tenant, by)
        await self._events.record(tx, SsoRemoved(), by=by, on=_object(tenant), tenant=tenant)

    async def try_out(self, *, by: Principal) -> SsoReport:
        """Asks the provider for its description and its keys now. Raises NotInPlan, NotFound or ProviderUnusable."""
        by.require("sso.configure")
        async with self._database.tenant_read(by.tenant) as reader:
            await require_feature(reader, FEATURE, CALLED)
            connection = await self.get(reader)
        found = await self._providers.discover(connection.issuer, fresh=True)
        keys = await self._providers.count_keys(found)
        if keys == 0:
            raise ProviderUnusable("The identity provider publishes no key that we could take a signature from.")
        return SsoReport(found.issuer, found.authorization_endpoint, found.token_endpoint, keys)

    def client_of(self, connection: Connection) -> Client:
        """Who we are to the provider, with the secret opened."""
        place = _place(connection.tenant_id)
        return Client(
            connection.issuer, connection.client_id, Secret(unseal(self._key, connection.client_secret, place))
        )

    # --- inside ---------------------------------------------------------------------------------------

    def _sealed(
        self, tenant: TenantId, issuer: str, client_id: str, secret: Secret | None, before: Connection | None
    ) -> bytes:
        if secret is not None:
            return seal(self._key, secret.reveal(), _place(tenant))
        # A secret kept from before goes to where it went before: another issuer must not be sent it.
        if before is None or (before.issuer, before.client_id) != (issuer, client_id):
            message = "Give the client's secret: there is none yet for this issuer and client."
            raise Invalid("The connection is not valid.", errors=[FieldError("client_secret", message)])
        return before.client_secret

    async def _verify_not_needed(self, tx: OperatorWriter, tenant: TenantId) -> None:
        policy = await member_rows.find_policy(tx, tenant)
        if policy is not None and policy.require_sso:
            raise Conflict("The policy asks members to use single sign-on. Change it first.")

    async def _end_sessions(self, tx: OperatorWriter, tenant: TenantId, by: Principal) -> None:
        await rows.end_sessions(tx, tenant, but=by.session_id)
        await announce(tx)


def _verify_everything(by: Principal) -> None:
    """Raises GrantRefused for whoever holds less than an owner does."""
    if not all(by.may(permission) for permission in TENANT_PERMISSIONS):
        raise GrantRefused("An identity provider can sign in anybody, owners among them. Ask an owner to choose it.")


def _verify_texts(issuer: str, client_id: str, secret: Secret | None) -> None:
    given = {"issuer": issuer, "client_id": client_id}
    if secret is not None:
        given["client_secret"] = secret.reveal().decode("utf-8", "replace")
    errors = [
        FieldError(name, f"Give 1 to {_LONGEST[name]} printable ASCII characters.")
        for name, text in given.items()
        if not text or len(text) > _LONGEST[name] or not text.isascii() or not text.isprintable()
    ]
    if errors:
        raise Invalid("The connection is not valid.", errors=errors)


def _place(tenant: TenantId) -> Place:
    return Place(tenant, "sso", tenant, 1)


def _object(tenant: UUID) -> Object:
    return Object("sso", str(tenant))
