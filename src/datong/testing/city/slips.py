"""How a Chinese text goes wrong under a clerk's hands: by its sound, by its shape, by the keyboard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from pypinyin import lazy_pinyin

from datong.testing.city import lexicon
from datong.testing.city.names import given_characters

Draw = Callable[[], float]

_NEAR_STARTS: Final = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("h", "f"), ("r", "l"))
_NEAR_ENDS: Final = (("ang", "an"), ("eng", "en"), ("ing", "in"))


def pick(draw: Draw, count: int) -> int:
    return int(draw() * count)


@cache
def sounds() -> Mapping[str, str]:
    """Character → its syllable without tone, of all characters that the city's names use."""
    stock = "".join(given_characters().to_pylist()) + "".join(lexicon.surname_weights())
    return {character: lazy_pinyin(character)[0] for character in dict.fromkeys(stock)}


@cache
def _same_sound() -> Mapping[str, tuple[str, ...]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for character, syllable in sounds().items():
        if character not in RARE_CHARACTERS:
            groups[syllable].append(character)
    return {syllable: tuple(found) for syllable, found in groups.items()}


RARE_CHARACTERS: Final = frozenset(lexicon.RARE + lexicon.VERY_RARE)


def homophone(character: str, draw: Draw) -> str | None:
    """Another character of the same sound, or None."""
    others = [each for each in _same_sound().get(sounds().get(character, ""), ()) if each != character]
    return others[pick(draw, len(others))] if others else None


def near_sound(character: str, draw: Draw) -> str | None:
    """A character of a sound that is taken for this one's: zh/z, n/l, ang/an and their like."""
    syllable = sounds().get(character, "")
    near = set()
    for one, other in _NEAR_STARTS:
        for here, there in ((one, other), (other, one)):
            if syllable.startswith(here) and not (len(here) == 1 and syllable[1:2] == "h"):
                near.add(there + syllable[len(here) :])
    for one, other in _NEAR_ENDS:
        for here, there in ((one, other), (other, one)):
            if syllable.endswith(here):
                near.add(syllable[: -len(here)] + there)
    others = [each for found in sorted(near) for each in _same_sound().get(found, ())]
    return others[pick(draw, len(others))] if others else None


def look_alike(character: str) -> str | None:
    return lexicon.SHAPE_SLIPS.get(character)


def pinyin_of(character: str) -> str:
    return sounds().get(character) or lazy_pinyin(character)[0]


def replace_one(text: str, change: Callable[[str], str | None], draw: Draw) -> str:
    """The text with one of its characters changed: the first that can be, from a drawn place on; else unchanged."""
    start = pick(draw, max(len(text), 1))
    for step in range(len(text)):
        place = (start + step) % len(text)
        new = change(text[place])
        if new is not None and new != text[place]:
            return text[:place] + new + text[place + 1 :]
    return text
