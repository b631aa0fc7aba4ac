"""The authorisation of a client by a person who signs in (RFC 6749 §4.1, RFC 7636, OpenID Connect Core §3.1.2).

1. Who asks, and where the answer may go. Until both are known nobody is sent anywhere.
2. What is asked for. PKCE with S256 is not optional, for any client (RFC 9700 §2.1.1).
3. Who the person is: signed in, recently enough, with the factors asked for.
4. Where they stand: an active member of the tenant, and of the client's own if it has one, meeting its demands.
5. A code: for one minute, for one use, for this client, this address and this verifier.

Clients are first-party, so nobody is asked for consent.
"""

import hmac
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec

from bailee.access.authentication import tenant_demands
from bailee.access.model import AccountKind, AccountState, SessionKind
from bailee.access.provider import store as rows
from bailee.access.provider.client_authentication import ClientAuthentication
from bailee.access.provider.errors import AuthorizationFault, AuthorizationRefused, UnknownReturn, with_query
from bailee.access.provider.model import ACR_MFA, ACR_SINGLE, AFTER, CODE_LIFE, Grant, KnownClient, Standing
from bailee.access.provider.redirects import is_registered
from bailee.access.provider.signing import Signing
from bailee.access.tokens import CODE
from bailee.events import Events, Object, verb
from bailee.events.catalogue import ClientAuthorised
from bailee.events.verbs import OWN
from bailee.foundation.clock import Clock
from bailee.foundation.database import Database, OperatorReader, OperatorWriter
from bailee.foundation.http import parse_uuid
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.pages import Form
from bailee.foundation.principal import Principal
from bailee.foundation.secrets import Secret
from bailee.foundation.settings import Access

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_UNSUPPORTED: dict[str, AuthorizationFault] = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
_MARKED = ("client_id", "redirect_uri", "state", "nonce", "code_challenge", "prompt", "max_age")
_MARK_LIFE = timedelta(minutes=30)
_MICROSECONDS = 1_000_000
"""In a second: whoever signed in within the same second, but before, did not sign in again."""
_MAX_STATE = 1000
_MAX_NONCE = 500
_SECONDS = re.compile(r"\d{1,10}", re.ASCII)


class Return(msgspec.Struct, frozen=True):
    """Where the answer goes: a client that is known, and an address that it has registered."""

    client: KnownClient
    redirect_uri: str
    state: str | None


class Request(msgspec.Struct, frozen=True):
    """What a client asks for."""

    back: Return
    scopes: list[str]
    nonce: str | None
    challenge: str
    silent: bool
    """prompt=none: the person is to see nothing."""
    login: bool
    max_age: int | None
    after: datetime | None
    mfa: bool
    hint: str | None
    """The account that the client believes to be signed in."""
    tenant: TenantId | None


class Step(StrEnum):
    """What the person has to do first."""

    SIGN_IN = "sign_in"
    SIGN_IN_AGAIN = "sign_in_again"
    STEP_UP = "step_up"


class Authorization:
    """Decides on requests, and issues codes."""

    def __init__(
        self, database: Database, events: Events, clients: ClientAuthentication, signing: Signing, issuer: str,
        marks: Secret, limits: Access, clock: Clock,
    ) -> None:  # fmt: skip
        """`marks` authenticates what goes through the person's browser and comes back."""
        self._marks = marks
        self._database = database
        self._events = events
        self._clients = clients
        self._signing = signing
        self._issuer = issuer
        self._limits = limits
        self._clock = clock

    async def find_return(self, form: Form) -> Return:
        """Raises UnknownReturn: then nobody is sent anywhere."""
        if len(form.all("client_id")) != 1 or len(form.all("redirect_uri")) != 1:
            raise UnknownReturn
        client = await self._clients.find(form.text("client_id"))
        if client is None or not is_registered(form.text("redirect_uri"), client.redirect_uris):
            raise UnknownReturn
        states = form.all("state")
        state = states[0] if len(states) == 1 and len(states[0]) <= _MAX_STATE else None
        return Return(client, form.text("redirect_uri"), state)

    async def examine(self, form: Form, back: Return) -> Request:
        """What is asked for. Raises AuthorizationRefused."""
        if any(len(values) > 1 for values in form.values.values()):
            raise AuthorizationRefused("invalid_request", "A parameter was sent more than once.")
        for name, fault in _UNSUPPORTED.items():
            if form.text(name):
                raise AuthorizationRefused(fault, f"The parameter {name} is not supported.")
        _verify_form(form, back.client)
        scopes = [scope for scope in back.client.person_scopes if scope in form.text("scope").split()]
        if "openid" not in scopes:
            raise AuthorizationRefused("invalid_scope", "Ask for the scope openid, and register the client with it.")
        prompts = frozenset(form.text("prompt").split())
        if not prompts <= _PROMPTS or ("none" in prompts and len(prompts) > 1):
            raise AuthorizationRefused("invalid_request", "prompt is none alone, or of login, consent, select_account.")
        asked = form.text("acr_values").split()
        return Request(
            back, scopes, form.text("nonce") or None, form.text("code_challenge"), "none" in prompts,
            not prompts.isdisjoint({"login", "select_account"}), _seconds(form.text("max_age")),
            self._after(form), ACR_MFA in asked and ACR_SINGLE not in asked,
            await self._hinted(form.text("id_token_hint")), _tenant(form.text("tenant"), back.client),
        )  # fmt: skip

    async def decide(self, request: Request, *, by: Principal) -> str | Step:
        """The address to send the person to, with a code; or what they do first. Raises AuthorizationRefused."""
        if by.session_id is None:
            return _instead(request, Step.SIGN_IN, "login_required")
        async with self._database.operator() as tx:
            standing = await rows.find_standing(tx, by.session_id, request.tenant)
            if standing is None or standing.session_kind is not SessionKind.BROWSER:
                return _instead(request, Step.SIGN_IN, "login_required")
            if self._is_stale(request, standing):
                return _instead(request, Step.SIGN_IN_AGAIN, "login_required")
            self._verify_standing(standing, by.address)
            if request.mfa and standing.mfa_at is None:
                return _instead(request, Step.STEP_UP, "unmet_authentication_requirements")
            code = await self.authorise(tx, request, standing, by=by)
        answer = {"code": code, "state": request.back.state, "iss": self._issuer}
        return with_query(request.back.redirect_uri, answer)

    @verb(ClientAuthorised, permission=OWN)
    async def authorise(self, tx: OperatorWriter, request: Request, standing: Standing, *, by: Principal) -> str:
        """A code for a person whose standing has been verified."""
        if standing.tenant_id is None or standing.session_id != by.session_id:
            raise AuthorizationRefused("access_denied", "The person does not belong to a tenant.")
        now = self._clock.now()
        grant_id = new_id()
        code, digest = CODE.new(standing.tenant_id, grant_id)
        client = request.back.client
        grant = Grant(
            standing.tenant_id, grant_id, client.id, standing.account_id, standing.epoch, standing.session_id,
            request.scopes, request.nonce, standing.auth_time, digest, request.challenge, request.back.redirect_uri,
            now + CODE_LIFE, None, standing.expires_at, None,
        )  # fmt: skip
        await rows.insert_grant(tx, grant)
        on = Object("client", str(client.id))
        await self._events.record(tx, ClientAuthorised(request.scopes), by=by, on=on, tenant=standing.tenant_id)
        return code

    def refusal(self, back: Return, refused: AuthorizationRefused) -> str:
        """Where a refusal sends the person, with what the client is told."""
        answer = {
            "error": refused.fault, "error_description": refused.detail, "state": back.state, "iss": self._issuer,
        }  # fmt: skip
        return with_query(back.redirect_uri, answer)

    def mark(self, form: Form) -> str:
        """What a request carries while its person signs in again: since when, for this very request, and nobody else
        can write it.
        """
        moment = str(round(self._clock.now().timestamp() * _MICROSECONDS))
        return f"{moment}.{self._mac(moment, form)}"

    # --- inside ---------------------------------------------------------------------------------------

    def _after(self, form: Form) -> datetime | None:
        moment, _, mac = form.text(AFTER).partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(moment, form).encode()):
            return None  # and from here on the moment is one that we wrote
        after = datetime.fromtimestamp(int(moment) / _MICROSECONDS, UTC)
        return after if self._clock.now() - after <= _MARK_LIFE else None

    def _mac(self, moment: str, form: Form) -> str:
        about = [moment, *(form.text(name) for name in _MARKED)]
        return hmac.digest(self._marks.reveal(), msgspec.json.encode(about), "sha256").hex()

    def _is_stale(self, request: Request, standing: Standing) -> bool:
        """Whether the client wants the person to sign in anew. What they did for that counts once they come back."""
        if request.hint is not None and request.hint != str(standing.account_id):
            return True
        if request.after is not None and standing.auth_time >= request.after:
            return False
        age = (self._clock.now() - standing.auth_time).total_seconds()
        return request.login or (request.max_age is not None and age > request.max_age)

    def _verify_standing(self, standing: Standing, address: str | None) -> None:
        fault = fault_of(standing, address, self._clock.now(), self._limits)
        if fault is not None:
            raise AuthorizationRefused("access_denied", fault)

    async def _hinted(self, token: str) -> str | None:
        if not token:
            return None
        claims = await self._signing.verify(token, issuer=self._issuer)
        if claims is None:
            raise AuthorizationRefused("invalid_request", "id_token_hint is no ID token of ours.")
        return str(claims.get("sub"))


def fault_of(standing: Standing, address: str | None, now: datetime, limits: Access) -> str | None:
    """Why a person cannot use a product in the tenant at present; None when they can."""
    if standing.kind is not AccountKind.MEMBER or standing.state is not AccountState.ACTIVE:
        return "This account is not a member's."
    if standing.sso_tenant_id is not None and standing.sso_tenant_id != standing.tenant_id:
        return "This session was opened by another tenant's identity provider."
    if standing.role_changed_at is not None and standing.created_at < standing.role_changed_at:
        return "The person's role has changed since they signed in."
    demands = tenant_demands(standing, address, now, mfa=limits.member_mfa)
    return "The person does not meet what the tenant asks of its members." if demands else None


async def verified_standing(tx: OperatorReader, grant: Grant, now: datetime, limits: Access) -> Standing | None:
    """The person behind a grant, if session, account and membership still are what they were; else None.

    The networks that a tenant allows are those of people's browsers: here a client's server speaks.
    """
    standing = await rows.find_standing(tx, grant.session_id, grant.tenant_id)
    if standing is None or standing.account_id != grant.account_id or standing.epoch != grant.epoch:
        return None
    rest = min(limits.idle_minutes, standing.idle_minutes or limits.idle_minutes) * 60
    idle = (now - standing.seen_at).total_seconds() > rest
    if idle or standing.expires_at <= now or grant.ended_at is not None or grant.expires_at <= now:
        return None
    here = msgspec.structs.replace(standing, networks=None)
    return standing if fault_of(here, None, now, limits) is None else None


def _verify_form(form: Form, client: KnownClient) -> None:
    if form.text("response_type") != "code":
        raise AuthorizationRefused("unsupported_response_type", "The response type is code.")
    if form.text("response_mode") not in ("", "query"):
        raise AuthorizationRefused("invalid_request", "The response mode is query.")
    if form.text("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(form.text("code_challenge")):
        raise AuthorizationRefused("invalid_request", "PKCE is required: send code_challenge, with the method S256.")
    if len(form.text("nonce")) > _MAX_NONCE or len(form.text("state")) > _MAX_STATE:
        raise AuthorizationRefused("invalid_request", "nonce or state is too long.")
    if form.text("max_age") and _seconds(form.text("max_age")) is None:
        raise AuthorizationRefused("invalid_request", "max_age is a number of seconds.")
    if not client.person_scopes:
        raise AuthorizationRefused("unauthorized_client", "This client signs nobody in.")


def _tenant(named: str, client: KnownClient) -> TenantId | None:
    """The tenant to stand in: the one named, which for a tenant's own client is that one; None for the session's."""
    own = None if client.is_operators else client.tenant_id
    if not named:
        return own
    found: UUID | None = parse_uuid(named)
    if found is None or (own is not None and found != own):
        raise AuthorizationRefused("access_denied", "The person does not belong to that tenant.")
    return TenantId(found)


def _seconds(text: str) -> int | None:
    return int(text) if _SECONDS.fullmatch(text) else None


def _instead(request: Request, step: Step, fault: AuthorizationFault) -> Step:
    """The step to take first. Raises AuthorizationRefused where the person is to see nothing."""
    if request.silent:
        raise AuthorizationRefused(fault, "The person would have to sign in, or to show another factor.")
    return step
