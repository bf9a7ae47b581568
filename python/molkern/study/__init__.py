"""Studies: accuracy, cost and scaling by one protocol, and a store of their results."""

from molkern.study.config import read_study, run
from molkern.study.cost import cost
from molkern.study.dask_executor import Dask
from molkern.study.executor import Executor, InProcess, Processes
from molkern.study.featurize import featurize, plan_features
from molkern.study.measurements import Measurements
from molkern.study.models import DEFAULT_REPRESENTATIONS, REPRESENTATIONS
from molkern.study.progress import Progress
from molkern.study.protocol import accuracy, compare
from molkern.study.result import Result
from molkern.study.scaling import REPRESENTATIONS_BY_SIZE, scaling
from molkern.study.splits import Split, default_sizes, make_splits
from molkern.study.store import VALUES_VERSION, Store

__all__ = [
    "DEFAULT_REPRESENTATIONS",
    "REPRESENTATIONS",
    "REPRESENTATIONS_BY_SIZE",
    "VALUES_VERSION",
    "Dask",
    "Executor",
    "InProcess",
    "Measurements",
    "Processes",
    "Progress",
    "Result",
    "Split",
    "Store",
    "accuracy",
    "compare",
    "cost",
    "default_sizes",
    "featurize",
    "make_splits",
    "plan_features",
    "read_study",
    "run",
    "scaling",
]
