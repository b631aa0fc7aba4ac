"""The key is released to two people, for a purpose, once."""

import asyncio
from uuid import UUID

import pytest

from bailee.access.permissions import STAFF_ROLES
from bailee.assembly import Services
from bailee.assurance import Verdict
from bailee.backup.checks import opened_for_recovery_alone
from bailee.backup.model import ReleaseState
from bailee.foundation.errors import Conflict, Error, Invalid
from bailee.foundation.ids import new_id
from bailee.foundation.principal import ActorKind, Forbidden, Principal, StepUpRequired
from tests.integration.rig import SYSTEM, superuser

REASON = "The disk of the database server has failed."


def _staff(role: str = "owner", *, stepped_up: bool = True) -> Principal:
    return Principal(
        ActorKind.STAFF, str(new_id()), STAFF_ROLES[role].permissions, session_id=new_id(), stepped_up=stepped_up
    )


async def _requested(services: Services, by: Principal) -> UUID:
    async with services.database.operator() as tx:
        found = await services.backup.releases.request(tx, purpose="disaster_recovery", reason=REASON, by=by)
    return found.id


async def _decide(services: Services, release: UUID, by: Principal, *, approve: bool = True) -> None:
    async with services.database.operator() as tx:
        await services.backup.releases.decide(tx, release, approve=approve, by=by)


async def _use(services: Services, release: UUID) -> object:
    async with services.database.operator() as tx:
        return await services.backup.releases.use(tx, release, by=SYSTEM)


async def test_two_people_release_the_key_once(services: Services) -> None:
    first, second = _staff("infrastructure"), _staff("security_officer")
    release = await _requested(services, first)
    with pytest.raises(Conflict, match="requested"):
        await _use(services, release)
    await _decide(services, release, second)
    identity = await _use(services, release)
    assert repr(identity).startswith("Identity(of age1")
    with pytest.raises(Conflict, match="used"):
        await _use(services, release)
    async with services.database.operator_read() as tx:
        event = (await services.events.page(tx, action="backup.key_released", before=None, limit=1))[0]
    assert event.details == {"purpose": "disaster_recovery", "people": 2}
    assert (await opened_for_recovery_alone(services.database)).verdict is Verdict.HOLDS


async def test_nobody_approves_their_own_request(services: Services) -> None:
    owner = _staff()
    release = await _requested(services, owner)
    with pytest.raises(Forbidden, match="second person"):
        await _decide(services, release, owner)


async def test_of_thirty_uses_at_once_one_gets_the_key(services: Services) -> None:
    release = await _requested(services, _staff())
    await _decide(services, release, _staff())
    answers = await asyncio.gather(*(_use(services, release) for _ in range(30)), return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in answers) == 1
    assert all(isinstance(one, Error) for one in answers if isinstance(one, BaseException))


async def test_of_thirty_decisions_at_once_one_counts(services: Services) -> None:
    release = await _requested(services, _staff())
    answers = await asyncio.gather(
        *(_decide(services, release, _staff(), approve=number % 2 == 0) for number in range(30)), return_exceptions=True
    )
    assert sum(one is None for one in answers) == 1


@pytest.mark.parametrize("purpose", ["drill", "analytics", "", "disaster_recovery\n"])
async def test_no_other_purpose_is_taken(services: Services, purpose: str) -> None:
    async with services.database.operator() as tx:
        with pytest.raises(Invalid) as refused:
            await services.backup.releases.request(tx, purpose=purpose, reason=REASON, by=_staff())
    assert refused.value.errors[0].path == "purpose"


@pytest.mark.parametrize("reason", ["", " ", "x" * 5000, "a\x1b[31mreason\x00"])
async def test_a_reason_has_to_be_one(services: Services, reason: str) -> None:
    async with services.database.operator() as tx:
        with pytest.raises(Invalid):
            await services.backup.releases.request(tx, purpose="disaster_recovery", reason=reason, by=_staff())


async def test_it_asks_for_a_fresh_factor_and_for_the_right(services: Services) -> None:
    with pytest.raises(StepUpRequired):
        await _requested(services, _staff(stepped_up=False))
    with pytest.raises(Forbidden):
        await _requested(services, _staff("support"))
    release = await _requested(services, _staff())
    with pytest.raises(Forbidden):
        await _decide(services, release, _staff("infrastructure"))
    with pytest.raises(StepUpRequired):
        await _decide(services, release, _staff(stepped_up=False))


async def test_what_is_refused_or_too_old_is_of_no_use(services: Services) -> None:
    release = await _requested(services, _staff())
    await _decide(services, release, _staff(), approve=False)
    with pytest.raises(Conflict, match="refused"):
        await _use(services, release)
    late = await _requested(services, _staff())
    await _decide(services, late, _staff())
    with superuser(services.settings.database.main) as raw:
        raw.execute("UPDATE backup_releases SET expires_at = now() - interval '1 s' WHERE release_id = %s", (late,))
    with pytest.raises(Conflict, match="lapsed"):
        await _use(services, late)
    async with services.database.operator_read() as tx:
        assert (await services.backup.releases.get(tx, late)).state is ReleaseState.LAPSED


@pytest.fixture
async def used(own_services: Services) -> tuple[Services, UUID]:
    release = await _requested(own_services, _staff())
    await _decide(own_services, release, _staff())
    await _use(own_services, release)
    assert (await opened_for_recovery_alone(own_services.database)).verdict is Verdict.HOLDS
    return own_services, release


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE backup_releases SET decided_by = NULL, state = 'requested'",
        "UPDATE backup_releases SET purpose = 'legal_retention'",
        "DELETE FROM events WHERE action = 'backup.key_released'",
        "DELETE FROM backup_releases",
        "INSERT INTO restores (restore_id, purpose, opened_with) VALUES (gen_random_uuid(), 'drill', 'drill')",
    ],
)
async def test_the_check_sees_a_key_released_otherwise(used: tuple[Services, UUID], tampering: str) -> None:
    services, _ = used
    with superuser(services.settings.database.main) as raw:
        raw.execute(tampering)
    assert (await opened_for_recovery_alone(services.database)).verdict is Verdict.BROKEN
