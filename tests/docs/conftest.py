"""The installations of ``tests/system``."""

from tests.system.conftest import install

__all__ = ["install"]
