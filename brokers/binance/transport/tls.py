"""Why a connection could not be secured, for whoever has to mend it."""

import ssl
from typing import Final

# OpenSSL's codes (x509_vfy.h) for a chain that ends at nobody who is trusted here: self-signed, a
# root that is unknown, an issuer that is missing, a leaf alone.
_NOBODY_VOUCHES: Final = frozenset({18, 19, 20, 21})
_SPEAKS_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


def insecure(host: str, error: BaseException | None) -> str:
    """Return what is wrong with the connection to `host`, to complete a sentence, with a remedy."""
    if isinstance(error, ssl.SSLCertVerificationError):
        untrusted = f"the certificate of {host} is not trusted: {error.verify_message}"
        if error.verify_code not in _NOBODY_VOUCHES:
            return untrusted
        return f"{untrusted}; name a file with what to trust in SSL_CERT_FILE"
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    if reason in _SPEAKS_NO_TLS:
        return f"what answers at {host} does not speak TLS; check scheme and port"
    return f"the TLS handshake with {host} failed" + (f": {reason}" if reason else "")
