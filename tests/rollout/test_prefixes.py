"""Common beginnings of prompts."""

from __future__ import annotations

from luciola.rollout.prefixes import Group, group, shared_length

SCHEMA = tuple(range(100, 300))
OTHER = tuple(range(500, 700))


def test_shared_length_is_where_two_sequences_first_differ() -> None:
    for length in (0, 1, 5, 7, 8):
        second = [*range(length), *([99] * (8 - length))]
        assert shared_length(list(range(8)), second) == length
    assert shared_length([1, 2, 3], [1, 2]) == 2


def test_questions_about_one_schema_share_it() -> None:
    assert group([(*SCHEMA, 1, 2), (*SCHEMA, 3), (*SCHEMA, 4, 5, 6)]) == [Group(200, (0, 1, 2))]


def test_two_schemas_make_two_groups_and_a_stranger_stays_alone() -> None:
    prompts = [(*SCHEMA, 1), (*OTHER, 1), (7, 8), (*SCHEMA, 2), (*OTHER, 2)]
    assert group(prompts) == [Group(200, (0, 3)), Group(200, (1, 4)), Group(0, (2,))]


def test_a_short_common_beginning_does_not_join_two_schemas() -> None:
    """Five common tokens, for instance of the chat template, save less than the schemas do."""
    head = (1, 2, 3, 4, 5)
    prompts = [head + SCHEMA + (1,), head + OTHER + (1,), head + SCHEMA + (2,), head + OTHER + (2,)]
    assert group(prompts) == [Group(205, (0, 2)), Group(205, (1, 3))]


def test_answers_to_one_prompt_share_all_of_it_but_the_last_token() -> None:
    """The last token must still be computed, for the logits of the first answer token."""
    assert group([SCHEMA] * 3) == [Group(199, (0, 1, 2))]


def test_a_prompt_that_begins_another_leaves_a_token_of_its_own() -> None:
    assert group([(*SCHEMA, 1, 2), SCHEMA]) == [Group(199, (1, 0))]


def test_what_saves_little_is_not_shared() -> None:
    assert group([(1, 2, 3, 4), (1, 2, 3, 5)]) == [Group(0, (0, 1))]


def test_every_row_is_in_one_group() -> None:
    prompts = [(*SCHEMA[: 10 * i], i, *OTHER[: 7 * i]) for i in range(20)]
    groups = group(prompts)
    assert sorted(row for one in groups for row in one.rows) == list(range(20))
    for one in groups:
        assert len({prompts[row][: one.prefix] for row in one.rows}) == 1
        assert all(one.prefix < len(prompts[row]) for row in one.rows)


def test_no_prompts_make_no_groups() -> None:
    assert group([]) == []
