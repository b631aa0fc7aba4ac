"""Rules for passwords that people choose: long enough, hard to guess, and not known from a breach.

There are no rules of composition, and nothing is trimmed or changed (NIST SP 800-63B-4, 3.1.1.2).
"""

import bisect
import threading
import unicodedata
from collections.abc import Sequence
from typing import ClassVar

import msgspec
from zxcvbn import matching, zxcvbn  # type: ignore[import-untyped]  # it ships no types

from bailee.access.breached import BreachedPasswords
from bailee.encryption.hashing import PasswordHasher
from bailee.foundation.errors import FieldError, Invalid
from bailee.foundation.secrets import Secret

# zxcvbn tries every way to undo substitutions such as 4 for a on every part of the text: 72 hostile characters took
# it 3.2 s. So the longest beginning is judged whose length² × ways stays below the work: 48 characters, fewer of a
# text dense with symbols, never fewer than 12; 11 random ones have the best score already. A search by mutation for
# slow texts ended at 34 ms of processor time (with 56 characters: 45 ms, with 72: 97 ms); 12 dense symbols take 29 ms.
_JUDGED, _LEAST_JUDGED = 48, 12
_WORK = 12_000
_MOST_TYPED = 4 * 128
"""Code points before NFC, which takes quadratic time over a pile of combining marks and shrinks a text to a quarter."""
_SHORTEST_WORD = 3
_JOINTS = ("", "-", "_", ".", " ")

_SYMBOLS = [symbol for symbols in matching.L33T_TABLE.values() for symbol in symbols]
"""What stands for a letter, as often as there are letters that it stands for."""

_HINTS = frozenset(
    {
        "Straight rows of keys are easy to guess.",
        "Short keyboard patterns are easy to guess.",
        'Repeats like "aaa" are easy to guess.',
        'Repeats like "abcabcabc" are only slightly harder to guess than "abc".',
        'Sequences like "abc" or "6543" are easy to guess.',
        "Recent years are easy to guess.",
        "Dates are often easy to guess.",
        "This is a top-10 common password.",
        "This is a top-100 common password.",
        "This is a very common password.",
        "This is similar to a commonly used password.",
        "A word by itself is easy to guess.",
        "Names and surnames by themselves are easy to guess.",
        "Common names and surnames are easy to guess.",
    }
)
"""zxcvbn's fixed texts. Nothing else of its answer is shown: it could repeat the password."""

_zxcvbn_is_ours = threading.Lock()


class PasswordRules(msgspec.Struct, frozen=True):
    """What a new password has to be: characters, and zxcvbn's score from 0 (at once) to 4 (very hard to guess)."""

    MAX: ClassVar[int] = 128

    min_length: int = 8
    min_score: int = 2


STAFF_RULES = PasswordRules(min_score=3)


class Passwords:
    """Judges new passwords. It computes in the hasher's pool and reads the disk there: no transaction may wait for it.

    Its methods raise Unavailable when the pool is full or the list of breached passwords cannot be read.
    """

    def __init__(self, hasher: PasswordHasher, breached: BreachedPasswords, words: Sequence[str] = ()) -> None:
        """`words` are the instance's own, as `words_of` gives them: no password is to be made of them."""
        self._hasher = hasher
        self._breached = breached
        self._words = list(words)

    async def verify_new(
        self, password: Secret, *, context: Sequence[str], rules: PasswordRules, field: str = "password"
    ) -> None:
        """Holds a new password, UTF-8 as it was typed, against the rules; `context` is what `context_of` gives.

        Raises Invalid, which says at `field` what to do.
        """
        text = _typed(password, field)
        length = len(unicodedata.normalize("NFC", text))
        if not rules.min_length <= length <= rules.MAX:
            raise _refused(field, f"Use {rules.min_length} to {rules.MAX} characters.")
        breached, (score, hint) = await self._hasher.run(
            lambda: (self._breached.contains(text), _estimate(text, [*context, *self._words]))
        )
        if breached:
            raise _refused(field, "This password is known from data breaches. Choose one you use nowhere else.")
        if score < rules.min_score:
            advice = "Choose a password that is harder to guess: add another word or two, uncommon ones."
            raise _refused(field, f"{hint} {advice}".lstrip())

    async def score(self, password: Secret, context: Sequence[str]) -> int:
        """zxcvbn's score, 0 to 4. Raises Invalid for what is no text."""
        text = _typed(password, "password")
        return (await self._hasher.run(lambda: _estimate(text, [*context, *self._words])))[0]


def context_of(*, email: str = "", name: str = "", tenant: str = "") -> list[str]:
    """The words that somebody who knows the person would try first."""
    local, _, domain = email.partition("@")
    return _folded([email, local, domain, name, tenant, "bailee", *_parts(local, domain, name, tenant)])


def words_of(texts: Sequence[str]) -> list[str]:
    """The words of an instance: names of the organisation and its products, as wholes, in parts, and joined anew."""
    joined = [joint.join(_parts(text)) for text in texts for joint in _JOINTS]
    return _folded([*texts, *joined, *_parts(*texts)])


def _parts(*texts: str) -> list[str]:
    return [word for text in texts for word in "".join(char if char.isalnum() else " " for char in text).split()]


def _folded(words: Sequence[str]) -> list[str]:
    folded = (unicodedata.normalize("NFC", word).lower() for word in words)
    return list(dict.fromkeys(word for word in folded if len(word) >= _SHORTEST_WORD))


def _typed(password: Secret, field: str) -> str:
    try:
        text = password.reveal().decode()
    except UnicodeDecodeError:  # a lone surrogate among others
        text = None
    if text is None or "\0" in text:
        raise _refused(field, "Use characters that can be typed.")
    if len(text) > _MOST_TYPED:
        raise _refused(field, f"Use at most {PasswordRules.MAX} characters.")
    return text


def _refused(field: str, message: str) -> Invalid:
    return Invalid("The password cannot be used.", errors=[FieldError(field, message)])


def _estimate(text: str, context: Sequence[str]) -> tuple[int, str]:
    """The score, and a sentence about what makes it low, if there is one."""
    judged = _beginning(unicodedata.normalize("NFC", text))
    if not judged:
        return 0, ""
    with _zxcvbn_is_ours:  # it keeps the context in a module-wide dictionary, where nobody else's may be and none stay
        try:
            found = zxcvbn(judged, context)
        finally:
            matching.RANKED_DICTIONARIES["user_inputs"] = {}
    warning = found["feedback"]["warning"]
    return int(found["score"]), warning if warning in _HINTS else ""


def _beginning(text: str) -> str:
    """As much of it as can be judged in time."""
    text = text[:_JUDGED]
    lengths = range(1, len(text) + 1)
    most = bisect.bisect_right(lengths, _WORK, key=lambda length: length**2 * _ways(text[:length]))
    return text[: max(_LEAST_JUDGED, most)]


def _ways(text: str) -> int:
    """No more ways than these are there to undo substitutions. A symbol for two letters counts at each for both."""
    ways = 1
    present = set(text)
    for symbols in matching.L33T_TABLE.values():
        ways *= max(1, sum(_SYMBOLS.count(symbol) for symbol in symbols if symbol in present))
    return ways
