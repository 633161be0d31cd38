"""AWS cost of one account: list prices, and the calls that each side makes."""

from collections.abc import Mapping
from typing import Final

MILLION: Final = 1_000_000
#: List prices of us-east-1 without a free tier, November 2026; units as on the pricing pages.
PRICES: Final = {
    "api_request": 3.50 / MILLION,  # aws.amazon.com/api-gateway/pricing, REST
    "transition": 25.00 / MILLION,  # aws.amazon.com/step-functions/pricing, Standard
    "express_request": 1.00 / MILLION,  # the same page, Express
    "express_gb_second": 0.00001667,  # 64 MB and 100 ms at least
    "lambda_request": 0.20 / MILLION,  # aws.amazon.com/lambda/pricing
    "lambda_gb_second": 0.0000166667,
    "write_unit": 0.625 / MILLION,  # dynamodb/pricing/on-demand; transactional writes count twice
    "read_unit": 0.125 / MILLION,
    "event": 1.00 / MILLION,  # aws.amazon.com/eventbridge/pricing
    "fifo_request": 0.50 / MILLION,  # aws.amazon.com/sqs/pricing
    "email": 0.10 / 1000,  # aws.amazon.com/ses/pricing
}
#: aws.amazon.com/cognito/pricing: a monthly active user of the Essentials tier.
MONTHLY_USER: Final = 0.015
#: Assumptions: duration and memory of a warm function that makes one AWS call.
LAMBDA_S: Final = 0.03
LAMBDA_GB: Final = 0.5
#: Calls of our workflow from the proof to the welcome email, counted in definitions and functions.
#: The peer does the same work, from its request to its email.
OUR_CALLS: Final = {
    "api_request": 1,
    # Prove. The sweep's 8,640 runs a month cost a cent.
    "express_request": 1,
    "express_gb_second": 0.4 * 64 / 1024,
    # Transactional writes: Create 6, Activate 4. Idempotency: 2. The table has no replicas.
    "write_unit": 2 * (6 + 4) + 2,
    # Identity 1, notify 1.
    "read_unit": 2,
    "event": 1,
    "fifo_request": 3,
    "email": 1,
}
OUR_FUNCTIONS: Final = ("identity", "relay", "notify")
#: Calls from the form to the email that asks for the proof, which the peer doesn't have.
PROOF_CALLS: Final = {
    "api_request": 1,
    "express_request": 1,
    # It waits for Validate.
    "express_gb_second": 0.2 * 64 / 1024,
    # CountEmail: 1. Transactional writes: Store 2, SendProof 2. Idempotency records: 2.
    "write_unit": 1 + 2 * (2 + 2) + 2,
    # Validate 2, notify 1.
    "read_unit": 3,
    "event": 1,
    "fifo_request": 3,
    "email": 1,
}
PROOF_FUNCTIONS: Final = ("validate", "relay", "notify")
PEER_CALLS: Final = {"api_request": 1, "write_unit": 1, "read_unit": 1, "email": 1}


def dollars(calls: Mapping[str, float], transitions: float, invocations: int) -> float:
    """Return the dollars for a million accounts."""
    of_functions = invocations * (
        PRICES["lambda_request"] + LAMBDA_S * LAMBDA_GB * PRICES["lambda_gb_second"]
    )
    of_calls = sum(number * PRICES[name] for name, number in calls.items())
    return MILLION * (of_functions + of_calls + transitions * PRICES["transition"])
