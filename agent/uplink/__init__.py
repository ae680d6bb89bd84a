"""Uplink: the only room with a way to the internet.

It moves bytes that it can't read: requests from the broker to the vault, directory bytes to the vault, sealed
segments of approved requests to the upload server. It keeps no key and no state, never publishes, follows no
redirect, trusts the configured authority alone and believes no size, name or address that a server tells it.
"""
