"""The strategy language: a script can only compute, and only from the past."""

from __future__ import annotations

from lab.script.catalogue import CATALOGUE, catalogue_text
from lab.script.entries import Argument, Category, Function
from lab.script.errors import ScriptError
from lab.script.fields import FIELDS, NAMESPACES, Field
from lab.script.nodes import Kind
from lab.script.parameters import Parameter
from lab.script.strategy import ExecutionPlan, Strategy, check, check_scan, compile_strategy
from lab.script.truncation import Violation, truncation_check

__all__ = [
    "CATALOGUE",
    "FIELDS",
    "NAMESPACES",
    "Argument",
    "Category",
    "ExecutionPlan",
    "Field",
    "Function",
    "Kind",
    "Parameter",
    "ScriptError",
    "Strategy",
    "Violation",
    "catalogue_text",
    "check",
    "check_scan",
    "compile_strategy",
    "truncation_check",
]
