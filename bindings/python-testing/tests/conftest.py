"""What the tests of the harness share: pytest inside pytest, and the simulated hospital."""

from pathlib import Path

pytest_plugins = ["pytester"]

HOSPITAL = Path(__file__).parents[3] / "examples/data/hospital"
