"""Make the context of an encrypted connection: certificates are always checked."""

import ssl

from tray.core.paths import expand
from tray.notify.channels import NotSentError
from tray.wording.numbers import escape


def context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that checks a server's certificate against *ca_file*, else against the authorities that the system trusts.

    Raises:
        NotSentError: *ca_file* cannot be read, or holds no certificates.
    """
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else expand(ca_file))
    except OSError as error:  # an SSLError, for a file without certificates, is one too
        why = "it holds no certificates" if isinstance(error, ssl.SSLError) else escape(error.strerror or str(error))
        raise NotSentError(f"`ca_file` {escape(str(ca_file))} cannot be read: {why}.", final=True) from error
