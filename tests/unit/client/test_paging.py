from typing import Any

import httpx2
import pytest

from bailee.client import ConnectionFailed
from tests.unit.client.conftest import RigOf
from tests.unit.client.harness import problem, record


def _page(*ids: str, after: str | None = None) -> httpx2.Response:
    return httpx2.Response(200, json={"items": [record(record_id) for record_id in ids], "next": after})


async def test_search_walks_all_pages_with_the_same_conditions(rig_of: RigOf) -> None:
    rig = rig_of(_page("1", "2", after="c+1"), _page(after="c2"), _page("3"))
    found = await rig.every(rig.client.records.search("people", where={"name": "x"}, page_size=2))
    assert [each.id for each in found] == ["1", "2", "3"]
    queries = [dict(request.url.params) for request in rig.script.requests]
    assert queries == [
        {"where.name": "x", "limit": "2"},
        {"where.name": "x", "limit": "2", "cursor": "c+1"},
        {"where.name": "x", "limit": "2", "cursor": "c2"},
    ]


async def test_listing_offers_its_pages_with_their_cursors(rig_of: RigOf) -> None:
    rig = rig_of(_page("1", after="c1"), _page("2"))
    pages = await rig.every(rig.client.records.search("people").pages())
    assert [(page.next, len(page.items)) for page in pages] == [("c1", 1), (None, 1)]


async def test_listing_starts_anew_each_time_and_asks_nothing_before(rig_of: RigOf) -> None:
    rig = rig_of(_page("1"), _page("1"))
    listing = rig.client.records.search("people")
    assert rig.script.requests == []
    assert await rig.every(listing) == await rig.every(listing)


async def test_single_page_is_not_followed(rig_of: RigOf) -> None:
    rig = rig_of(_page("1", after="c1"))
    page = await rig.one(rig.client.records.page("people", cursor="c0", limit=1))
    assert page.next == "c1"


async def test_broken_page_is_retried_where_the_list_stood(rig_of: RigOf) -> None:
    rig = rig_of(_page("1", after="c1"), problem(503, "unavailable"), _page("2"))
    assert [each.id for each in await rig.every(rig.client.records.search("people"))] == ["1", "2"]
    assert rig.script.requests[1].url == rig.script.requests[2].url


async def test_events_go_on_from_a_cursor(rig_of: RigOf) -> None:
    event = {"id": "e1", "time": "2026-01-02T03:04:05Z", "action": "record.created", "outcome": "done", "new": 1}
    rig = rig_of(httpx2.Response(200, json={"items": [event], "next": None}))
    (found,) = await rig.every(rig.client.events.list(action="record.created", cursor="c7"))
    assert found.action == "record.created"
    assert dict(rig.script.requests[0].url.params) == {"action": "record.created", "cursor": "c7"}


async def test_view_of_a_subject_is_complete(rig_of: RigOf) -> None:
    first = {"subject": "a/b", "records": [record("1", collection="people")], "files": [], "next": "c1"}
    second = {"subject": "a/b", "records": [record("2", collection="orders")], "files": [], "next": "c2"}
    third: dict[str, Any] = {"subject": "a/b", "records": [], "files": [], "next": None}
    rig = rig_of(*(httpx2.Response(200, json=each) for each in (first, second, third)))
    view = await rig.one(rig.client.subjects.get("a/b", page_size=1))
    assert [(each.collection, each.id) for each in view.records] == [("people", "1"), ("orders", "2")]
    assert view.next is None
    assert [request.url.raw_path for request in rig.script.requests] == [
        b"/api/v1/subjects/a%2Fb?limit=1",
        b"/api/v1/subjects/a%2Fb?limit=1&cursor=c1",
        b"/api/v1/subjects/a%2Fb?limit=1&cursor=c2",
    ]


async def test_view_of_a_subject_that_breaks_off_is_no_view(rig_of: RigOf) -> None:
    first = {"subject": "ada", "records": [record("1")], "files": [], "next": "c1"}
    rig = rig_of(httpx2.Response(200, json=first), httpx2.ConnectError("refused"), retries=0)
    with pytest.raises(ConnectionFailed):
        await rig.one(rig.client.subjects.get("ada"))
