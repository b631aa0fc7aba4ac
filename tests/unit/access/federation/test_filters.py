"""A filter's share that the database answers keeps everything that the filter matches."""

from typing import Any
from uuid import UUID

import pytest
from scim2_models import ScimFilter

from bailee.access.federation.scim.filters import narrowed
from bailee.access.federation.scim.model import EVERYBODY, Narrow
from bailee.access.federation.scim.schema import User

ID = UUID("01900000-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    "text,expected",
    [
        ('userName eq "a@b.example"', Narrow(name="a@b.example")),
        ('USERNAME EQ "a@b.example"', Narrow(name="a@b.example")),
        ('urn:ietf:params:scim:schemas:core:2.0:User:userName eq "a"', Narrow(name="a")),
        ('externalId eq "7" and active eq true', Narrow(external_id="7")),
        (f'id eq "{ID}"', Narrow(id=ID)),
        (f'id eq "{ID}" and (userName eq "a" and externalId eq "7")', Narrow(ID, "a", "7")),
        ('userName eq "a" or userName eq "b"', EVERYBODY),
        ('not (userName eq "a")', EVERYBODY),
        ('userName sw "a"', EVERYBODY),
        ('userName ne "a"', EVERYBODY),
        ('name.familyName eq "a"', EVERYBODY),
        ('emails[value eq "a"]', EVERYBODY),
        ('userName eq "a" and userName eq "b"', Narrow(name="a")),
        ("displayName pr", EVERYBODY),
        ('id eq "no id of ours"', EVERYBODY),
    ],
)
def test_equalities_joined_by_and_are_looked_up(text: str, expected: Narrow) -> None:
    parsed: Any = ScimFilter[User](text)
    assert narrowed(parsed, "userName") == expected


def test_without_a_filter_it_is_everybody() -> None:
    assert narrowed(None, "userName") == EVERYBODY
