"""Who acts: deny by default, and no chance to skip a second factor."""

import pytest

from bailee.foundation.errors import NotFound
from bailee.foundation.ids import TenantId, new_id
from bailee.foundation.principal import (
    ActorKind,
    Forbidden,
    Principal,
    StepUpRequired,
    Unauthenticated,
    anonymous,
    system,
)


def test_nothing_is_permitted_that_is_not_held() -> None:
    by = Principal(ActorKind.KEY, "key", frozenset({"records.read"}))
    by.require("records.read")
    for permission in ("records", "records.read ", "records.*", "RECORDS.READ", "", "*"):
        with pytest.raises(Forbidden):
            by.require(permission)


def test_nobody_is_asked_to_sign_in_and_somebody_told_what_is_missing() -> None:
    with pytest.raises(Unauthenticated):
        anonymous().require("records.read")
    with pytest.raises(Forbidden, match=r"records\.read"):
        Principal(ActorKind.MEMBER, "m").require("records.read")
    unmet = Principal(ActorKind.MEMBER, "m", unmet=("Enrol a factor.", "Come from elsewhere."))
    with pytest.raises(Forbidden, match=r"Enrol a factor\. Come from elsewhere\."):
        unmet.require("records.read")


@pytest.mark.parametrize("kind", list(ActorKind))
def test_only_a_person_with_a_session_has_an_own_account(kind: ActorKind) -> None:
    account_id = new_id()
    by = Principal(kind, str(account_id), session_id=new_id())
    if kind in (ActorKind.STAFF, ActorKind.MEMBER):
        assert by.account_id == account_id
    else:
        with pytest.raises(Unauthenticated):
            by.require_session()
    with pytest.raises(Unauthenticated):
        _ = Principal(kind, str(account_id)).account_id


@pytest.mark.parametrize("kind", [ActorKind.STAFF, ActorKind.MEMBER])
@pytest.mark.parametrize("session", [True, False])
def test_a_person_shows_a_second_factor_with_or_without_a_session(kind: ActorKind, session: bool) -> None:
    session_id = new_id() if session else None
    with pytest.raises(StepUpRequired):
        Principal(kind, "p", session_id=session_id).require_step_up()
    Principal(kind, "p", session_id=session_id, stepped_up=True).require_step_up()


def test_machines_have_no_second_factor_to_show() -> None:
    for kind in (ActorKind.KEY, ActorKind.CLIENT):
        Principal(kind, "m").require_step_up()
    system("clock").require_step_up()


def test_a_tenants_things_are_not_the_operators() -> None:
    tenant = TenantId(new_id())
    assert Principal(ActorKind.KEY, "k", tenant_id=tenant).tenant == tenant
    with pytest.raises(NotFound):
        _ = Principal(ActorKind.STAFF, "s").tenant
