"""Signatures by libcrypto are those of `cryptography`, byte for byte."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.audit.help import python
from tray.audit import ed25519

SEEDS = st.binary(min_size=32, max_size=32)


@given(seed=SEEDS, text=st.binary(max_size=300))
def test_libcrypto_signs_as_cryptography_does(seed: bytes, text: bytes) -> None:
    """Who verifies a log with other tools sees no difference."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert ed25519.public_of(seed) == key.public_key().public_bytes_raw()
    assert ed25519.sign(seed, text) == key.sign(text)
    assert ed25519.verifies(ed25519.public_of(seed), key.sign(text), text)


@given(seed=SEEDS, text=st.binary(max_size=50), place=st.integers(0, 511))
def test_one_changed_bit_breaks_a_signature(seed: bytes, text: bytes, place: int) -> None:
    """Neither another signature nor another text passes."""
    signature = bytearray(ed25519.sign(seed, text))
    public = ed25519.public_of(seed)
    assert not ed25519.verifies(public, bytes(signature), text + b"x")
    signature[place // 8] ^= 1 << place % 8
    assert not ed25519.verifies(public, bytes(signature), text)


@pytest.mark.parametrize("public", [b"", b"x" * 31, b"\xff" * 32, bytes(32)])
def test_no_key_verifies_nothing(public: bytes) -> None:
    """A key that is no point of the curve or has another length raises no error and verifies no signature."""
    assert not ed25519.verifies(public, bytes(range(64)), b"text")


@pytest.mark.process
@pytest.mark.parametrize("lacking", ["ctypes.CDLL = lambda _: object()", "sys.modules['_hashlib'] = None"])
def test_without_a_usable_libcrypto_cryptography_signs(lacking: str) -> None:
    """On Windows, without OpenSSL, and with one that has no Ed25519, the signatures are the same."""
    code = (
        f"import ctypes, sys; {lacking}\n"
        "from tray.audit import ed25519; seed = bytes(range(32)); public = ed25519.public_of(seed)\n"
        "good = ed25519.sign(seed, b'text')\n"
        "print(public.hex(), good.hex(), ed25519.verifies(public, good, b'text'), ed25519.verifies(public, good, b'other'))\n"
        "print('cryptography' in sys.modules)"
    )
    seed = bytes(range(32))
    public, good = ed25519.public_of(seed).hex(), ed25519.sign(seed, b"text").hex()
    assert python(code).stdout.split() == [public, good, "True", "False", "True"]
