"""Attacks of docs/design/threat-model.md that no room stages by itself."""
