"""A TLS certificate for one run, by an authority that exists only for it."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pulsoid_rec.recorder.contract.errors import UsageError


@contextmanager
def make_certificate() -> Iterator[tuple[ssl.SSLContext, Path]]:
    """Make a certificate for this machine; yield what serves with it, and the file by which clients can trust it.

    The file is in a temporary folder that only its owner can read, and is removed at the end; the keys are in no file
    but for the moment that OpenSSL loads them. Raises `UsageError` if trustme is not installed.
    """
    try:
        import trustme  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError("--tls needs trustme", "Install it with `pip install 'pulsoid-rec[tls]'`.") from None
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
    with TemporaryDirectory(prefix="pulsoid-rec-tls-") as folder:
        file = Path(folder, "ca.pem")
        authority.cert_pem.write_to_path(str(file))
        yield context, file
