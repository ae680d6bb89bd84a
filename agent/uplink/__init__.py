"""What speaks to the outside: broker, directory bytes, uploads."""
