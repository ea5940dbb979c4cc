"""numba's compiler with the types of the functions that it compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def njit(function: FunctionT) -> FunctionT:
    """Compile a function with ``numba.njit`` on its first call; its type stays what it was.

    Args:
        function: uses only what numba supports.
    """
    compiled: FunctionT = numba.njit(function)
    return compiled
