"""Signatures: imgproxy's known answers, rotation, and one spelling only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgserve.errors import BadSignature
from imgserve.plan.signing import KeyPair, Signer, key_pairs

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent.parent / "vectors" / "signing.json").read_text())[
    "signatures"
]


def pair_of(vector: dict[str, Any]) -> KeyPair:
    def raw(name: str) -> bytes:
        return vector[f"{name}_text"].encode() if f"{name}_text" in vector else bytes.fromhex(vector[name])

    return KeyPair(raw("key"), raw("salt"))


@pytest.mark.parametrize("vector", VECTORS, ids=[f"{vector['path'][:30]}-{vector['size']}" for vector in VECTORS])
def test_known_answers(vector: dict[str, Any]) -> None:
    signer = Signer(pairs=(pair_of(vector),), size=vector["size"])
    assert signer.sign(vector["path"]) == vector["signature"]
    signer.verify(vector["signature"], vector["path"])


OLD, NEW = KeyPair(b"old key", b"old salt"), KeyPair(b"new key", b"new salt")
PATH = "/rs:fit:300:300/plain/local:///test.png"


def test_the_first_pair_signs_and_all_verify() -> None:
    rotated = Signer(pairs=(NEW, OLD))
    rotated.verify(OLD.sign(PATH.encode()), PATH)
    assert rotated.sign(PATH) == NEW.sign(PATH.encode())


def test_key_and_salt_of_different_pairs_do_not_match() -> None:
    mixed = KeyPair(OLD.key, NEW.salt)
    with pytest.raises(BadSignature):
        Signer(pairs=(OLD, NEW)).verify(mixed.sign(PATH.encode()), PATH)


def test_a_full_signature_is_refused_where_short_ones_are_asked_for() -> None:
    with pytest.raises(BadSignature):
        Signer(pairs=(OLD,), size=8).verify(OLD.sign(PATH.encode()), PATH)


def test_trusted_signatures_are_taken_literally() -> None:
    signer = Signer(pairs=(OLD,), trusted=("internal",))
    signer.verify("internal", PATH)
    with pytest.raises(BadSignature):
        signer.verify("Internal", PATH)


def other_spellings(signature: str) -> list[str]:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 32 bytes leave 2 unused bits in the last of 43 characters: lenient decoders take any of 4.
    at = alphabet.index(signature[-1])
    last = [signature[:-1] + alphabet[at & ~3 | low] for low in range(4) if at & ~3 | low != at]
    return [*last, signature + "=", signature + "....", signature[:9] + "!!!!" + signature[9:], signature + "%%%%"]


@pytest.mark.parametrize("spelling", other_spellings(OLD.sign(PATH.encode())))
def test_other_spellings_of_a_right_signature_are_refused(spelling: str) -> None:
    with pytest.raises(BadSignature):
        Signer(pairs=(OLD,)).verify(spelling, PATH)


@given(st.text(max_size=60))
def test_no_other_text_verifies(text: str) -> None:
    signer = Signer(pairs=(OLD,))
    if text != signer.sign(PATH):
        with pytest.raises(BadSignature):
            signer.verify(text, PATH)


def test_without_keys_anything_goes_but_an_option() -> None:
    Signer().verify("unsafe", PATH)
    with pytest.raises(BadSignature, match="looks like an option"):
        Signer().verify("rs:fit:300:300", "/plain/local:///test.png")


def test_a_forgotten_signature_is_told_as_such() -> None:
    for first in ("rs:fit:300:300", "plain"):
        with pytest.raises(BadSignature, match="signature is missing"):
            Signer(pairs=(OLD,)).verify(first, PATH)


def test_undecodable_bytes_in_a_path_are_signed_as_they_came() -> None:
    path = b"/plain/local:///\xff.png".decode("utf-8", "surrogateescape")
    Signer(pairs=(OLD,)).verify(OLD.sign(b"/plain/local:///\xff.png"), path)


@pytest.mark.parametrize(("keys", "salts"), [(["aa"], []), (["zz"], ["aa"]), (["a"], ["aa"])])
def test_keys_that_do_not_pair_or_are_not_hex_are_refused(keys: list[str], salts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"salt|hex"):
        key_pairs(keys, salts)
