"""Project rules for state machine definitions, which no public linter checks."""

import re
from typing import Any, Final

import pytest

from aws_emulator.ministack import state_machine_rules
from tests.support.paths import ROOT
from tests.support.state_machines import (
    MACHINES,
    SUBSTITUTION,
    definition,
    levels,
    machine_resources,
    next_states,
    properties,
    reachable,
    states,
    tasks,
    text,
)
from tests.unit.stacks.test_templates import statements

every_machine = pytest.mark.parametrize("name", MACHINES)
#: Permanent errors: a retry would fail in the same way.
PERMANENT: Final = re.compile(
    r"ConditionalCheckFailed|TransactionCanceled|AlreadyExists|Permanent|NotFound"
)
#: Attempts of the account workflow while a service has no capacity.
MAX_WAITS: Final = 1_000
#: Errors of a function that fails whenever it runs.
CRASHES: Final = frozenset({"Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"})
#: Step Functions, "Service quotas": events in the history of a Standard execution.
MAX_HISTORY_EVENTS: Final = 25_000
#: Integration of a task → permissions that its role needs.
ACTIONS: Final = {
    "aws-sdk:dynamodb:query": {"dynamodb:Query"},
    "dynamodb:deleteItem": {"dynamodb:DeleteItem"},
    "dynamodb:getItem": {"dynamodb:GetItem"},
    "dynamodb:putItem": {"dynamodb:PutItem"},
    "dynamodb:updateItem": {"dynamodb:UpdateItem"},
    "lambda:invoke": {"lambda:InvokeFunction"},
    "sqs:sendMessage": {"sqs:SendMessage"},
    "states:startExecution": {"states:StartExecution"},
    "aws-sdk:sfn:startSyncExecution": {"states:StartSyncExecution"},
    "s3:getObject": {"s3:GetObject"},
}
TRANSACTION: Final = "aws-sdk:dynamodb:transactWriteItems"
#: TransactWriteItems needs the permissions of its parts.
TRANSACTION_ACTIONS: Final = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
#: A Map Run starts, describes, redrives and stops its child executions.
MAP_RUN_ACTIONS: Final = {
    "states:StartExecution",
    "states:DescribeExecution",
    "states:RedriveExecution",
    "states:StopExecution",
}
#: Their tasks wait for a slice of a data lake.
LAKE: Final = frozenset({"erase", "export", "reprocess"})
#: Permissions of every machine's role for logs and traces.
COMMON_ACTIONS: Final = ("logs:", "xray:")


@every_machine
def test_machine_uses_jsonata_and_has_timeout(name: str) -> None:
    machine = definition(name)
    assert machine["QueryLanguage"] == "JSONata"
    # A day of a data lake can have any number of objects.
    days = 14 if name == "reprocess" else 1
    assert 0 < machine["TimeoutSeconds"] <= days * 86_400
    # JSONata states silently ignore the fields of JSONPath.
    for key, state in states(name):
        assert not {"Parameters", "ResultPath", "ResultSelector", "InputPath"} & state.keys(), key


@every_machine
def test_step_functions_accepts_the_definition(name: str) -> None:
    """With half of the size for the values of substitutions."""
    problems = state_machine_rules.problems(definition(name), properties(name)["Type"])
    assert list(problems) == []
    assert len(text(name).encode()) < state_machine_rules.MAX_DEFINITION_BYTES / 2


@every_machine
def test_every_task_has_timeout(name: str) -> None:
    for key, state in tasks(name):
        if state["Type"] == "Task":
            # A slice of a data lake makes the files of its hours again.
            assert 0 < state["TimeoutSeconds"] <= (905 if name in LAKE else 120), key


@every_machine
def test_every_task_catches_all_errors_last(name: str) -> None:
    for key, state in tasks(name):
        *specific, last = state["Catch"]
        assert last["ErrorEquals"] == ["States.ALL"], key
        for catcher in specific:
            assert not {"States.ALL", "States.TaskFailed"} & set(catcher["ErrorEquals"]), key


@every_machine
def test_every_catcher_replaces_error_output(name: str) -> None:
    """Without an Output, the error's cause would reach the next state; it can quote anything."""
    for key, state in tasks(name):
        for catcher in state["Catch"]:
            assert "Output" in catcher, key
            assert "Cause" not in str(catcher["Output"]), key


@every_machine
def test_retries_are_bounded_and_jittered(name: str) -> None:
    for key, state in tasks(name):
        # The tasks in an Inline Map are retried, not the Map.
        inline = state.get("ItemProcessor", {}).get("ProcessorConfig") == {"Mode": "INLINE"}
        for retrier in state.get("Retry", []) if inline else state["Retry"]:
            assert retrier["JitterStrategy"] == "FULL", key
            errors = retrier["ErrorEquals"]
            waits = name == "account" and not CRASHES & set(errors)
            assert 1 <= retrier["MaxAttempts"] <= (MAX_WAITS if waits else 5), key
            assert retrier["MaxDelaySeconds"] <= 60, key
            assert not {"States.ALL", "States.TaskFailed"} & set(errors), key
            assert not [error for error in errors if PERMANENT.search(error)], key


@every_machine
def test_definition_contains_each_retry_policy_once(name: str) -> None:
    """Shared policies are substitutions; YAML anchors don't survive CloudFormation's parser."""
    written = re.findall(
        r"^ +- ErrorEquals: *((?:\[.*\])|(?:\n +- .*)+)\n +Interval", text(name), re.MULTILINE
    )
    assert len(written) == len({"".join(it.split()) for it in written})
    assert not re.search(r"(^|\s)[&*][A-Za-z]\w*(\s|$)", text(name))


@every_machine
def test_every_choice_has_default(name: str) -> None:
    for key, state in states(name):
        if state["Type"] == "Choice":
            assert state["Default"], key


@every_machine
def test_every_state_exists_and_is_reachable(name: str) -> None:
    for level in levels(definition(name)):
        assert reachable(level) == level["States"].keys()


@every_machine
def test_every_state_has_next_or_end(name: str) -> None:
    for key, state in states(name):
        ends = state.get("End") is True or state["Type"] in {"Succeed", "Fail"}
        assert ends != bool(next_states(state, caught=False)), key


@every_machine
def test_template_defines_exactly_the_used_substitutions(name: str) -> None:
    substitutions = properties(name)["DefinitionSubstitutions"]
    assert set(SUBSTITUTION.findall(text(name))) == substitutions.keys()


@every_machine
def test_definition_contains_no_partition_region_or_account(name: str) -> None:
    assert not re.search(r"arn:aws|[0-9]{12}|(us|eu|ap)-[a-z]+-[0-9]", text(name))


@every_machine
def test_log_excludes_execution_data(name: str) -> None:
    logging = properties(name)["Logging"]
    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", False)
    assert properties(name)["Tracing"] == {"Enabled": True}


def required_actions(name: str) -> set[str]:
    """Return the IAM actions that a definition needs."""
    actions: set[str] = set()
    for _, state in states(name):
        if "ItemReader" in state:
            reader = state["ItemReader"]["Resource"].split(":::")[1]
            actions |= MAP_RUN_ACTIONS | ACTIONS[reader]
        if state["Type"] != "Task":
            continue
        kind = state["Resource"].split(":::")[1]
        if kind == TRANSACTION:
            items = state["Arguments"]["TransactItems"]
            actions |= {TRANSACTION_ACTIONS[part] for item in items for part in item}
        else:
            actions |= ACTIONS[kind]
    return actions


@every_machine
def test_role_grants_exactly_the_required_actions(name: str) -> None:
    role = machine_resources(name)[properties(name)["Role"]["Fn::GetAtt"].partition(".")[0]]
    granted: set[str] = set()
    for statement in statements(role):
        actions = statement["Action"]
        granted |= {actions} if isinstance(actions, str) else set(actions)
    assert {it for it in granted if not it.startswith(COMMON_ACTIONS)} == required_actions(name)


# --- the account workflow -------------------------------------------------------------------------
#: The states that write the outcome to the request's item.
OUTCOME_WRITERS: Final = frozenset({"Activate", "DeleteAccount", "CloseRequest", "MarkParked"})


def test_every_end_writes_outcome_to_request() -> None:
    machine = definition("account")
    ends = {key for key, it in machine["States"].items() if not next_states(it, caught=False)}
    silent = reachable(machine, without=OUTCOME_WRITERS) & ends - OUTCOME_WRITERS
    # AlreadyActive: Activate wrote the outcome in an earlier execution.
    # AlreadyCompensated: DeleteAccount did.
    # Failed: SQS did not accept the parked account; the alarm on failed executions remains.
    assert silent == {"AlreadyActive", "Failed", "AlreadyCompensated"}
    direct = {
        key
        for key, it in machine["States"].items()
        if silent & set(next_states(it)) and key not in OUTCOME_WRITERS
    }
    assert direct == {"CheckExisting", "Withdraw", "Park", "Outcome"}


def test_compensation_runs_in_reverse_order() -> None:
    machine = definition("account")["States"]
    for key in ("Create", "CreateIdentity", "Activate"):
        assert machine[key]["Catch"][-1]["Next"] == "Withdraw", key
    order = ["Withdraw"]
    while machine[order[-1]]["Type"] == "Task":
        order.append(machine[order[-1]]["Next"])
    assert order == ["Withdraw", "DeleteIdentity", "DeleteAccount", "Outcome"]
    for key in order[:-1]:
        assert machine[key]["Catch"][-1]["Next"] == "Park", key


def keys(item: dict[str, Any]) -> tuple[str, str]:
    (part,) = item.values()
    row = part.get("Key") or part["Item"]
    return row["pk"]["S"], row["sk"]["S"]


def test_waiting_for_capacity_fits_into_execution() -> None:
    """An attempt has three events, and waits half of its limit on average with full jitter."""
    machine = definition("account")
    wait = machine["States"]["CreateIdentity"]["Retry"][0]
    mean_s = wait["MaxDelaySeconds"] / 2
    assert wait["MaxAttempts"] * mean_s < machine["TimeoutSeconds"]
    assert machine["TimeoutSeconds"] / mean_s * 3 < MAX_HISTORY_EVENTS


def test_missing_capacity_is_never_compensated_by_the_same_function() -> None:
    state = definition("account")["States"]["CreateIdentity"]
    waited = set(state["Retry"][0]["ErrorEquals"])
    (catcher,) = [it for it in state["Catch"] if waited & set(it["ErrorEquals"])]
    assert set(catcher["ErrorEquals"]) == waited
    assert (catcher["Next"], state["Catch"][-1]["Next"]) == ("Park", "Withdraw")


def test_roster_starts_fewer_accounts_a_second_than_cognito_creates() -> None:
    """Cognito, "Quotas": UserCreation, 50 a second; students sign up meanwhile."""
    rows = definition("import")["States"]["Rows"]
    first = rows["ItemProcessor"]["States"][rows["ItemProcessor"]["StartAt"]]
    assert (first["Type"], first["Seconds"]) == ("Wait", 1)
    assert 1 <= rows["MaxConcurrency"] <= 25


def test_compensation_covers_every_created_item() -> None:
    machine = definition("account")["States"]
    created = {keys(item) for item in machine["Create"]["Arguments"]["TransactItems"]}
    deleted = {keys(item) for item in machine["DeleteAccount"]["Arguments"]["TransactItems"]}
    fence = machine["Withdraw"]["Arguments"]["Key"]
    assert created <= deleted | {(fence["pk"]["S"], fence["sk"]["S"])}


def test_states_carry_no_form_field() -> None:
    """Only the table holds the submitted form; the states carry ids."""
    for field in ("email", "name", "dateOfBirth", "programme", "locale", "guardianEmail"):
        assert not re.search(rf"\.{field}\b|\b{field}'\s*:", text("account"))


def test_taken_message_matches_validation_rules() -> None:
    from stepfunctions.validation_rules import TAKEN

    assert f"'message': '{TAKEN.message}'" in text("account")


def test_only_trusted_or_proved_request_starts_the_creation() -> None:
    """The states before Start and Mend in the admit workflow, and what decides about the way."""
    machine = definition("admit")["States"]
    before = {key for key, it in machine.items() if "Start" in next_states(it)}
    assert before == {"StoreRow", "IsTrusted", "CompareDigest"}
    assert {key for key, it in machine.items() if "StoreRow" in next_states(it)} == {"IsRow"}
    for key in ("IsRow", "IsTrusted"):
        conditions = [it["Condition"] for it in machine[key]["Choices"]]
        assert conditions == ["{% $states.input.trusted %}"], key
    # An account that exists was proved or trusted before.
    assert {key for key, it in machine.items() if "Mend" in next_states(it)} == {
        "IsRestoredPending"
    }
    compared = machine["CompareDigest"]
    (choice,) = [it for it in compared["Choices"] if it["Next"] == "Start"]
    assert "$states.input.proved" in choice["Condition"]


def condition(name: str, key: str) -> str:
    """Return the condition under which a state changes the item of the request."""
    items = definition(name)["States"][key]["Arguments"]["TransactItems"]
    (request,) = [it["Update"] for it in items if "REQUEST#" in str(it.get("Update"))]
    return str(request["ConditionExpression"])


def test_minor_is_not_created_without_the_consent() -> None:
    """A request with a guardian's proof becomes pending only by that proof, which is sent after the
    student's one.
    """
    machine = definition("prove")["States"]
    before = {key for key, it in machine.items() if "Start" in next_states(it)}
    # CompareProof starts a request again that is pending.
    assert before == {"Prove", "Consent", "CompareProof"}
    for key in ("Create", "Prove"):
        assert "attribute_not_exists(guardian_proof)" in condition("prove", key)
    for key in ("Consent", "Refuse"):
        assert "#status = :consent AND guardian_proof = :proof" in condition("prove", key)
    assert "#status = :unproved AND proof = :proof" in condition("prove", "AskGuardian")
    # The guardian's digest is there before the student has a proof, also if the next states fail.
    admit = definition("admit")["States"]
    assert admit["IsMinor"]["Choices"][0]["Next"] == "CountGuardianEmail"
    assert "HoldConsent" in next_states(admit["CountGuardianEmail"])
    assert admit["HoldConsent"]["Next"] == "SendProof"
    assert {key for key, it in admit.items() if "SendProof" in next_states(it)} == {
        "IsMinor",
        "HoldConsent",
    }


def test_roster_is_the_only_source_of_trusted_requests() -> None:
    assert "'trusted': true" in str(definition("import"))
    api = (ROOT / "src/stepfunctions/api/accounts.yaml").read_text()
    assert "trusted" not in api
    assert '"input": "{\\"form\\": $input_text}"' in api


def test_workflow_input_excludes_digest() -> None:
    assert "digest" not in str(definition("admit")["States"]["Start"]["Arguments"])


# --- the creation by one Express execution, and the sweep -----------------------------------------
#: Step Functions, "Choosing workflow type": seconds of an Express execution.
MAX_EXPRESS_S: Final = 300


def own_items(machine: str, key: str) -> list[dict[str, Any]]:
    """Return what a state's transaction has beside the items of the account workflow's state."""
    items, whole = (
        definition(it)["States"][key]["Arguments"]["TransactItems"] for it in (machine, "account")
    )
    assert items[: len(whole)] == whole
    return list(items[len(whole) :])


def test_proof_creates_the_account_as_the_account_workflow_does() -> None:
    """With the proof, the mark and its claim in one transaction, and its end in the other one."""
    machine, whole = definition("prove")["States"], definition("account")["States"]
    create, identity = machine["Create"], machine["CreateIdentity"]
    for field in ("Type", "Resource", "TimeoutSeconds", "Arguments"):
        assert identity[field] == whole["CreateIdentity"][field], field
    request, mark = own_items("prove", "Create")
    assert keys(request) == keys(machine["Prove"]["Arguments"]["TransactItems"][0])
    assert condition("prove", "Create") == condition("prove", "Prove")
    assert keys(mark)[0] == "OPEN"
    assert "run" in mark["Put"]["Item"]
    (end,) = own_items("prove", "Activate")
    assert keys(end)[0] == "OPEN"
    # A repetition after a lost response is the same request: no argument is computed again.
    assert create["Arguments"]["ClientRequestToken"] == mark["Put"]["Item"]["run"]["S"]
    assert not re.search(r"millis|uuid|random|now\(", str(create["Arguments"]))


def test_proof_that_fails_after_the_claim_reaches_the_account_workflow() -> None:
    machine = definition("prove")["States"]
    for key in ("CreateIdentity", "Activate"):
        assert [it["Next"] for it in machine[key]["Catch"]] == ["PassOn"], key
    assert [it["Next"] for it in machine["Create"]["Catch"]] == ["Prove"]
    before = {
        following: {key for key, it in machine.items() if following in next_states(it)}
        for following in ("CreateIdentity", "PassOn", "Unmark")
    }
    assert before == {
        "CreateIdentity": {"Create"},
        "PassOn": {"CreateIdentity", "Activate"},
        "Unmark": {"PassOn"},
    }
    # The mark stays when the account workflow didn't start: the sweep starts it.
    assert machine["PassOn"]["Catch"][-1]["Next"] == "Accepted"
    # Cognito is called by one run at a time: the function has ended when the state ends.
    assert machine["CreateIdentity"]["TimeoutSeconds"] > 15


@pytest.mark.parametrize("key", ["Validate", "Create", "CreateIdentity", "Activate"])
def test_creation_is_the_happy_path_of_the_account_workflow(key: str) -> None:
    """Both can run for one request, one after the other or at the same time."""
    happy, whole = definition("create")["States"][key], definition("account")["States"][key]
    if key == "Create":
        # The claim is that of the Express workflow.
        *items, claim = happy["Arguments"]["TransactItems"]
        assert claim["Update"]["Key"]["pk"] == {"S": "OPEN"}
        happy = {**happy, "Arguments": {"TransactItems": items}}
    for field in ("Type", "Resource", "TimeoutSeconds", "Arguments"):
        assert happy[field] == whole[field], field


def test_failure_of_creation_reaches_the_account_workflow() -> None:
    machine = definition("create")["States"]
    for key, following in (
        ("Validate", "Claim"),
        ("Create", "Claim"),
        ("CreateIdentity", "PassOn"),
        ("Activate", "PassOn"),
    ):
        assert [it["Next"] for it in machine[key]["Catch"]] == [following], key
        assert machine[key]["Catch"][0]["Output"] == "{% $states.input %}", key
    assert [it["Next"] for it in machine["ReadAccount"]["Catch"]] == ["Claim"]
    assert machine["IsOrdinary"]["Default"] == "Claim"
    # The mark is deleted after an end of the request, or after the account workflow has started.
    before = {key for key, it in machine.items() if "Unmark" in next_states(it)}
    assert before == {"IsChecked", "IsOrdinary", "Activate", "PassOn"}
    for key in ("IsChecked", "IsOrdinary"):
        assert machine[key]["Choices"][0]["Condition"] == "{% $states.input.active %}"


def marks(name: str) -> list[dict[str, Any]]:
    """Return the puts and keys of the mark in a definition."""
    transactions = [
        entry
        for _, it in states(name)
        for entry in it.get("Arguments", {}).get("TransactItems", [])
    ]
    entries = [part for entry in transactions for part in entry.values()]
    entries += [it["Arguments"] for _, it in states(name) if "Key" in it.get("Arguments", {})]
    rows = [it.get("Item") or it.get("Key") for it in entries]
    return [it for it in rows if isinstance(it, dict) and it["pk"] == {"S": "OPEN"}]


def test_request_that_becomes_pending_is_marked_in_the_same_transaction() -> None:
    before_start = {
        ("prove", "Create"): "CreateIdentity",
        ("prove", "Prove"): "Start",
        ("prove", "Consent"): "Start",
        ("admit", "StoreRow"): "Start",
    }
    for (name, key), following in before_start.items():
        items = definition(name)["States"][key]["Arguments"]["TransactItems"]
        puts = [it["Put"]["Item"] for it in items if "Put" in it]
        assert [it for it in puts if it in marks(name)] != [], key
        assert definition(name)["States"][key]["Next"] == following
    # `prove` deletes the mark of an account that it created or passed on.
    assert len(marks("prove")) + len(marks("admit")) == len(before_start) + 2
    # Claimed and deleted; `create` claims with the items, or before it passes a request on.
    assert (len(marks("create")), len(marks("sweep"))) == (3, 2)


def test_run_without_the_claim_calls_neither_cognito_nor_the_account_workflow() -> None:
    """Cognito could create two users for one address: no state runs twice at the same time."""
    machine = definition("create")["States"]
    claim = machine["Claim"]["Arguments"]
    with_items = machine["Create"]["Arguments"]["TransactItems"][-1]["Update"]
    assert with_items == claim
    assert [it["Next"] for it in machine["Claim"]["Catch"]] == ["Done", "NotPassedOn"]
    before = {
        following: {key for key, it in machine.items() if following in next_states(it)}
        for following in ("CreateIdentity", "PassOn")
    }
    assert before["CreateIdentity"] == {"Create"}
    assert before["PassOn"] == {"Claim", "CreateIdentity", "Activate"}
    # Before these, other states only read.
    assert reachable(definition("create"), without=frozenset({"Create", "Claim", "Unmark"})) == {
        *("ReadAccount", "IsChecked", "Validate", "IsOrdinary", "Create", "Claim", "Unmark"),
    }
    ((_, swept),) = [it for it in states("sweep") if it[0] == "Claim"]
    assert "run" in swept["Arguments"]["UpdateExpression"]
    assert swept["Arguments"]["ConditionExpression"] == "marked_at = :seen"


def test_sweep_leaves_running_creations_alone() -> None:
    lost_after = int(properties("sweep")["DefinitionSubstitutions"]["LostAfterSeconds"])
    for name in ("create", "prove"):
        assert definition(name)["TimeoutSeconds"] < MAX_EXPRESS_S < lost_after


@every_machine
def test_express_workflow_ends_in_time(name: str) -> None:
    """ "The … workflow can run up to five minutes" (Choosing workflow type in Step Functions)."""
    if properties(name)["Type"] == "EXPRESS":
        assert definition(name)["TimeoutSeconds"] < MAX_EXPRESS_S


def test_passed_on_request_starts_the_account_workflow_once() -> None:
    """Only the name of the execution bounds the number of starts."""
    starts = (("create", "PassOn"), ("prove", "PassOn"), ("sweep", "Start"), ("admit", "Mend"))
    for name, key in starts:
        ((_, state),) = [it for it in states(name) if it[0] == key]
        assert state["Arguments"]["StateMachineArn"] == "${AccountMachine}"
        assert state["Arguments"]["Name"] == "{% $states.input.requestId %}"
        assert state["Catch"][0]["ErrorEquals"] == ["StepFunctions.ExecutionAlreadyExistsException"]


# --- the recovery workflow ------------------------------------------------------------------------


def test_recovery_has_the_failure_reason_of_the_account_workflow() -> None:
    reason = "InternalErrorReason"
    substitutions = [properties(it)["DefinitionSubstitutions"] for it in ("account", "recover")]
    assert substitutions[0][reason].split() == substitutions[1][reason].split()


def test_recovery_starts_a_request_once() -> None:
    """Only the name of the started execution bounds the number of starts."""
    machine = definition("recover")["States"]
    assert "'stopped-' & $states.input.requestId" in machine["Start"]["Arguments"]["Name"]
    assert "$substring($states.input.name, 0, 8) = 'stopped-'" in machine["ReadRequest"]["Output"]
    assert [it["Next"] for it in machine["IsPending"]["Choices"]] == ["Decided", "MarkParked"]


def test_rule_of_recovery_matches_every_end_without_success() -> None:
    pattern = machine_resources("recover")["AccountStoppedRule"]["Properties"]["EventPattern"]
    assert pattern["source"] == ["aws.states"]
    assert set(pattern["detail"]["status"]) == {"ABORTED", "FAILED", "TIMED_OUT"}
    (machine,) = pattern["detail"]["stateMachineArn"]
    name = properties("account")["Name"]["Fn::Sub"]
    assert machine["Fn::Sub"].endswith(f":stateMachine:{name}")
