import random
import threading
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zxcvbn import matching  # type: ignore[import-untyped]  # it ships no types

from bailee.access.breached import BreachedPasswords
from bailee.access.passwords import (
    STAFF_RULES,
    PasswordRules,
    Passwords,
    _estimate,
    _ways,
    context_of,
)
from bailee.encryption.hashing import PasswordHasher
from bailee.foundation.errors import Invalid
from bailee.foundation.secrets import Secret

RULES = PasswordRules()
SYMBOLS = sorted({symbol for symbols in matching.L33T_TABLE.values() for symbol in symbols})


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    hasher = PasswordHasher(1, memory_cost=19_456)
    yield Passwords(hasher, BreachedPasswords())
    hasher.close()


async def refusal(passwords: Passwords, password: str | bytes, *context: str, rules: PasswordRules = RULES) -> str:
    """What the person is told; empty when the password is taken."""
    raw = password.encode() if isinstance(password, str) else password
    try:
        await passwords.verify_new(Secret(raw), context=context, rules=rules, field="new")
    except Invalid as refused:
        (fault,) = refused.errors
        assert fault.path == "new"
        text = raw.decode(errors="replace").strip()
        return fault.message if text not in f"{refused} {fault.message}" else f"repeated: {text}"
    return ""


@pytest.mark.parametrize(
    "password",
    [
        "vjkq pzwx",
        "  lila Kranich tanzt  ",
        "lilakranichtanzt",
        "ЖуравльТанцюєВночі",
        "鶴が夜に踊る🕺月の光",
        "kranich\ttanzt lila",
        "q7" * 2 + "lila Kranich tanzt " * 5,
    ],
)
async def test_any_characters_in_any_composition_are_taken(passwords: Passwords, password: str) -> None:
    assert await refusal(passwords, password) == ""


async def test_length_counts_characters_of_the_nfc_text(passwords: Passwords) -> None:
    seven, eight, limits = "äßxqöwé", "äßxqöwéj", "Use 8 to 128 characters."
    longest = ("lila Kränich tänzt " * 7)[:128]
    for text, told in ((seven, limits), (eight, ""), (longest, ""), (longest + "ä", limits)):
        assert await refusal(passwords, unicodedata.normalize("NFC", text)) == told
        assert await refusal(passwords, unicodedata.normalize("NFD", text)) == told


async def test_spaces_are_neither_trimmed_nor_counted_out(passwords: Passwords) -> None:
    assert await refusal(passwords, " vjkqpz ") == ""
    assert await refusal(passwords, "vjkqpz") == "Use 8 to 128 characters."


@pytest.mark.parametrize("password", ["lila\0Kranich", b"lila \xed\xa0\x80 Kranich", b"lila \xff Kranich"])
async def test_what_cannot_be_typed_is_refused(passwords: Passwords, password: str | bytes) -> None:
    assert await refusal(passwords, password) == "Use characters that can be typed."


async def test_pile_of_combining_marks_is_refused_in_no_time(passwords: Passwords) -> None:
    began = time.perf_counter()
    assert await refusal(passwords, "x" + "\u0300\u0316" * 500_000) == "Use at most 128 characters."
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "password, told",
    [
        ("qwertzuiop", "This is a very common password."),
        ("aaaaaaaaaaaa", 'Repeats like "aaa" are easy to guess.'),
        ("abcdefghijkl", 'Sequences like "abc" or "6543" are easy to guess.'),
        ("neighbourhood", "A word by itself is easy to guess."),
    ],
)
async def test_what_is_easy_to_guess_is_refused_with_the_reason(passwords: Passwords, password: str, told: str) -> None:
    message = await refusal(passwords, password)
    assert message.startswith(told)
    assert message.endswith("harder to guess: add another word or two, uncommon ones.")


@pytest.mark.parametrize("password", ["passw0rd", "PassWord1", "iloveyou", "trustno1"])
async def test_common_password_is_refused_in_any_case(passwords: Passwords, password: str) -> None:
    assert "data breaches" in await refusal(passwords, password)


@pytest.mark.parametrize(
    "password",
    ["alice.kowalczyk", "kowalczyk1", "Kowalczyk", "example-praxis.de", "Bailee2", "Zahnzentrum", "kyzclawok"],
)
async def test_what_somebody_who_knows_the_person_tries_first_is_refused(passwords: Passwords, password: str) -> None:
    context = context_of(
        email="alice.kowalczyk@example-praxis.de", name="Alice Kowalczyk", tenant="Zahnzentrum am Markt"
    )
    assert await refusal(passwords, password.ljust(8, "1"), *context) != ""


async def test_staff_need_more_than_members(passwords: Passwords) -> None:
    password = "sommer2024"
    assert await passwords.score(Secret(password.encode()), []) == 2
    assert await refusal(passwords, password) == ""
    assert await refusal(passwords, password, rules=STAFF_RULES) != ""


def test_context_is_the_address_its_parts_the_names_and_ours() -> None:
    words = context_of(email="Ann-Lee.O@mail.example.org", name="Ann-Lee O’Neill", tenant="Praxis Dr. Müller")
    assert {"ann-lee.o@mail.example.org", "ann-lee.o", "mail.example.org", "example"} <= set(words)
    assert {"ann-lee o’neill", "ann", "lee", "neill", "praxis dr. müller", "praxis", "müller", "bailee"} <= set(words)
    assert all(len(word) >= 3 for word in words)
    assert len(set(words)) == len(words)
    assert context_of() == ["bailee"]


def test_context_of_one_person_is_gone_before_the_next_comes() -> None:
    name = "kowalczykowska"
    gate = threading.Barrier(2)

    def judge(context: list[str]) -> set[int]:
        gate.wait()
        return {_estimate(name, context)[0] for _ in range(50)}

    with ThreadPoolExecutor(2) as pool:
        known, unknown = pool.submit(judge, [name]), pool.submit(judge, [])
    assert known.result() == {0}
    assert min(unknown.result()) > 0
    assert not matching.RANKED_DICTIONARIES["user_inputs"]


@given(st.text(st.sampled_from(SYMBOLS), max_size=12))
def test_ways_are_never_more_than_estimated(text: str) -> None:
    table = matching.relevant_l33t_subtable(text, matching.L33T_TABLE)
    assert len(matching.enumerate_l33t_subs(table)) <= _ways(text)


@pytest.mark.parametrize("seed", range(30))
def test_random_symbols_are_judged_by_enough_of_them(seed: int) -> None:
    assert _estimate("".join(random.Random(seed).sample(SYMBOLS, 14)), [])[0] >= STAFF_RULES.min_score


@given(st.text(max_size=128))
def test_any_text_gets_a_score(text: str) -> None:
    score, _ = _estimate(text, [text[:20], "ß", "İstanbul"])
    assert 0 <= score <= 4


@pytest.mark.parametrize(
    "text",
    [
        "4@8({[<3691!|0$5+7%2" * 6,  # every substitution there is
        "1|7!" * 32,  # those that stand for two letters
        "5" + "sas" * 42,  # repeats within repeats, all of them words: the slowest that was found
        "a" * 128,
        "11.11.1991" * 12,
    ],
)
def test_no_text_keeps_the_pool_busy(text: str) -> None:
    spent = []
    for _ in range(3):
        began = time.thread_time()
        _estimate(text, ["sas", "assas", "bailee"])
        spent.append(time.thread_time() - began)
    assert min(spent) < 0.15  # measured: 0.035; some room for slower machines, none for the 3 s it would be
