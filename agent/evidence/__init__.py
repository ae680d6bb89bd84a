"""What an agency and a court use: open and verify a bundle."""
