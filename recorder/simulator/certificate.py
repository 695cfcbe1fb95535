"""A TLS certificate for one run, by an authority that exists only for it."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from pulsoid_rec.recorder.contract.errors import StorageError, UsageError


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
    try:
        authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
        folder = TemporaryDirectory(prefix="pulsoid-rec-tls-")
        file = Path(folder.name, "ca.pem")
        authority.cert_pem.write_to_path(str(file))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"Cannot write the certificate to {gettempdir()}: {reason}", "Make room there.") from None
    with folder:
        yield context, file
