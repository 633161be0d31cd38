"""Only the whole name of the group makes a caller staff."""

from hypothesis import given
from hypothesis import strategies as st

from staff.groups import STAFF_GROUP, is_staff

#: API Gateway joins the names with commas.
group = st.text(st.characters(exclude_characters=",")).filter(lambda it: it != STAFF_GROUP)


@given(st.lists(group))
def test_caller_without_the_group_is_not_staff(groups: list[str]) -> None:
    assert not is_staff(",".join(groups))


@given(st.lists(group), st.lists(group))
def test_caller_in_the_group_and_others_is_staff(before: list[str], after: list[str]) -> None:
    assert is_staff(",".join([*before, STAFF_GROUP, *after]))
