"""Generates the modules of the schemas, for whatever is built; everything else is in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).parent))
from generate import generate

generate()
setup()
