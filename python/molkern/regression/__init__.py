"""Kernel ridge regression: baselines, choice of parameters, fit and prediction."""

from molkern._features import Features
from molkern.regression.baseline import BASELINES, Baseline, fit_baseline
from molkern.regression.device import DeviceKernelRidge
from molkern.regression.kernel_ridge import KernelRidge
from molkern.regression.linear import predict_in_blocks, solve
from molkern.regression.similarity import KERNELS, Similarity
from molkern.regression.validation import DEFAULT_ALPHAS, Tuned, default_sigmas, tune

__all__ = [
    "BASELINES",
    "DEFAULT_ALPHAS",
    "KERNELS",
    "Baseline",
    "DeviceKernelRidge",
    "Features",
    "KernelRidge",
    "Similarity",
    "Tuned",
    "default_sigmas",
    "fit_baseline",
    "predict_in_blocks",
    "solve",
    "tune",
]
