"""Suggests matters (事项) for a report from the catalogue's words, while the resident's words are in hand.

The catalogue gives each matter two lists: *strong* words, which name the matter itself, and plain *words*,
which go with it. The score and the deciding words travel with the report, so that everybody can see why.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from events.report import Suggestion

STRONG, PLAIN = 3, 1
TITLE_FACTOR = 2
DOUBT = 2
"""What a matter has to outweigh even when no other matter speaks: one plain word alone is not certainty."""

KEPT = 3


class Matcher:
    """Finds catalogue words in a text. Build once per configuration; `suggest` is a pure function.

    ``catalogue`` maps a matter code to its ``(strong, plain)`` words, each of two characters or more.
    """

    def __init__(self, catalogue: Mapping[str, tuple[Iterable[str], Iterable[str]]]) -> None:
        weights: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for matter, (strong, plain) in catalogue.items():
            for words, weight in ((strong, STRONG), (plain, PLAIN)):
                for word in words:
                    weights[word.lower()].append((matter, weight))
        self._weights = dict(weights)
        self._by_bigram: dict[str, list[str]] = defaultdict(list)
        for word in self._weights:
            self._by_bigram[word[:2]].append(word)

    def suggest(self, title: str, text: str) -> tuple[Suggestion, ...]:
        """The best matters first, at most three, each with its score in 0..1 and the words that decided.

        A matter's strength is the sum of the weights of its distinct words, doubled for words in the title.
        Its score is ``own / (own + best other + DOUBT)``: near 1 when it speaks alone and clearly, below a
        half when another matter speaks as loudly.
        """
        in_title = self._found(title.lower())
        strength: dict[str, int] = defaultdict(int)
        deciding: dict[str, list[str]] = defaultdict(list)
        for word in sorted(in_title | self._found(text.lower())):
            factor = TITLE_FACTOR if word in in_title else 1
            for matter, weight in self._weights[word]:
                strength[matter] += weight * factor
                deciding[matter].append(word)
        ranked = sorted(strength, key=lambda matter: (-strength[matter], matter))
        return tuple(
            Suggestion(
                matter=matter,
                score=_score(strength[matter], strength[ranked[1] if matter == ranked[0] else ranked[0]])
                if len(ranked) > 1
                else _score(strength[matter], 0),
                words=tuple(deciding[matter]),
            )
            for matter in ranked[:KEPT]
        )

    def _found(self, text: str) -> set[str]:
        found: set[str] = set()
        for start in range(len(text) - 1):
            for word in self._by_bigram.get(text[start : start + 2], ()):
                if text.startswith(word, start):
                    found.add(word)
        return found


def _score(own: int, other: int) -> float:
    return round(own / (own + other + DOUBT), 3)
