"""The adapter of the user pool: students by filter and by `sub`, and the group of paid accounts."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from office.aws_calls import call, error_code
from office.errors import UnknownStudentError
from office.model import SearchResult, Student

PAYING_GROUP: Final = "paying"
#: One page of the list: the office narrows the text instead of paging through children's names.
MAX_RESULTS: Final = 20


class UserPool:
    """The pool, with a low-level Cognito client."""

    def __init__(self, cognito: Any, pool_id: str) -> None:
        self._cognito = cognito
        self._pool = pool_id

    def find(self, filters: Iterable[str]) -> SearchResult:
        """Return at most MAX_RESULTS students that match one of the filters, by name.

        Raises:
            UnavailableError: Cognito failed.
        """
        students: dict[str, Student] = {}
        more = False
        for one in filters:
            page = self._page(one)
            more = more or "PaginationToken" in page
            students |= {it.id: it for it in map(_listed, page["Users"])}
        by_name = sorted(students.values(), key=lambda it: (it.name.casefold(), it.email))
        return SearchResult(tuple(by_name[:MAX_RESULTS]), more or len(by_name) > MAX_RESULTS)

    def _page(self, one: str) -> Mapping[str, Any]:
        page: Mapping[str, Any] = call(
            lambda: self._cognito.list_users(UserPoolId=self._pool, Filter=one, Limit=MAX_RESULTS)
        )
        return page

    def student(self, subject: str) -> Student:
        """Return a user by `sub`.

        Raises:
            UnknownStudentError: The pool has no such user.
            UnavailableError: Cognito failed.
        """
        user = _of_user(
            lambda: self._cognito.admin_get_user(UserPoolId=self._pool, Username=subject)
        )
        return _student(user["UserAttributes"], user["Enabled"])

    def groups(self, subject: str) -> list[str]:
        """Return the names of the groups of a user, sorted.

        Raises:
            UnknownStudentError: The pool has no such user.
            UnavailableError: Cognito failed.
        """
        # A user of this pool has at most two groups, and a page up to 60.
        page = _of_user(
            lambda: self._cognito.admin_list_groups_for_user(
                UserPoolId=self._pool, Username=subject
            )
        )
        return sorted(it["GroupName"] for it in page["Groups"])

    def set_paying(self, subject: str, *, paid: bool) -> None:
        """Add a user to the group of paid accounts, or remove it; both can be repeated.

        Raises:
            UnknownStudentError: The pool has no such user.
            UnavailableError: Cognito failed.
        """
        member = {"UserPoolId": self._pool, "Username": subject, "GroupName": PAYING_GROUP}
        if paid:
            _of_user(lambda: self._cognito.admin_add_user_to_group(**member))
        else:
            _of_user(lambda: self._cognito.admin_remove_user_from_group(**member))


def _of_user(send: Callable[[], Any]) -> Any:
    """Return the result of a call about a user.

    Raises:
        UnknownStudentError: The pool has no such user.
        UnavailableError: Cognito failed.
    """
    from botocore.exceptions import ClientError

    def known() -> Any:
        try:
            return send()
        except ClientError as error:
            if error_code(error) == "UserNotFoundException":
                raise UnknownStudentError("No student has this id.") from error
            raise

    return call(known)


def _listed(user: Mapping[str, Any]) -> Student:
    return _student(user["Attributes"], user["Enabled"])


def _student(attributes: Iterable[Mapping[str, str]], enabled: Any) -> Student:
    values = {it["Name"]: it.get("Value", "") for it in attributes}
    return Student(
        values.get("sub", ""),
        values.get("email", ""),
        values.get("name", ""),
        values.get("preferred_username", ""),
        bool(enabled),
    )
