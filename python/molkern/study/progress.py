"""What a running study tells the program that started it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "ProgressCallback"]


@dataclass(frozen=True)
class Progress:
    """One step of a study.

    Attributes
    ----------
    stage : {"representation", "kernel", "tune", "fit"}, or "cost", "scaling", "features"
        In this order for each model; "kernel" may come again between fits. From other processes
        only "tune" and "fit" are reported, of several models in turn.
    completed, total : int
        Steps of this stage. Reported with ``completed=0`` before the stage begins, and after each
        step. Tasks that the store already holds count as completed.
    label : str
        Representation and kernel.
    model, n_models : int
        Number of this model, from 0, and of all models.
    """

    stage: str
    completed: int
    total: int
    label: str
    model: int = 0
    n_models: int = 1


ProgressCallback = Callable[[Progress], None]
