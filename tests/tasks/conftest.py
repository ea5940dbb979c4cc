"""Fixtures that the tests of tasks share with others."""

from __future__ import annotations

from tests.arc.conftest import golden as golden
