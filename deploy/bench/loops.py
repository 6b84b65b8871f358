"""Fixed work in Python and in C: its CPU time is the measure of this machine.

The program prints one line of JSON. It imports only the standard library, so that it starts fast.
"""

import gc
import hashlib
import json
import statistics
import time
from collections.abc import Callable

TURNS = 40
KEYS, MULTIPLIER, MODULUS = 1_500, 7_919, 10_007
HASHED = b"x" * 256 * 1024


def run_python_loop() -> int:
    """Make, look up and sort small objects, as services do; they outgrow a first-level cache."""
    table: dict[str, tuple[int, str, list[object]]] = {}
    for number in range(KEYS):
        key = f"{number * MULTIPLIER % MODULUS:05d}"
        table[key] = number, key[::-1], [number, key]
    total = 0
    for key in sorted(table):
        number, name, _ = table[key]
        total += number ^ int(name)
    return total


def run_hash_loop() -> bytes:
    """Hash by BLAKE2b, which no processor has an instruction for."""
    return hashlib.blake2b(HASHED).digest()


def measure_loop(run: Callable[[], object]) -> float:
    """Return the CPU time of one turn in microseconds, the median of all turns."""
    turns = []
    for _ in range(TURNS):
        started = time.thread_time_ns()
        run()
        turns.append((time.thread_time_ns() - started) / 1000)
    return statistics.median(turns)


if __name__ == "__main__":
    gc.disable()
    print(json.dumps([measure_loop(run_python_loop), measure_loop(run_hash_loop)]))
