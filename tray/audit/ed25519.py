"""Make and check Ed25519 signatures (RFC 8032) with the libcrypto that Python's `hashlib` uses.

Loading the package `cryptography` takes 9 ms and 5 MiB, which every wrapped backup would pay for two signatures. It does the work
only where libcrypto cannot be called: on Windows, and with an OpenSSL that has no Ed25519. Both give the same signatures. Either is
loaded with the first signature: the icon, which only reads the log, needs none, and libcrypto alone takes 1 MiB.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

SEED_SIZE = PUBLIC_SIZE = 32
_SIGNATURE_SIZE = 64
_ED25519 = 1087
"""OpenSSL's number for this kind of key (`NID_ED25519`)."""

_POINTER, _SIZE, _INT, _BYTES = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_char_p
_FUNCTIONS: dict[str, tuple[Any, ...]] = {  # name: type of the result, types of the arguments
    "EVP_PKEY_new_raw_private_key": (_POINTER, _INT, _POINTER, _BYTES, _SIZE),
    "EVP_PKEY_new_raw_public_key": (_POINTER, _INT, _POINTER, _BYTES, _SIZE),
    "EVP_PKEY_get_raw_public_key": (_INT, _POINTER, _BYTES, ctypes.POINTER(_SIZE)),
    "EVP_PKEY_free": (None, _POINTER),
    "EVP_MD_CTX_new": (_POINTER,),
    "EVP_MD_CTX_free": (None, _POINTER),
    "EVP_DigestSignInit": (_INT, *[_POINTER] * 5),
    "EVP_DigestSign": (_INT, _POINTER, _BYTES, ctypes.POINTER(_SIZE), _BYTES, _SIZE),
    "EVP_DigestVerifyInit": (_INT, *[_POINTER] * 5),
    "EVP_DigestVerify": (_INT, _POINTER, _BYTES, _SIZE, _BYTES, _SIZE),
    "ERR_clear_error": (None,),
}


@cache
def _library() -> Any:
    """Return libcrypto with the types of its functions declared; None where it cannot make such a key."""
    try:
        library = ctypes.CDLL(getattr(import_module("_hashlib"), "__file__", None))
        for name, (result, *arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        key = library.EVP_PKEY_new_raw_private_key(_ED25519, None, bytes(SEED_SIZE), SEED_SIZE)
        library.EVP_PKEY_free(key)
    except (ImportError, OSError, AttributeError):  # a Python without OpenSSL, or an OpenSSL without Ed25519
        return None
    return library if key else None


@cache
def _package() -> Any:
    """Return the module of `cryptography` that does the same."""
    return import_module("cryptography.hazmat.primitives.asymmetric.ed25519")


@cache
def public_of(seed: bytes) -> bytes:
    """Return the public key that belongs to the secret *seed*.

    Raises:
        MemoryError: There is no memory for a key. (From every function here.)
    """
    if _library() is None:
        return bytes(_package().Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
    public, size = ctypes.create_string_buffer(PUBLIC_SIZE), _SIZE(PUBLIC_SIZE)
    _must(_library().EVP_PKEY_get_raw_public_key(_secret(seed), public, ctypes.byref(size)))
    return public.raw


@lru_cache(maxsize=4)
def sign(seed: bytes, text: bytes) -> bytes:
    """Return the signature over *text* by the secret *seed*: always the same one for the same text.

    The last ones are remembered: each append first signs again the checkpoint of the append before (`append.append_all`).
    """
    if _library() is None:
        return bytes(_package().Ed25519PrivateKey.from_private_bytes(seed).sign(text))
    signature, size = ctypes.create_string_buffer(_SIGNATURE_SIZE), _SIZE(_SIGNATURE_SIZE)
    with _context() as context:
        _must(_library().EVP_DigestSignInit(context, None, None, None, _secret(seed)))
        _must(_library().EVP_DigestSign(context, signature, ctypes.byref(size), text, len(text)))
    return signature.raw


def verifies(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether the owner of the key *public* made this *signature* over *text*."""
    if len(public) != PUBLIC_SIZE or len(signature) != _SIGNATURE_SIZE:
        return False
    if _library() is None:
        try:
            _package().Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
        except (import_module("cryptography.exceptions").InvalidSignature, ValueError):
            return False
        return True
    with _context() as context:
        _must(_library().EVP_DigestVerifyInit(context, None, None, None, _public(public)))
        good = _library().EVP_DigestVerify(context, signature, len(signature), text, len(text)) == 1
        _library().ERR_clear_error()  # a refusal must not surprise the next user of OpenSSL in this process
    return bool(good)


@cache
def _secret(seed: bytes) -> int:
    """Return libcrypto's key for *seed*; it lives as long as the process, which uses one or two."""
    return _must(_library().EVP_PKEY_new_raw_private_key(_ED25519, None, seed, SEED_SIZE))


@lru_cache(maxsize=1024)
def _public(raw: bytes) -> int:
    return _must(_library().EVP_PKEY_new_raw_public_key(_ED25519, None, raw, PUBLIC_SIZE))


@contextmanager
def _context() -> Iterator[int]:
    context = _must(_library().EVP_MD_CTX_new())
    try:
        yield context
    finally:
        _library().EVP_MD_CTX_free(context)


def _must(result: int | None) -> int:
    """Return *result* of a function of libcrypto, for which nothing and 0 mean a failure."""
    if not result:
        _library().ERR_clear_error()
        raise MemoryError("libcrypto could not make a key or a signature")
    return result
