"""The doorbell that asks its owner first."""

__version__ = "0.1.0"
