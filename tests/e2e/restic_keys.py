"""A restic repository whose key is quick to derive, for tests that start restic dozens of times.

restic chooses scrypt's cost so that every start takes about half a second. Here the master key is locked up anew in the same way
(restic's "Design" document: AES-256-CTR, authenticated with Poly1305-AES) at the lowest cost. restic does all else as ever.
"""

import base64
import hashlib
import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

_COST = 2
_NONCE = _MAC = 16


def make_quick(repository: Path, password: str) -> None:
    """Lock up the master key of *repository* anew, so that *password* opens it at once."""
    (path,) = (repository / "keys").iterdir()
    key = json.loads(path.read_bytes())
    sealed = base64.b64decode(key["data"])
    master = _crypt(_derive(key, password)[:32], sealed[:_NONCE], sealed[_NONCE:-_MAC])
    quick, nonce = {**key, "N": _COST}, os.urandom(_NONCE)
    user = _derive(quick, password)
    body = _crypt(user[:32], nonce, master)
    quick["data"] = base64.b64encode(nonce + body + _mac(user, nonce, body)).decode()
    raw = json.dumps(quick).encode()
    path.unlink()
    (path.parent / hashlib.sha256(raw).hexdigest()).write_bytes(raw)


def _derive(key: dict[str, str | int], password: str) -> bytes:
    salt, (cost, block, parallel) = base64.b64decode(str(key["salt"])), (int(key[name]) for name in "Nrp")
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=2**28, dklen=64)


def _crypt(key: bytes, nonce: bytes, text: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor().update(text)


def _mac(user: bytes, nonce: bytes, text: bytes) -> bytes:
    once = _crypt(user[32:48], nonce, bytes(16))  # the nonce itself, encrypted
    return Poly1305.generate_tag(user[48:64] + once, text)
