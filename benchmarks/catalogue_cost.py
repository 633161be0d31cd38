"""What the idle course catalogue costs in a month, by its parameters.

python -m benchmarks.catalogue_cost

The prices are AWS's list prices in us-east-1, each with its page and month. Requests, storage,
access logs and the transfer between Regions are extra. Nothing is measured.
"""

from tools.deployment.catalogue_price import PRICES, region_dollars


def main() -> None:
    """Print the sum and the parts of each layout."""
    layouts = {
        "Readers=0": (1, {"readers": 0, "is_global": False, "has_tasks": False}),
        "Readers=1": (1, {"readers": 1, "is_global": False, "has_tasks": False}),
        "Readers=1 Compute=fargate": (1, {"readers": 1, "is_global": False, "has_tasks": True}),
        "GlobalDatabase=true Readers=0, two Regions": (
            2,
            {"readers": 0, "is_global": True, "has_tasks": False},
        ),
    }
    for name, (regions, values) in layouts.items():
        parts = region_dollars(
            readers=int(values["readers"]),
            is_global=bool(values["is_global"]),
            has_tasks=bool(values["has_tasks"]),
        )
        print(f"{name}: {regions * sum(parts.values()):.2f} USD a month")
        print("  " + ", ".join(f"{part} {dollars:.2f}" for part, dollars in parts.items()))
    for price in PRICES.values():
        print(f"{price.dollars:g} USD per {price.unit} ({price.page}, {price.month})")


if __name__ == "__main__":
    main()
