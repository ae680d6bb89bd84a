"""A host's name as a certificate holds it: what is asked for and what is signed are made by the same rule."""

import ipaddress

from cryptography import x509


def alternative_name(name: str) -> x509.GeneralName:
    """Return a host name or an IP address as an entry of SubjectAlternativeName (RFC 5280 section 4.2.1.6)."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
