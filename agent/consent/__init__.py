"""What decides: request checks, states, consents, pairing, button, log."""
