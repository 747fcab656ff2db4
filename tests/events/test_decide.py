"""The table of outcomes, row by row, and that the end does not depend on the order of arrival."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.events.decide import State, Verdict, decide, following, reason_of

GONE = b"retracted"


def told(version: int, content: bytes = b"a") -> State:
    return State(version, content, content == GONE)


def test_the_first_row_that_applies_decides() -> None:
    rows: list[tuple[State | None, State, Verdict]] = [
        (None, told(0), "accepted"),
        (None, told(0, GONE), "retracted"),
        (told(2), told(2), "duplicate"),
        (told(2), told(3), "duplicate"),
        (told(2), told(1), "duplicate"),
        (told(2, GONE), told(1, GONE), "duplicate"),
        (told(2), told(3, b"b"), "corrected"),
        (told(2, GONE), told(3, b"b"), "corrected"),
        (told(2), told(3, GONE), "retracted"),
        (told(2), told(1, b"b"), "outdated"),
        (told(2), told(1, GONE), "outdated"),
        (told(2, GONE), told(1), "outdated"),
        (told(2), told(2, b"b"), "conflict"),
        (told(2), told(2, GONE), "conflict"),
        (told(2, GONE), told(2), "conflict"),
    ]
    for stored, posted, verdict in rows:
        assert decide(stored, posted) == verdict, (stored, posted)


def test_a_duplicate_only_advances_the_version() -> None:
    assert following(told(2), told(5), "duplicate") == told(5)
    assert following(told(2), told(1), "duplicate") == told(2)
    assert following(told(2), told(2, b"b"), "conflict") == told(2)
    assert following(told(2), told(1, b"b"), "outdated") == told(2)


def test_a_conflict_says_to_send_a_higher_version() -> None:
    assert "send a higher version" in (reason_of(told(0), told(0, GONE), "conflict") or "")
    assert reason_of(None, told(0), "accepted") is None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([b"a", b"b", b"c", GONE]), min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_distinct_versions_end_the_same_in_any_order(contents: list[bytes], chance: object) -> None:
    postings = [told(version, content) for version, content in enumerate(contents)]
    latest = postings[-1]
    chance.shuffle(postings)  # type: ignore[attr-defined]  # a random.Random
    stored: State | None = None
    for posted in postings * 2:
        stored = following(stored, posted, decide(stored, posted))
    assert stored == latest
