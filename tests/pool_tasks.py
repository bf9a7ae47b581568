"""Tasks for the processes of test_build_journal.py, which import them by this name."""

import os

from molkern.datasets.build import pool


def square(value):
    if value == 3:
        raise pool.Failure("three is not squared")
    if value == 4:
        raise KeyError("four")
    if value == 5:
        os._exit(1)
    return {"square": value * value}


def follow(key, record):
    value = int(key) + 10
    return (str(value), value) if value < 30 and pool.FAILED not in record else None
