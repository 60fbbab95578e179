"""Which matters the words speak for, how loudly, and by which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.report import Suggestion
from services.intake.matching import KEPT, Matcher
from services.rules.book import RuleBook

CATALOGUE = {
    "401": (["非法采矿", "盗采"], ["挖山", "挖机"]),
    "404": (["违章建筑"], ["违建", "挖机"]),
    "406": (["焚烧"], ["浓烟", "KTV"]),
    "999": ([], []),
}


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(CATALOGUE)


@pytest.fixture(scope="module")
def sample(rules: RuleBook) -> Matcher:
    return Matcher({matter.code: (matter.strong, matter.words) for matter in rules.matters.values()})


def test_words_that_speak_for_one_matter_suggest_it_and_say_why(matcher: Matcher) -> None:
    suggestions = matcher.suggest("", "后山有人非法采矿，正在挖山。")

    assert suggestions == (Suggestion("401", round(4 / (4 + 0 + 2), 3), ("挖山", "非法采矿")),)


def test_a_word_in_the_title_counts_double(matcher: Matcher) -> None:
    (in_text,) = matcher.suggest("", "盗采")
    (in_title,) = matcher.suggest("盗采", "")
    (in_both,) = matcher.suggest("盗采", "盗采")

    assert (in_text.score, in_title.score) == (0.6, 0.75)
    assert in_both == in_title


def test_a_word_said_often_counts_once(matcher: Matcher) -> None:
    assert matcher.suggest("", "挖山挖山，挖山！") == matcher.suggest("", "挖山")


def test_one_plain_word_alone_is_not_certainty(matcher: Matcher, rules: RuleBook) -> None:
    (suggestion,) = matcher.suggest("", "看到浓烟")

    assert suggestion.score < rules.district.triage_threshold


def test_two_matters_that_speak_as_loudly_are_both_below_a_half_and_in_order_of_code(matcher: Matcher) -> None:
    suggestions = matcher.suggest("", "又是盗采又是违章建筑")

    assert [(suggestion.matter, suggestion.score) for suggestion in suggestions] == [("401", 0.375), ("404", 0.375)]


def test_a_word_of_two_matters_speaks_for_both(matcher: Matcher) -> None:
    suggestions = matcher.suggest("", "挖机和违建")

    assert suggestions == (
        Suggestion("404", 0.4, ("挖机", "违建")),
        Suggestion("401", 0.2, ("挖机",)),
    )


def test_a_word_inside_a_longer_one_is_found_too(matcher: Matcher) -> None:
    nested = Matcher({"1": (["拖欠工资"], ["拖欠", "工资"])})

    (suggestion,) = nested.suggest("", "老板拖欠工资")

    assert suggestion.words == ("工资", "拖欠", "拖欠工资")


def test_capitals_do_not_matter(matcher: Matcher) -> None:
    assert matcher.suggest("", "楼下ktv") == matcher.suggest("", "楼下KTV") != ()


@pytest.mark.parametrize(("title", "text"), [("", ""), ("好", "人"), ("天气不错", "今天没有事"), ("非法", "采矿")])
def test_no_word_of_the_catalogue_suggests_nothing(matcher: Matcher, title: str, text: str) -> None:
    assert matcher.suggest(title, text) == ()


def test_a_catalogue_without_words_suggests_nothing() -> None:
    assert Matcher({}).suggest("非法采矿", "非法采矿") == ()


def test_at_most_three_matters_are_suggested(sample: Matcher) -> None:
    suggestions = sample.suggest("求助", "非法采矿、违章建筑、焚烧、电梯、家暴、山火、信访、噪音都有")

    assert len(suggestions) == KEPT


@pytest.mark.parametrize(
    ("title", "text", "matter"),
    [
        ("有人非法采矿", "后山半夜盗采矿石，挖机声很大。", "401"),
        ("楼上漏水邻里纠纷", "请求调解。", "201"),
        ("山火", "后山着火了，浓烟很大，请打火队来。", "207"),
        ("电梯困人", "电梯故障把人关在里面。", "304"),
    ],
)
def test_the_sample_catalogue_is_certain_of_plain_reports(
    sample: Matcher, rules: RuleBook, title: str, text: str, matter: str
) -> None:
    best = sample.suggest(title, text)[0]

    assert best.matter == matter
    assert best.score >= rules.district.triage_threshold


WORDS = [word for strong, plain in CATALOGUE.values() for word in (*strong, *plain)]
TEXTS = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=3))).map("".join)


@given(title=TEXTS, text=TEXTS)
def test_scores_lie_between_nothing_and_one_the_best_first_and_the_words_are_in_the_text(title: str, text: str) -> None:
    suggestions = Matcher(CATALOGUE).suggest(title, text)

    assert all(0 < suggestion.score < 1 for suggestion in suggestions)
    assert [suggestion.score for suggestion in suggestions] == sorted(
        (suggestion.score for suggestion in suggestions), reverse=True
    )
    for suggestion in suggestions:
        assert len(set(suggestion.words)) == len(suggestion.words) > 0
        assert all(word in title.lower() or word in text.lower() for word in suggestion.words)


@given(title=TEXTS, text=TEXTS)
def test_only_one_matter_can_be_certain(title: str, text: str) -> None:
    certain = [suggestion for suggestion in Matcher(CATALOGUE).suggest(title, text) if suggestion.score >= 0.5]

    assert len(certain) <= 1
