"""The one TLS context of uplink: TLS 1.3 or 1.2, the configured authority only, host names checked."""

import ssl
from pathlib import Path

from agent.core.errors import TroubleError


def client_context(
    ca: Path, client_certificate: Path | None = None, client_key: Path | None = None
) -> ssl.SSLContext:
    """Return a context that trusts `ca` and nothing that the system trusts (protocol sections 4, 5, 13).

    Raises:
        TroubleError: certificate, when a file is missing or is no PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # this protocol checks certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=str(ca))
    except (OSError, ssl.SSLError) as exc:
        raise TroubleError("certificate", f"[platform] ca = {ca}: no readable PEM certificate there") from exc
    if client_certificate is not None:
        try:
            context.load_cert_chain(str(client_certificate), None if client_key is None else str(client_key))
        except (OSError, ssl.SSLError) as exc:
            raise TroubleError(
                "certificate",
                f"[platform] client_certificate = {client_certificate}: certificate or key can't be read",
            ) from exc
    return context
