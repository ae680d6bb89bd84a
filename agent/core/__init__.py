"""Pure words and rules that every room shares: no I/O, no clock, no log."""
