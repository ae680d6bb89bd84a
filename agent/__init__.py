"""The doorbell that asks its owner first."""
