from typing import Any

import pytest

from bailee.foundation.errors import Invalid
from bailee.stores.vault import merge_patch


@pytest.mark.parametrize(
    "target, patch, result",
    [  # RFC 7396, appendix A, in its order
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_patch_is_rfc_7396s(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


def test_target_is_left_as_it_was() -> None:
    target = {"a": {"b": 1}}
    merge_patch(target, {"a": {"b": 2, "c": 3}})
    assert target == {"a": {"b": 1}}


@pytest.mark.parametrize("depth", [900, 5000])
def test_bottomless_patch_is_refused_cleanly(depth: int) -> None:
    patch: dict[str, Any] = {}
    for _ in range(depth):
        patch = {"a": patch}
    with pytest.raises(Invalid):
        merge_patch({}, patch)
