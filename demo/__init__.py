"""A neighbourhood on one machine: broker, platform, agency and a doorbell. Not part of the package."""
