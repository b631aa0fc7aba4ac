"""Access reviews: somebody else confirms each role, or it goes."""

import asyncio
from datetime import datetime, timedelta

import pytest
from psycopg import errors as pg

from bailee.access.errors import GrantRefused
from bailee.access.model import Review, ReviewItem
from bailee.assembly import Services
from bailee.foundation.errors import Conflict, Invalid, NotFound
from bailee.foundation.principal import Forbidden, StepUpRequired
from tests.integration.access.people import Person, execute, is_refused, make_owner, make_staff
from tests.integration.rig import SYSTEM


@pytest.fixture(scope="module")
async def owner(services: Services) -> Person:
    return await make_owner(services)


@pytest.fixture(scope="module")
async def officer(services: Services, owner: Person) -> Person:
    return await make_staff(services, "security_officer")


async def _open(services: Services, owner: Person, due_at: datetime | None = None) -> Review:
    by = await owner.principal()
    due_at = due_at or services.clock.now() + timedelta(days=14)
    async with services.database.operator() as tx:
        return await services.access.reviews.open(tx, title="Autumn", due_at=due_at, by=by)


async def _items(services: Services, review: Review) -> list[ReviewItem]:
    async with services.database.operator_read() as tx:
        return await services.access.reviews.items(tx, review.id)


async def _decide(services: Services, review: Review, item: ReviewItem, by: Person, *, confirm: bool) -> ReviewItem:
    principal = await by.principal()
    async with services.database.operator() as tx:
        return await services.access.reviews.decide(tx, review.id, item.id, confirm=confirm, by=principal)


async def _roles(services: Services, person: Person) -> list[str]:
    async with services.database.operator_read() as tx:
        return (await services.access.accounts.get(tx, await person.id())).roles


async def _time_is_up(services: Services, review: Review) -> None:
    await execute(
        services, "UPDATE reviews SET due_at = now() - interval '1 second' WHERE review_id = %s", (review.id,)
    )


async def test_every_standing_role_is_put_before_somebody_who_does_not_hold_it(
    services: Services, owner: Person, officer: Person
) -> None:
    await make_staff(services, "support", "auditor")
    review = await _open(services, owner)
    items = await _items(services, review)
    reviewers = {await owner.id(), await officer.id()}
    assert review.items == len(items) >= 4
    assert all(item.reviewer_id != item.account_id and item.reviewer_id in reviewers for item in items)
    item = items[0]
    with pytest.raises(pg.CheckViolation):
        await execute(services, "UPDATE review_items SET reviewer_id = account_id WHERE item_id = %s", (item.id,))


async def test_nobody_reviews_without_a_second_person(own_services: Services) -> None:
    alone = await make_owner(own_services)
    with pytest.raises(Conflict, match="second owner"):
        await _open(own_services, alone)


async def test_the_reviewer_named_decides_once_and_nobody_else_does(
    services: Services, owner: Person, officer: Person
) -> None:
    person = await make_staff(services, "support", "auditor")
    review = await _open(services, owner)
    account_id, owner_id = await person.id(), await owner.id()
    mine = [item for item in await _items(services, review) if item.account_id == account_id]
    by_role = {item.role: item for item in mine}
    reviewer = {item.role: owner if item.reviewer_id == owner_id else officer for item in mine}
    other = {role: officer if one is owner else owner for role, one in reviewer.items()}
    with pytest.raises(NotFound):
        await _decide(services, review, by_role["support"], other["support"], confirm=True)
    with pytest.raises(GrantRefused):
        await _decide(services, review, by_role["support"], person, confirm=True)
    confirmed = await _decide(services, review, by_role["support"], reviewer["support"], confirm=True)
    assert confirmed.decision == "confirmed"
    with pytest.raises(Conflict):
        await _decide(services, review, by_role["support"], reviewer["support"], confirm=False)
    assert (await person.principal()).may("reviews.read")
    await _decide(services, review, by_role["auditor"], reviewer["auditor"], confirm=False)
    assert await is_refused(services, person.token), "revoked at once"
    await person.sign_in()
    assert not (await person.principal()).may("reviews.read")
    assert await _roles(services, person) == ["support"]


async def test_to_revoke_takes_a_fresh_factor(services: Services, owner: Person, officer: Person) -> None:
    await make_staff(services, "support")
    review = await _open(services, owner)
    owner_id = await owner.id()
    item = next(item for item in await _items(services, review) if item.reviewer_id == owner_id)
    session_id = (await owner.principal()).session_id
    await execute(
        services, "UPDATE sessions SET mfa_at = now() - interval '1 hour' WHERE session_id = %s", (session_id,)
    )
    with pytest.raises(StepUpRequired):
        await _decide(services, review, item, owner, confirm=False)
    await _decide(services, review, item, owner, confirm=True)
    await owner.step_up()


async def test_what_nobody_confirmed_by_the_end_is_revoked_and_the_last_owner_stays(own_services: Services) -> None:
    owner = await make_owner(own_services)
    officer = await make_staff(own_services, "security_officer")
    kept, lost = await make_staff(own_services, "support"), await make_staff(own_services, "support")
    review = await _open(own_services, owner)
    items = {item.account_id: item for item in await _items(own_services, review)}
    people = {await owner.id(): owner, await officer.id(): officer}
    item = items[await kept.id()]
    await _decide(own_services, review, item, people[item.reviewer_id], confirm=True)
    last = items[await lost.id()]
    await own_services.upkeep.keep_deadlines()
    assert await _roles(own_services, lost) == ["support"], "its time is not up"
    await _time_is_up(own_services, review)
    with pytest.raises(Conflict):
        await _decide(own_services, review, last, people[last.reviewer_id], confirm=True)
    await own_services.upkeep.keep_deadlines()
    await own_services.upkeep.keep_deadlines()
    assert await _roles(own_services, kept) == ["support"]
    assert await _roles(own_services, lost) == []
    await lost.sign_in()
    assert (await lost.principal()).permissions == frozenset()
    assert await _roles(own_services, officer) == []
    assert await _roles(own_services, owner) == ["owner"], "without an owner nobody could ever let anybody in again"
    async with own_services.database.operator_read() as tx:
        closed = await own_services.access.reviews.get(tx, review.id)
    assert (closed.state, closed.items, closed.decided) == ("closed", 4, 4)


async def test_what_only_an_owner_could_withdraw_goes_before_an_owner(own_services: Services) -> None:
    """Else one officer opens a review and strips the owners in it."""
    owner, second = await make_owner(own_services), await make_staff(own_services, "owner")
    officers = [await make_staff(own_services, "security_officer") for _ in range(3)]
    await make_staff(own_services, "infrastructure", "data_protection")
    owners = {await owner.id(), await second.id()}
    review = await _open(own_services, officers[0])
    reviewers = {(item.account_id, item.role): item.reviewer_id for item in await _items(own_services, review)}
    for (account_id, role), reviewer_id in reviewers.items():
        assert reviewer_id != account_id
        if role in ("owner", "infrastructure", "data_protection"):
            assert reviewer_id in owners, role
    assert not owners.issuperset(reviewers.values()), "officers review what they hold themselves"


async def test_an_officer_confirms_and_does_not_revoke_what_permits_more(own_services: Services) -> None:
    owner, officer = await make_owner(own_services), await make_staff(own_services, "security_officer")
    review = await _open(own_services, owner)
    owner_id = await owner.id()
    item = next(one for one in await _items(own_services, review) if one.account_id == owner_id)
    assert item.reviewer_id == await officer.id(), "there is nobody else"
    await make_staff(own_services, "owner")
    with pytest.raises(GrantRefused, match="ask an owner"):
        await _decide(own_services, review, item, officer, confirm=False)
    assert next(one for one in await _items(own_services, review) if one.id == item.id).decision is None
    assert await _roles(own_services, owner) == ["owner"]
    await _decide(own_services, review, item, officer, confirm=True)


async def test_what_a_reviewer_was_lent_revokes_nothing(own_services: Services) -> None:
    owner, officer = await make_owner(own_services), await make_staff(own_services, "security_officer")
    person = await make_staff(own_services, "infrastructure")
    review = await _open(own_services, owner)
    account_id = await person.id()
    item = next(one for one in await _items(own_services, review) if one.account_id == account_id)
    await execute(
        own_services, "UPDATE review_items SET reviewer_id = %s WHERE item_id = %s", (await officer.id(), item.id)
    )
    await execute(
        own_services,
        "INSERT INTO elevations"
        " (elevation_id, account_id, role, reason, minutes, state, decided_by, decided_at, expires_at)"
        " VALUES (gen_random_uuid(), %s, 'owner', 'x', 60, 'approved', %s, now(), now() + interval '1 hour')",
        (await officer.id(), await owner.id()),
    )
    assert (await officer.principal()).may("tenants.create")
    with pytest.raises(GrantRefused):
        await _decide(own_services, review, item, officer, confirm=False)


async def test_the_last_owner_is_not_revoked_by_a_reviewer_who_is_told_so(own_services: Services) -> None:
    owner, second = await make_owner(own_services), await make_staff(own_services, "owner")
    review = await _open(own_services, owner)
    owner_id = await owner.id()
    item = next(item for item in await _items(own_services, review) if item.account_id == owner_id)
    assert item.reviewer_id == await second.id()
    by = await second.principal()
    await execute(own_services, "UPDATE accounts SET state = 'disabled' WHERE email = %s", (second.email,))
    with pytest.raises(Conflict, match="last owner"):
        async with own_services.database.operator() as tx:
            await own_services.access.reviews.decide(tx, review.id, item.id, confirm=False, by=by)
    unchanged = next(one for one in await _items(own_services, review) if one.id == item.id)
    assert unchanged.decision is None


async def test_a_review_whose_time_is_up_ends_by_the_clock_whoever_closes_it(own_services: Services) -> None:
    owner, officer = await make_owner(own_services), await make_staff(own_services, "security_officer")
    person = await make_staff(own_services, "infrastructure")
    review = await _open(own_services, owner)
    await _time_is_up(own_services, review)
    by = await officer.principal()
    async with own_services.database.operator() as tx:
        await own_services.access.reviews.close(tx, review.id, by=by)
    assert await _roles(own_services, person) == []
    async with own_services.database.operator_read() as tx:
        actors = await tx.values("SELECT DISTINCT actor_kind FROM events WHERE action = 'role.lost'")
    assert actors == ["system"]


async def test_what_is_confirmed_while_the_review_ends_is_either_kept_or_refused(
    services: Services, owner: Person, officer: Person
) -> None:
    person = await make_staff(services, "support")
    account_id, owner_id = await person.id(), await owner.id()
    review = await _open(services, owner)
    everything = await _items(services, review)
    for item in everything:
        if item.account_id != account_id:
            await _decide(services, review, item, owner if item.reviewer_id == owner_id else officer, confirm=True)
    item = next(item for item in everything if item.account_id == account_id)

    async def close() -> None:
        async with services.database.operator() as tx:
            await services.access.reviews.close(tx, review.id, by=SYSTEM)

    decided, _closed = await asyncio.gather(
        _decide(services, review, item, owner if item.reviewer_id == owner_id else officer, confirm=True),
        close(),
        return_exceptions=True,
    )
    assert await _roles(services, person) == (["support"] if isinstance(decided, ReviewItem) else [])


async def test_a_review_is_closed_once_and_asks_for_permission(services: Services, owner: Person) -> None:
    support = await make_staff(services, "support")
    review = await _open(services, owner)
    with pytest.raises(Forbidden):
        async with services.database.operator() as tx:
            await services.access.reviews.close(tx, review.id, by=await support.principal())
    with pytest.raises(Forbidden):
        await _open(services, support)
    await execute(
        services,
        "UPDATE review_items SET decision = 'confirmed', decided_by = reviewer_id WHERE review_id = %s",
        (review.id,),
    )
    by = await owner.principal()
    async with services.database.operator() as tx:
        await services.access.reviews.close(tx, review.id, by=by)
    with pytest.raises(Conflict):
        async with services.database.operator() as tx:
            await services.access.reviews.close(tx, review.id, by=by)


@pytest.mark.parametrize("days", [-1, 0, 91])
async def test_a_review_ends_within_ninety_days(services: Services, owner: Person, days: int) -> None:
    with pytest.raises(Invalid):
        await _open(services, owner, services.clock.now() + timedelta(days=days))
    with pytest.raises(Invalid):
        await _open(services, owner, datetime(2100, 1, 1))  # noqa: DTZ001  a moment without its time zone


@pytest.mark.parametrize("days", [0, 1, 2, 91])
async def test_a_review_leaves_its_reviewers_time_and_comes_to_an_end(
    services: Services, owner: Person, officer: Person, days: int
) -> None:
    """Else one officer has every role lapse within the minute."""
    due_at = services.clock.now() + timedelta(days=days, seconds=30)
    by = await owner.principal()
    with pytest.raises(Invalid):
        async with services.database.operator() as tx:
            await services.access.reviews.open(tx, title="Soon", due_at=due_at, by=by)


async def test_who_is_no_reviewer_any_more_decides_nothing(services: Services, owner: Person) -> None:
    former = await make_staff(services, "security_officer")
    review = await _open(services, owner)
    former_id = await former.id()
    items = await _items(services, review)
    item = next(one for one in items if one.account_id != former_id)
    await execute(services, "UPDATE review_items SET reviewer_id = %s WHERE item_id = %s", (former_id, item.id))
    await execute(services, "UPDATE role_grants SET role = 'support' WHERE account_id = %s", (former_id,))
    with pytest.raises(GrantRefused):
        await _decide(services, review, item, former, confirm=True)


async def test_a_role_that_is_gone_is_not_confirmed(services: Services, owner: Person, officer: Person) -> None:
    person = await make_staff(services, "support")
    review = await _open(services, owner)
    account_id, owner_id = await person.id(), await owner.id()
    item = next(one for one in await _items(services, review) if one.account_id == account_id)
    reviewer = owner if item.reviewer_id == owner_id else officer
    await execute(services, "DELETE FROM role_grants WHERE account_id = %s", (account_id,))
    with pytest.raises(Conflict):
        await _decide(services, review, item, reviewer, confirm=True)
    assert (await _decide(services, review, item, reviewer, confirm=False)).decision == "revoked"
