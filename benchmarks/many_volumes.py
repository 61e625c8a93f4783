"""How the time of attach grows with the number of volumes attached on the node."""

from __future__ import annotations

import statistics

from benchmarks.common import LoopbackPool, median_ms, report

MANY = 500
ROUNDS = 60


def main() -> None:
    """Print the times of a first and of a repeated attach, with one and with 500 volumes."""
    with LoopbackPool() as pool:
        few = _measure(pool)
        for number in range(MANY - 1):
            pool.create_attached(f"filler{number}")
        many = _measure(pool)
    for kind in few:
        report(
            f"{kind}, {MANY} volumes attached / one",
            many[kind] / few[kind],
            limit=1.3,
            detail=f"{many[kind]:.1f} ms / {few[kind]:.1f} ms, median of {ROUNDS}",
        )


def _measure(pool: LoopbackPool) -> dict[str, float]:
    volume = pool.create("measured")
    first = []
    for _ in range(ROUNDS):
        first.append(median_ms(lambda: pool.call("attach", volume), 1))
        pool.call("detach", volume)
    pool.call("attach", volume)
    again = median_ms(lambda: pool.call("attach", volume), ROUNDS)
    pool.remove(volume)
    return {
        "attach of a detached volume": statistics.median(first),
        "attach of an attached volume": again,
    }


if __name__ == "__main__":
    main()
