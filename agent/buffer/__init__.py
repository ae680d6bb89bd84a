"""The packet ring, sealed segments, their store and their retention."""
