"""Losses as PyTorch has them, or in a few lines of autograd in their usual textbook form, one module a family.

Each module lists LOSSES, functions named like the loss that take parameters and tensors by name and return the value, and
DEVIATIONS: (loss, what deviates, what PyTorch does, which rows may show it, given the row and its parameters).
"""
import importlib
import pathlib
import pkgutil

modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules([str(pathlib.Path(__file__).parent)])
           if m.name != "common"]
LOSSES = {f.__name__: f for m in modules for f in m.LOSSES}
DEVIATIONS = [d for m in modules for d in m.DEVIATIONS]
