"""The token endpoint and what belongs to it: exchange, rotation, revocation, introspection, userinfo.

Used-up codes and refresh tokens are kept while their grant lives. One that comes again has been copied, by whom is not
known: the grant ends, and with it every token that was issued from it (RFC 6749 §4.1.2, RFC 9700 §4.14.2).

These acts open their own transactions: a replay is refused, and what it ends must stay ended.
"""

import base64
import hashlib
import re
from typing import Any, Literal

from bailee.access.provider import claims
from bailee.access.provider import store as rows
from bailee.access.provider.authorization import verified_standing
from bailee.access.provider.client_authentication import Authenticated
from bailee.access.provider.errors import InvalidGrant, InvalidToken, OAuthError
from bailee.access.provider.model import (
    ACCESS_LIFE,
    Access,
    ClientKind,
    Grant,
    Introspection,
    KnownClient,
    Refresh,
    Standing,
    TokenAnswer,
)
from bailee.access.provider.redirects import is_registered
from bailee.access.provider.signing import Signing
from bailee.access.store import accounts as account_rows
from bailee.access.store import sessions as session_rows
from bailee.access.tokens import ACCESS, CODE, REFRESH, Parsed, same
from bailee.events import Events, Object
from bailee.events.catalogue import ClientTokenIssued, ClientTokenReplayed, ClientTokenRevoked
from bailee.events.model import Outcome
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import Principal
from bailee.foundation.revocation import announce
from bailee.foundation.settings import Access as AccessLimits

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


class Tokens:
    """Issues tokens, and knows what they are worth."""

    def __init__(
        self, database: Database, events: Events, signing: Signing, issuer: str, limits: AccessLimits, clock: Clock
    ) -> None:
        self._database = database
        self._events = events
        self._signing = signing
        self._issuer = issuer
        self._limits = limits
        self._clock = clock

    # --- for a person ---------------------------------------------------------------------------------

    async def exchange(self, caller: Authenticated, *, code: str, redirect_uri: str, verifier: str) -> TokenAnswer:
        """Tokens for a code (RFC 6749 §4.1.3). Raises InvalidGrant.

        The code is used up before anything else is looked at: of many at once one succeeds, and a wrong verifier has
        no second try.
        """
        parsed = CODE.parse(code)
        if parsed is None:
            raise InvalidGrant
        tenant, grant_id = TenantId(parsed.ids[0]), parsed.id
        client = caller.client
        answer = None
        async with self._database.operator() as tx:
            used = await rows.use_code(tx, tenant, grant_id, client.id, parsed.digest)
            grant = await rows.find_grant(tx, tenant, grant_id)
            if grant is None or grant.client_id != client.id or not same(grant.code_digest, parsed.digest):
                raise InvalidGrant
            if not used:
                await self._end_replayed(tx, grant, "code", caller.by)
            else:
                standing = await verified_standing(tx, grant, self._clock.now(), self._limits)
                fits = grant.redirect_uri == redirect_uri and is_registered(redirect_uri, client.redirect_uris)
                if standing is not None and fits and _proves(verifier, grant.code_challenge):
                    scopes = [scope for scope in grant.scopes if scope in client.scopes]
                    answer = await self._issue(tx, caller, grant, standing, scopes, "authorization_code")
                else:
                    await rows.end_grant(tx, tenant, grant_id)
        if answer is None:
            raise InvalidGrant
        return answer

    async def refresh(self, caller: Authenticated, *, token: str, scope: str) -> TokenAnswer:
        """New tokens for a refresh token, which is used up (RFC 6749 §6). Raises OAuthError.

        It dies with the session, the account, the membership and the password; a used one ends the whole grant.
        """
        parsed = REFRESH.parse(token)
        if parsed is None:
            raise InvalidGrant
        answer = None
        async with self._database.operator() as tx:
            found = await self._refresh_of(tx, parsed, caller.client)
            if found is None:
                raise InvalidGrant
            kept, grant = found
            scopes = _narrowed(scope, [one for one in grant.scopes if one in caller.client.scopes])
            if not await rows.use_refresh(tx, grant.tenant_id, kept.token_id):
                await self._end_replayed(tx, grant, "refresh_token", caller.by)
            else:
                standing = await verified_standing(tx, grant, self._clock.now(), self._limits)
                if standing is None:
                    await rows.end_grant(tx, grant.tenant_id, grant.id)
                else:
                    # What a person does in the product is use of the session.
                    await session_rows.touch_session(tx, standing.session_id)
                    await account_rows.touch(tx, standing.account_id)
                    answer = await self._issue(tx, caller, grant, standing, scopes, "refresh_token")
        if answer is None:
            raise InvalidGrant
        return answer

    async def userinfo(self, token: str) -> dict[str, Any]:
        """What the token's scopes let its client know of the person, as of now. Raises InvalidToken."""
        parsed = ACCESS.parse(token)
        now = self._clock.now()
        async with self._database.operator_read() as tx:
            access = await self._access_of(tx, parsed) if parsed else None
            if parsed is None or access is None or access.grant_id is None:
                raise InvalidToken
            grant = await rows.find_grant(tx, parsed.ids[0], access.grant_id)
            client = await rows.find_known(tx, access.client_id)
            standing = await verified_standing(tx, grant, now, self._limits) if grant else None
        if standing is None or client is None or not client.is_open:
            raise InvalidToken
        return claims.of_person(standing, [scope for scope in access.scopes if scope in client.scopes])

    # --- for the client itself ------------------------------------------------------------------------

    async def issue_to_client(self, caller: Authenticated, *, scope: str) -> TokenAnswer:
        """A token for the API (RFC 6749 §4.4). Raises OAuthError."""
        client = caller.client
        if client.kind is ClientKind.PUBLIC or client.is_operators or not client.api_scopes:
            raise OAuthError("unauthorized_client", "This client has no scopes of the API.")
        scopes = _narrowed(scope, client.api_scopes)
        async with self._database.operator() as tx:
            token = await self._new_access(tx, client.tenant_id, client, None, scopes)
            await self._note(tx, caller, client.tenant_id, "client_credentials", scopes)
        return TokenAnswer(token, "Bearer", int(ACCESS_LIFE.total_seconds()), " ".join(scopes))

    async def revoke(self, caller: Authenticated, *, token: str) -> None:
        """Ends a token of the client's, a refresh token with its whole grant (RFC 7009). Says nothing of any other."""
        access, refresh = ACCESS.parse(token), REFRESH.parse(token)
        async with self._database.operator() as tx:
            if refresh is not None:
                found = await self._refresh_of(tx, refresh, caller.client)
                if found is not None and await rows.end_grant(tx, found[1].tenant_id, found[1].id):
                    await self._note_revoked(tx, caller, found[1].tenant_id, "refresh_token")
            elif access is not None:
                kept = await self._access_of(tx, access)
                if kept is not None and kept.client_id == caller.client.id:
                    await rows.delete_access(tx, access.ids[0], kept.token_id)
                    await self._note_revoked(tx, caller, TenantId(access.ids[0]), "access_token")

    async def introspect(self, caller: Authenticated, *, token: str) -> Introspection:
        """What one of the client's own tokens is worth (RFC 7662); any other is not active."""
        now = self._clock.now()
        access, refresh = ACCESS.parse(token), REFRESH.parse(token)
        async with self._database.operator_read() as tx:
            if refresh is not None:
                found = await self._refresh_of(tx, refresh, caller.client)
                if found is not None and found[0].used_at is None:
                    kept, grant = found
                    if await verified_standing(tx, grant, now, self._limits):
                        return self._active(
                            grant.scopes, caller.client, kept.created_at.timestamp(), grant.expires_at.timestamp(),
                            str(grant.account_id), grant.tenant_id, None,
                        )  # fmt: skip
            elif access is not None:
                token_row = await self._access_of(tx, access)
                if token_row is not None and token_row.client_id == caller.client.id:
                    subject = await self._subject_of(tx, access, token_row)
                    if subject is not None:
                        return self._active(
                            token_row.scopes, caller.client, token_row.created_at.timestamp(),
                            token_row.expires_at.timestamp(), subject, TenantId(access.ids[0]), "Bearer",
                        )  # fmt: skip
        return Introspection(active=False)

    # --- inside ---------------------------------------------------------------------------------------

    async def _issue(
        self, tx: OperatorWriter, caller: Authenticated, grant: Grant, standing: Standing, scopes: list[str],
        way: Literal["authorization_code", "refresh_token"],
    ) -> TokenAnswer:  # fmt: skip
        access = await self._new_access(tx, grant.tenant_id, caller.client, grant, scopes)
        refresh = None
        if "offline_access" in grant.scopes and "offline_access" in caller.client.scopes:
            token_id = new_id()
            refresh, digest = REFRESH.new(grant.tenant_id, token_id)
            await rows.insert_refresh(tx, grant.tenant_id, token_id, grant.id, digest)
        told = claims.of_id_token(
            standing, grant, caller.client, scopes, issuer=self._issuer, access_token=access,
            nonce=grant.nonce if way == "authorization_code" else None, now=self._clock.now(),
        )  # fmt: skip
        await self._note(tx, caller, grant.tenant_id, way, scopes)
        life = int(ACCESS_LIFE.total_seconds())
        return TokenAnswer(access, "Bearer", life, " ".join(scopes), refresh, await self._signing.sign(told))

    async def _new_access(
        self, tx: OperatorWriter, tenant: TenantId, client: KnownClient, grant: Grant | None, scopes: list[str]
    ) -> str:
        token_id, now = new_id(), self._clock.now()
        token, digest = ACCESS.new(tenant, token_id)
        expires_at = min(now + ACCESS_LIFE, grant.expires_at) if grant else now + ACCESS_LIFE
        stored = Access(token_id, client.id, grant.id if grant else None, scopes, digest, now, expires_at)
        await rows.insert_access(tx, tenant, stored)
        return token

    async def _refresh_of(
        self, tx: OperatorReader, parsed: Parsed, client: KnownClient
    ) -> tuple[Refresh, Grant] | None:
        """A refresh token of the client's whose secret is right, used or not."""
        kept = await rows.find_refresh(tx, parsed.ids[0], parsed.id)
        if not same(parsed.digest, kept.digest if kept else bytes(32)) or kept is None:
            return None
        grant = await rows.find_grant(tx, parsed.ids[0], kept.grant_id)
        return (kept, grant) if grant is not None and grant.client_id == client.id else None

    async def _access_of(self, tx: OperatorReader, parsed: Parsed) -> Access | None:
        """An access token whose secret is right and whose time is not over."""
        kept = await rows.find_access(tx, parsed.ids[0], parsed.id)
        if not same(parsed.digest, kept.digest if kept else bytes(32)) or kept is None:
            return None
        return kept if kept.expires_at > self._clock.now() else None

    async def _subject_of(self, tx: OperatorReader, parsed: Parsed, access: Access) -> str | None:
        """Whom a token speaks for: the client itself, or the person while they may; None for nobody."""
        if access.grant_id is None:
            return str(access.client_id)
        grant = await rows.find_grant(tx, parsed.ids[0], access.grant_id)
        if grant is None or not await verified_standing(tx, grant, self._clock.now(), self._limits):
            return None
        return str(grant.account_id)

    def _active(
        self, scopes: list[str], client: KnownClient, issued: float, expires: float, subject: str, tenant: TenantId,
        kind: str | None,
    ) -> Introspection:  # fmt: skip
        return Introspection(
            active=True, scope=" ".join(scopes), client_id=str(client.id), token_type=kind, exp=int(expires),
            iat=int(issued), sub=subject, iss=self._issuer, tenant=str(tenant),
        )  # fmt: skip

    async def _end_replayed(
        self, tx: OperatorWriter, grant: Grant, token: Literal["code", "refresh_token"], by: Principal
    ) -> None:
        await rows.end_grant(tx, grant.tenant_id, grant.id)
        on = Object("client", str(grant.client_id))
        await self._events.record(
            tx, ClientTokenReplayed(token), by=by, on=on, tenant=grant.tenant_id, outcome=Outcome.REFUSED
        )

    async def _note(
        self, tx: OperatorWriter, caller: Authenticated, tenant: TenantId,
        way: Literal["authorization_code", "refresh_token", "client_credentials"], scopes: list[str],
    ) -> None:  # fmt: skip
        client = caller.client
        await rows.touch_client(tx, client.tenant_id, client.id, caller.secret_id)
        on = Object("client", str(client.id))
        await self._events.record(tx, ClientTokenIssued(way, scopes), by=caller.by, on=on, tenant=tenant)

    async def _note_revoked(
        self, tx: OperatorWriter, caller: Authenticated, tenant: TenantId,
        token: Literal["access_token", "refresh_token"],
    ) -> None:  # fmt: skip
        await announce(tx)
        on = Object("client", str(caller.client.id))
        await self._events.record(tx, ClientTokenRevoked(token), by=caller.by, on=on, tenant=tenant)


def _proves(verifier: str, challenge: str) -> bool:
    """RFC 7636 §4.6, S256."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return same(base64.urlsafe_b64encode(digest).rstrip(b"="), challenge.encode("ascii"))


def _narrowed(asked: str, available: list[str]) -> list[str]:
    """What is asked for, or everything that is available. Raises OAuthError for anything beyond."""
    wanted = asked.split()
    if not set(wanted) <= set(available):
        raise OAuthError("invalid_scope", "The client may not have that scope.")
    return [scope for scope in available if scope in wanted] if wanted else available
