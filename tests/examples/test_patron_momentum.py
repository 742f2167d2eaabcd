"""The example decision-maker: its rule, and the program in its surroundings."""

import signal
import socket
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
from conftest_of_examples import run, start
