import copy
import json
import logging
import pickle

import msgspec
import pytest

from bailee.foundation.secrets import Secret

SECRET = Secret(b"hunter2-hunter2")


def test_no_form_of_printing_shows_it() -> None:
    class Holder(msgspec.Struct):
        secret: Secret

    logged = logging.LogRecord("n", 20, "p", 1, "%s %r", (SECRET, SECRET), None).getMessage()
    for shown in (repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET!r}", str([SECRET]), repr(Holder(SECRET)), logged):
        assert "hunter2" not in shown
    assert repr(SECRET) == "Secret(…)"


def test_it_is_not_serialised() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(SECRET)
    with pytest.raises(TypeError):
        copy.deepcopy(SECRET)
    with pytest.raises(TypeError):
        json.dumps(SECRET)
    with pytest.raises(TypeError):
        msgspec.json.encode(SECRET)


def test_it_is_compared_and_never_a_key() -> None:
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"
    with pytest.raises(TypeError):
        hash(SECRET)


def test_it_has_no_attributes_to_look_into() -> None:
    assert not hasattr(SECRET, "__dict__")
    assert SECRET.reveal() == b"hunter2-hunter2"
