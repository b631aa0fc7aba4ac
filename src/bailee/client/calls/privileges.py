"""Privileges that are watched: elevations and access reviews."""

from datetime import UTC, datetime

from bailee.client.answers import json_answer
from bailee.client.call import Call, act, api, paged, sent_json, with_followers
from bailee.client.models.base import Page
from bailee.client.models.people import Elevation, Review, ReviewItem


def elevations(*, page_size: int | None = None) -> Call[Page[Elevation]]:
    """Elevations, newest first."""
    return with_followers(paged(Page[Elevation], api("elevations"), limit=page_size))


def request(role: str, *, reason: str, minutes: int) -> Call[Elevation]:
    """Ask for a role for 5 to 480 minutes from its approval by somebody else. Raises Invalid, Conflict."""
    document = {"role": role, "reason": reason, "minutes": minutes}
    return sent_json("POST", api("elevations"), document, json_answer(Elevation))


def approve(elevation_id: str) -> Call[Elevation]:
    """Approve somebody else's elevation. Raises NotFound, Forbidden, Conflict."""
    return act(api("elevations", elevation_id, "approve"), json_answer(Elevation))


def refuse(elevation_id: str) -> Call[Elevation]:
    """Refuse somebody else's elevation. Raises NotFound, Forbidden, Conflict."""
    return act(api("elevations", elevation_id, "refuse"), json_answer(Elevation))


def end(elevation_id: str) -> Call[Elevation]:
    """End an elevation, or take a request back. Raises NotFound, Conflict."""
    return act(api("elevations", elevation_id, "end"), json_answer(Elevation))


def reviews(*, page_size: int | None = None) -> Call[Page[Review]]:
    """Access reviews, newest first."""
    return with_followers(paged(Page[Review], api("reviews"), limit=page_size))


def open_review(title: str, *, due_at: datetime) -> Call[Review]:
    """Put every standing role before a reviewer. What is not confirmed by `due_at` is revoked.

    Raises ValueError when `due_at` has no time zone, Invalid, Conflict.
    """
    if due_at.tzinfo is None:
        raise ValueError("due_at needs a time zone, for example datetime.now(UTC)")
    document = {"title": title, "due_at": due_at.astimezone(UTC)}
    return sent_json("POST", api("reviews"), document, json_answer(Review))


def items(review_id: str) -> Call[list[ReviewItem]]:
    """What a review is about: all of it, or the caller's part. Raises NotFound."""
    return Call(method="GET", path=api("reviews", review_id, "items"), parse=json_answer(list[ReviewItem]))


def confirm(review_id: str, item_id: str) -> Call[ReviewItem]:
    """Confirm a role of somebody else. Raises NotFound, Forbidden, Conflict."""
    return act(api("reviews", review_id, "items", item_id, "confirm"), json_answer(ReviewItem))


def revoke(review_id: str, item_id: str) -> Call[ReviewItem]:
    """Revoke a role of somebody else, at once. Raises NotFound, Forbidden, Conflict."""
    return act(api("reviews", review_id, "items", item_id, "revoke"), json_answer(ReviewItem))


def close(review_id: str) -> Call[Review]:
    """End a review: what is not confirmed is revoked. Raises NotFound, Conflict."""
    return act(api("reviews", review_id, "close"), json_answer(Review))
