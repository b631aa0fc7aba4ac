"""Access reviews: each standing role is confirmed by somebody else, or goes (TOM 2.2)."""

import contextlib
from datetime import datetime, timedelta
from uuid import UUID

from bailee.access.errors import GrantRefused
from bailee.access.factors import verify_label
from bailee.access.grants import Grants
from bailee.access.letters import Letters
from bailee.access.model import Account, AccountKind, AccountState, Grant, Review, ReviewItem
from bailee.access.permissions import staff_permissions, to_hold
from bailee.access.store import accounts as account_rows
from bailee.access.store import roles as rows
from bailee.events import Events, Object, verb
from bailee.events.catalogue import ReviewClosed, ReviewDecided, ReviewOpened
from bailee.foundation.clock import Clock
from bailee.foundation.database import OperatorReader, OperatorWriter
from bailee.foundation.errors import Conflict, FieldError, Invalid, NotFound
from bailee.foundation.ids import new_id
from bailee.foundation.mail import Mail
from bailee.foundation.principal import Principal, system

_SHORTEST, _LONGEST = timedelta(days=3), timedelta(days=90)
_GRACE = timedelta(minutes=5)
"""For who counts three days from a moment ago."""
_REVIEWERS = ("owner", "security_officer")


class Reviews:
    """Campaigns, and the decisions in them."""

    def __init__(self, events: Events, grants: Grants, mail: Mail, letters: Letters, clock: Clock) -> None:
        self._events = events
        self._grants = grants
        self._mail = mail
        self._letters = letters
        self._clock = clock

    @verb(ReviewOpened, permission="reviews.open", step_up=True)
    async def open(self, tx: OperatorWriter, *, title: str, due_at: datetime, by: Principal) -> Review:
        """Puts every standing staff role before a reviewer: an owner or security officer who is not its holder, and who
        holds what it permits, as long as there is somebody.

        What is not confirmed by `due_at` is revoked. Raises Invalid, or Conflict where nobody could review.
        """
        title = verify_label(title, "title")
        now = self._clock.now()
        if due_at.tzinfo is None or not now + _SHORTEST <= due_at + _GRACE <= now + _LONGEST + _GRACE:
            message = "Give a moment 3 to 90 days from now, with its time zone: reviewers need the time."
            raise Invalid("The review is not valid.", errors=[FieldError("due_at", message)])
        grants = await rows.list_grants(tx)
        reviewers = await self._reviewers(tx)
        review_id = new_id()
        await rows.insert_review(tx, review_id, title, by.id, due_at)
        asked = set()
        for number, grant in enumerate(grants):
            reviewer = _reviewer_of(grant, reviewers, number)
            await rows.insert_item(tx, review_id, new_id(), grant.account_id, grant.role, reviewer.id)
            asked.add(reviewer.email)
        for email in sorted(asked):
            await self._mail.queue(tx, self._letters.review_opened(email, title, due_at))
        await self._events.record(tx, ReviewOpened(len(grants)), by=by, on=Object("review", str(review_id)))
        return await self.get(tx, review_id)

    @verb(ReviewDecided, permission="reviews.decide")
    async def decide(
        self, tx: OperatorWriter, review_id: UUID, item_id: UUID, *, confirm: bool, by: Principal
    ) -> ReviewItem:
        """Confirms a role, or revokes it at once. For the reviewer named, and nobody else.

        Raises NotFound, Conflict for what is decided or past its end, for a role that is gone meanwhile and for the
        last owner's, which stays; GrantRefused for a role of one's own, for a reviewer who may not review any more, and
        to revoke what the reviewer could not withdraw.
        """
        item = await self._item(tx, review_id, item_id)
        if item.account_id == by.account_id:
            raise GrantRefused("Somebody else has to review your own roles.")
        if item.reviewer_id != by.account_id:
            raise NotFound
        if set(await rows.list_roles_of(tx, by.account_id)).isdisjoint(_REVIEWERS):
            raise GrantRefused("Owners and security officers review roles, and you are neither any more.")
        if not confirm:
            by.require_step_up()
        decision = "confirmed" if confirm else "revoked"
        if not await rows.decide_item(tx, review_id, item_id, by.account_id, decision):
            raise Conflict("This is decided already, or the review is over.")
        on = Object("account", str(item.account_id))
        details = ReviewDecided(item.role, "confirmed" if confirm else "revoked")
        await self._events.record(tx, details, by=by, on=on)
        if confirm:
            if not await rows.confirm_grant(tx, item.account_id, item.role):
                raise Conflict("This person does not have the role any more. Revoke it here, to close the matter.")
        else:
            with contextlib.suppress(NotFound):  # gone meanwhile
                await self._grants.take_in_review(tx, item.account_id, item.role, by=by)
        return await self._item(tx, review_id, item_id)

    @verb(ReviewClosed, permission="reviews.close", step_up=True)
    async def close(self, tx: OperatorWriter, review_id: UUID, *, by: Principal) -> Review:
        """Ends a review: what nobody confirmed is revoked; the last owner alone stays. Raises NotFound, Conflict.

        A person ends it once everything is decided; what is not decided waits for the day that was announced.
        """
        review = await self.get(tx, review_id)
        early = review.decided < review.items and review.due_at > self._clock.now()
        if review.state == "open" and early and not by.may(Principal.EVERYTHING):
            raise Conflict("Some roles are not decided yet. The review ends by itself on its last day.")
        if not await rows.close_review(tx, review_id):
            raise Conflict("This review is closed already.")
        lapsed = set(await rows.lapse_items(tx, review_id))
        for item in await rows.list_items(tx, review_id):
            if item.id in lapsed:
                await self._lapse(tx, item)
        await self._events.record(tx, ReviewClosed(len(lapsed)), by=by, on=Object("review", str(review_id)))
        return await self.get(tx, review_id)

    async def get(self, tx: OperatorReader, review_id: UUID) -> Review:
        """Raises NotFound."""
        found = await rows.find_review(tx, review_id)
        if found is None:
            raise NotFound
        return found

    async def items(self, tx: OperatorReader, review_id: UUID) -> list[ReviewItem]:
        """What a review is about. Raises NotFound."""
        await self.get(tx, review_id)
        return await rows.list_items(tx, review_id)

    async def page(self, tx: OperatorReader, *, before: UUID | None = None, limit: int = 100) -> list[Review]:
        """Newest first."""
        return await rows.list_reviews(tx, before=before, limit=limit)

    async def due(self, tx: OperatorReader) -> list[UUID]:
        """Open reviews whose time is up."""
        return await rows.list_due_reviews(tx)

    # --- inside ---------------------------------------------------------------------------------------

    async def _reviewers(self, tx: OperatorReader) -> list[Account]:
        staff = await account_rows.list_accounts(tx, kind=AccountKind.STAFF)
        return [
            one
            for one in staff
            if one.state is AccountState.ACTIVE and not one.sealed and not set(one.roles).isdisjoint(_REVIEWERS)
        ]

    async def _item(self, tx: OperatorReader, review_id: UUID, item_id: UUID) -> ReviewItem:
        item = await rows.find_item(tx, review_id, item_id)
        if item is None:
            raise NotFound
        return item

    async def _lapse(self, tx: OperatorWriter, item: ReviewItem) -> None:
        """Time takes the role, whoever it is that closes the review."""
        try:
            async with tx.savepoint():
                await self._grants.take_in_review(tx, item.account_id, item.role, by=system("clock"))
        except (NotFound, Conflict):
            return  # gone meanwhile, or the last owner: without one nobody could ever let anybody in again


def _reviewer_of(grant: Grant, reviewers: list[Account], number: int) -> Account:
    others = [one for one in reviewers if one.id != grant.account_id]
    if not others:
        raise Conflict(
            "Nobody reviews their own role: invite a second owner or security officer before you open a review."
        )
    able = [one for one in others if to_hold(grant.role) <= staff_permissions(one.roles)]
    chosen = able or others  # the only owner's role is left to somebody who can confirm it
    return chosen[number % len(chosen)]
