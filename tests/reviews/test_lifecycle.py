"""The states of a review."""

import pytest

from app.reviews.lifecycle import Action, Part, State, available_actions, may, next_state, possible_actions

WRITER, REVIEWED, OTHER = Part(True, False), Part(False, True), Part(False, False)
STATES: tuple[State, ...] = ("draft", "shared", "acknowledged", "closed")


def test_a_review_goes_one_way_through_its_states() -> None:
    assert next_state("draft", "share") == "shared"
    assert next_state("shared", "acknowledge") == "acknowledged"
    assert next_state("acknowledged", "close") == "closed"


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ("draft", "acknowledge"), ("draft", "close"), ("shared", "share"), ("shared", "close"), ("shared", "edit"),
        ("shared", "delete"), ("acknowledged", "share"), ("acknowledged", "acknowledge"), ("closed", "close"),
        ("closed", "share"), ("closed", "edit"),
    ],
)  # fmt: skip
def test_no_state_is_skipped_repeated_or_gone_back_to(state: State, action: Action) -> None:
    assert next_state(state, action) is None
    assert action not in possible_actions(state)


def test_only_a_draft_can_be_edited_or_deleted() -> None:
    assert [state for state in STATES if next_state(state, "edit")] == ["draft"]
    assert [state for state in STATES if next_state(state, "delete")] == ["draft"]


def test_the_member_acknowledges_and_writers_do_everything() -> None:
    assert available_actions("draft", WRITER) == ["edit", "delete", "share"]
    assert available_actions("shared", REVIEWED) == available_actions("shared", WRITER) == ["acknowledge"]
    assert available_actions("draft", REVIEWED) == []
    assert all(available_actions(state, OTHER) == [] for state in STATES)
    assert available_actions("closed", WRITER) == []
    assert not may("share", REVIEWED)
