"""Functions whose parameters follow from data: frameworks read them from the signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Any


def with_parameters(function: Callable[..., Any], more: Iterable[Parameter]) -> None:
    """Let a function that takes any keywords say that it takes these, too, behind those that it names."""
    signature = inspect.signature(function, eval_str=True)
    named = [one for one in signature.parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    keywords = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in (*named, *more)]
    function.__signature__ = signature.replace(parameters=keywords)  # type: ignore[attr-defined]
    # Some frameworks read the one, some the other.
    function.__annotations__ = {one.name: one.annotation for one in keywords} | {
        "return": signature.return_annotation
    }
