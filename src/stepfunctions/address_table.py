"""DynamoDB adapter of changes of an address: items of ACCOUNT#<accountId>, beside accounts.py.

| sk | attributes |
|---|---|
| ADDRESS | the last change: id, status, address, keys of the addresses, digests of proofs |
| OUTBOX#NewAddress-<changeId> | the proof for the new address |
| OUTBOX#AddressTaken-<changeId> | the same for an address with an account |
| OUTBOX#OldAddress-<changeId> | the proof for the account's address |
| OUTBOX#AddressChanged-<changeId> | the notification after the change |

| status | meaning |
|---|---|
| `waiting` | for the proofs |
| `changing` | the new address is reserved, and the user is changed next |
| `changed` | the change is complete |
| `refused` | the address has another account, or the account is closed; nothing was changed |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepfunctions import aws, email_proofs
from stepfunctions.account_items import AccountItems
from stepfunctions.accounts import item_key
from stepfunctions.transactions import transact

WAITING: Final = "waiting"
CHANGING: Final = "changing"
CHANGED: Final = "changed"
REFUSED: Final = "refused"
#: The two addresses, each with a proof of its own.
SIDES: Final = ("new", "old")
#: The places of the conditions in the transaction of `ask`.
_COUNTERS: Final = 2

type Actions = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class AddressChange:
    """A change of an account's address. `proofs`: side → digest. `proved`: sides with a proof.

    `student` is the user's `sub`, `email` the normalized new address. `proof_expires_at` is in
    seconds since the epoch.
    """

    change_id: str
    account_id: str
    student: str
    email: str
    new_key: str
    old_key: str
    proofs: Mapping[str, str]
    proof_expires_at: int
    status: str = WAITING
    proved: frozenset[str] = frozenset()

    @property
    def is_proved(self) -> bool:
        """Whether both addresses are proved."""
        return self.proved == frozenset(SIDES)


class AddressTable(AccountItems):
    """The accounts table, for changes of addresses in a Region."""

    def read(self, account_id: str) -> AddressChange | None:
        """Return the last change of an account's address, or None.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        item = self._item(item_key(f"ACCOUNT#{account_id}", "ADDRESS"))
        return None if item is None else _change(account_id, item)

    def ask(
        self,
        change: AddressChange,
        links: Mapping[str, str],
        *,
        taken: bool,
        now: int,
        day: str,
        correlation_id: str,
    ) -> str:
        """Store a change and its emails; return "asked", "withheld", "changing" or "closed".

        "withheld": an address has got its emails of the `day`, a date. "changing": an earlier
        change is being made. "closed": the account isn't active. Nothing is stored then. `links`:
        side → the proof in the link. `now` is in seconds since the epoch.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        kinds = {"new": "AddressTaken" if taken else "NewAddress", "old": "OldAddress"}
        item = {
            **item_key(f"ACCOUNT#{change.account_id}", "ADDRESS"),
            "change_id": {"S": change.change_id},
            "student": {"S": change.student},
            "email": {"S": change.email},
            "new_key": {"S": change.new_key},
            "old_key": {"S": change.old_key},
            "status": {"S": WAITING},
            "proof_expires_at": {"N": str(change.proof_expires_at)},
            "origin_region": {"S": self._region},
            "expires_at": {"N": str(now + email_proofs.KEEP_S)},
            **{f"{side}_proof": {"S": digest} for side, digest in change.proofs.items()},
        }
        actions = [
            *(self._count(key, day, now) for key in (change.new_key, change.old_key)),
            self._put(
                item,
                "attribute_not_exists(pk) OR #status <> :changing",
                {":changing": {"S": CHANGING}},
            ),
            self._is_active(change.account_id),
            *(
                self._message(change, kinds[side], now, correlation_id, proof=links[side])
                for side in SIDES
            ),
        ]
        failed = self._transact(actions)
        if not failed:
            return "asked"
        if _COUNTERS in failed:
            return "changing"
        return "closed" if _COUNTERS + 1 in failed else "withheld"

    def prove(self, change: AddressChange, side: str) -> AddressChange | None:
        """Record the proof of one side; return the change then, None if it's another one now.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        answer = aws.ignore_error(
            "ConditionalCheckFailedException",
            "DynamoDB",
            lambda: self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(f"ACCOUNT#{change.account_id}", "ADDRESS"),
                ConditionExpression="change_id = :change AND #status = :waiting",
                UpdateExpression=f"SET {side}_proved = :yes",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={
                    ":change": {"S": change.change_id},
                    ":waiting": {"S": WAITING},
                    ":yes": {"BOOL": True},
                },
                # Of two proofs at the same time, the second one sees both.
                ReturnValues="ALL_NEW",
            ),
        )
        return None if answer is None else _change(change.account_id, answer["Attributes"])

    def reserve(self, change: AddressChange) -> bool:
        """Reserve the new address for the account; False if the change isn't possible any more.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        return not self._transact(
            [
                self._put(
                    {
                        **item_key(f"EMAIL#{change.new_key}", "EMAIL"),
                        "account_id": {"S": change.account_id},
                        "origin_region": {"S": self._region},
                    },
                    "attribute_not_exists(pk) OR account_id = :account",
                    {":account": {"S": change.account_id}},
                ),
                self._decide(
                    change,
                    (WAITING, CHANGING),
                    # Both proofs, and no expiry while an execution waits for capacity.
                    " AND new_proved = :yes AND old_proved = :yes",
                    "SET #status = :status REMOVE expires_at",
                    {":status": {"S": CHANGING}, ":yes": {"BOOL": True}},
                ),
                self._is_active(change.account_id),
            ]
        )

    def finish(self, change: AddressChange, now: int, correlation_id: str) -> bool:
        """Write the new address to the account; False if the change isn't being made any more.

        `now` is in seconds since the epoch.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        account = f"ACCOUNT#{change.account_id}"
        return not self._transact(
            [
                self._update(
                    item_key(account, "ACCOUNT"),
                    "#status = :active",
                    "SET email_key = :new",
                    {":active": {"S": "active"}, ":new": {"S": change.new_key}},
                ),
                self._update(
                    item_key(account, "PERSON"),
                    "attribute_exists(pk)",
                    "SET email = :email",
                    {":email": {"S": change.email}},
                ),
                self._release(change, change.old_key),
                self._decide(
                    change,
                    (CHANGING,),
                    "",
                    "SET #status = :status, expires_at = :expires",
                    {":status": {"S": CHANGED}, ":expires": {"N": str(now + email_proofs.KEEP_S)}},
                ),
                self._message(change, "AddressChanged", now, correlation_id),
            ]
        )

    def refuse(self, change: AddressChange, now: int) -> None:
        """End a change without an effect, and release the new address; can be repeated.

        `now` is in seconds since the epoch.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        ended = self._decide(
            change,
            (WAITING, CHANGING),
            "",
            "SET #status = :status, expires_at = :expires",
            {":status": {"S": REFUSED}, ":expires": {"N": str(now + email_proofs.KEEP_S)}},
        )
        # An erasure deletes the item of the change. Never release what is the account's address.
        for actions in ([ended], [self._is_other(change), self._release(change)]):
            self._transact(actions)

    def _transact(self, actions: Actions) -> set[int]:
        """Write all actions or none; return the places of those whose condition failed."""
        return transact(self._dynamodb, actions)

    def _count(self, email_key: str, day: str, now: int) -> dict[str, Any]:
        return email_proofs.count_email(self._table, self._region, email_key, day, now)

    def _message(
        self, change: AddressChange, kind: str, now: int, correlation_id: str, proof: str = ""
    ) -> dict[str, Any]:
        name = f"{kind}-{change.change_id}"
        return email_proofs.put_message(
            self._table, self._region, change.account_id, name, now, correlation_id, proof
        )

    def _decide(
        self,
        change: AddressChange,
        statuses: tuple[str, ...],
        condition: str,
        update: str,
        values: dict[str, Any],
    ) -> dict[str, Any]:
        """Return the update of the change's item, if it is this change and has a status."""
        names = [f":from{index}" for index in range(len(statuses))]
        return self._update(
            item_key(f"ACCOUNT#{change.account_id}", "ADDRESS"),
            f"change_id = :change AND #status IN ({', '.join(names)}){condition}",
            update,
            {
                ":change": {"S": change.change_id},
                **{name: {"S": it} for name, it in zip(names, statuses, strict=True)},
                **values,
            },
        )

    def _put(self, item: Any, condition: str, values: Any) -> dict[str, Any]:
        entry = {"TableName": self._table, "Item": item, "ConditionExpression": condition}
        return {"Put": entry | _expression(condition, values)}

    def _update(self, key: Any, condition: str, update: str, values: Any) -> dict[str, Any]:
        entry = {
            "TableName": self._table,
            "Key": key,
            "ConditionExpression": condition,
            "UpdateExpression": update,
        }
        return {"Update": entry | _expression(condition + update, values)}

    def _is_active(self, account_id: str) -> dict[str, Any]:
        return self._check(account_id, "#status = :active", {":active": {"S": "active"}})

    def _check(self, account_id: str, condition: str, values: Any) -> dict[str, Any]:
        key = item_key(f"ACCOUNT#{account_id}", "ACCOUNT")
        entry = {"TableName": self._table, "Key": key, "ConditionExpression": condition}
        return {"ConditionCheck": entry | _expression(condition, values)}

    def _is_other(self, change: AddressChange) -> dict[str, Any]:
        condition = "attribute_not_exists(pk) OR email_key <> :new"
        return self._check(change.account_id, condition, {":new": {"S": change.new_key}})

    def _release(self, change: AddressChange, email_key: str = "") -> dict[str, Any]:
        """Delete the key of an address, by default the new one, unless another account owns it."""
        return {
            "Delete": {
                "TableName": self._table,
                "Key": item_key(f"EMAIL#{email_key or change.new_key}", "EMAIL"),
                "ConditionExpression": "attribute_not_exists(pk) OR account_id = :account",
                "ExpressionAttributeValues": {":account": {"S": change.account_id}},
            }
        }


def _change(account_id: str, item: Mapping[str, Any]) -> AddressChange:
    return AddressChange(
        change_id=item["change_id"]["S"],
        account_id=account_id,
        student=item["student"]["S"],
        email=item["email"]["S"],
        new_key=item["new_key"]["S"],
        old_key=item["old_key"]["S"],
        proofs={side: item[f"{side}_proof"]["S"] for side in SIDES},
        proof_expires_at=int(item["proof_expires_at"]["N"]),
        status=item["status"]["S"],
        proved=frozenset(side for side in SIDES if f"{side}_proved" in item),
    )


def _expression(text: str, values: dict[str, Any]) -> dict[str, Any]:
    # DynamoDB refuses names that an expression doesn't use; "status" is a reserved word.
    names = {"ExpressionAttributeNames": {"#status": "status"}} if "#status" in text else {}
    return {**names, "ExpressionAttributeValues": values}
