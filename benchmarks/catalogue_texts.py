"""Courses in several languages, with words as rare and as alike as in real texts.

Each language has syllables. A word is a stem of one to four of them, most with an ending; frequent
words are short. So many words differ by one or two characters, as in a real vocabulary.
"""

import functools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: Of each language.
STEMS: Final = 5_000
ENDINGS_OF_A_STEM: Final = 4
SUMMARY_WORDS: Final = 14


@dataclass(frozen=True, slots=True)
class Language:
    """The parts of a language's words, by spaces; "-" is none.

    A syllable has a start, a middle and an end. `syllables` are those of the shortest and of the
    longest stem.
    """

    starts: str
    middles: str
    ends: str
    endings: str
    syllables: tuple[int, int] = (2, 4)


_LATIN: Final = "b c d f g h j l m n p r s t v w br ch cl dr fr gr pl pr sc sp st tr"
LANGUAGES: Final = {
    "en": Language(_LATIN, "a e i o u ea ou io", "- n r s t l m", "s ing ed er ly tion ment al"),
    "es": Language(
        _LATIN, "a e i o u ia ue ió á é", "- n r s l", "s es ción mente ado ando ar idad"
    ),
    "fr": Language(
        _LATIN, "a e i o u é è ou ai eau", "- n r s t l", "s es er ment tion ique eur é"
    ),
    "de": Language(
        _LATIN, "a e i o u ä ö ü ei au ie", "- n r s t ch l", "en er ung keit lich es heit isch"
    ),
    "vi": Language(
        "b c d đ g h k l m n p r s t v x ch gi kh ng nh ph qu th tr",
        "a ă â e ê i o ô ơ u ư á à ả ã ạ ấ ầ ế ề ố ồ ớ ờ ứ ừ iê ươ uô oa",
        "- n m ng nh t c p i o",
        "-",
        (1, 1),
    ),
    "hi": Language(
        "क ख ग घ च छ ज झ ट ठ ड ढ ण त थ द ध न प फ ब भ म य र ल व श ष स ह",
        "- ा ि ी ु ू े ै ो",
        "- - ं",
        "ों ें ी ा क ता ने ित",
        (1, 3),
    ),
    "ar": Language(
        "ب ت ث ج ح خ د ذ ر ز س ش ص ض ط ظ ع غ ف ق ك ل م ن",
        "- - \u0627 و ي",
        "-",
        "ة \u0627ت ون ين ي \u0647\u0627 \u0647م",
        (2, 4),
    ),
}


@functools.cache
def vocabulary(language: str) -> list[str]:
    """Return a language's words, the most frequent ones first. Callers must not change the list."""
    draw = random.Random(language)
    parts = LANGUAGES[language]
    starts, middles, ends, endings = (
        ["" if part == "-" else part for part in it.split()]
        for it in (parts.starts, parts.middles, parts.ends, parts.endings)
    )
    words: dict[str, None] = {}
    for number in range(STEMS):
        # A frequent word is short.
        shortest, longest = parts.syllables
        length = min(longest, shortest + number * (longest - shortest + 1) // STEMS)
        stem = "".join(
            draw.choice(starts) + draw.choice(middles) + draw.choice(ends) for _ in range(length)
        )
        words[stem] = None
        for _ in range(draw.randrange(ENDINGS_OF_A_STEM + 1)):
            words[stem + draw.choice(endings)] = None
    return [it for it in words if len(it) > 1]


def courses(count: int, subject: str, teacher: str) -> Iterator[dict[str, Any]]:
    """Yield courses with an id, a language, a title and a summary."""
    draw = random.Random(count)
    languages = list(LANGUAGES)
    words = {language: vocabulary(language) for language in languages}
    for number in range(count):
        language = languages[number % len(languages)]
        text = [_frequent(words[language], draw) for _ in range(3 + SUMMARY_WORDS)]
        yield {
            "id": f"bench-{number}",
            "language": language,
            "subject": subject,
            "teacher": teacher,
            "title": " ".join(text[:3]).capitalize() + f" {number}",
            "summary": " ".join(text[3:]),
        }


def _frequent(words: Sequence[str], draw: random.Random) -> str:
    """Return a word: the n-th one as often as 1/n, or a rare one."""
    if draw.random() < 0.3:
        return draw.choice(words)
    return words[int(len(words) ** draw.random()) - 1]


def searches(draw: random.Random) -> dict[str, list[str]]:
    """Return a search of each kind, as its words."""
    language = draw.choice(list(LANGUAGES))
    words = vocabulary(language)

    def typed(count: int, edits: int) -> list[str]:
        return [misspelt(_frequent(words, draw), edits, draw)[:40] or "x" for _ in range(count)]

    def noise(count: int, length: int) -> list[str]:
        return ["".join(draw.choices("aeioulmnrst", k=length)) for _ in range(count)]

    first = _frequent(words, draw)
    return {
        "one word": typed(1, 0),
        "first characters": [first[: draw.randint(1, 3)]],
        "three words": typed(3, 0),
        "one misspelt word": typed(1, 1),
        "two misspelt words": typed(2, 2),
        "eight misspelt words": typed(8, 1),
        "eight words of 3": noise(8, 3),
        "eight words of 11": noise(8, 11),
        "two words of 40": noise(2, 40),
    }


def misspelt(word: str, edits: int, draw: random.Random) -> str:
    """Return a word after a number of edits: a character less, more, another, or two swapped."""
    for _ in range(edits):
        at = draw.randrange(len(word))
        other = draw.choice(word)
        word = draw.choice(
            (
                word[:at] + word[at + 1 :],
                word[:at] + other + word[at:],
                word[:at] + other + word[at + 1 :],
                word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
            )
        )
    return word
