"""Find weak public keys, for which others could forge signatures."""

from math import gcd, isqrt, prod

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.texts.translatable import Translatable

MIN_RSA_BITS, MAX_RSA_BITS = 2048, 4096
# FIPS 186-5 §5.1 requires more than 2¹⁶; OpenSSL accepts at most 64 bits with a long modulus.
MIN_RSA_EXPONENT, MAX_RSA_EXPONENT = 65_537, 2**64
_FERMAT_ROUNDS = 100
_SMALL_PRIMES = prod(
    number
    for number in range(2, 10_000)
    if all(number % divisor for divisor in range(2, isqrt(number) + 1))
)

# RFC 8032 §5.1: the prime of the field and the constant of the curve.
_P = 2**255 - 19
_D = -121_665 * pow(121_666, -1, _P) % _P
# The y coordinates of the eight points whose order divides 8: for such a key, valid signatures can
# be made without a private key.
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _P - 1,
        0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)


def find_weakness(key: object) -> Translatable | None:
    """Return the reason why a client must not prove itself by the key, None where it may."""
    match key:
        case EllipticCurvePublicKey():
            # Its construction has checked that the point lies on the curve.
            return (
                None if key.curve.name == "secp256r1" else Translatable("the curve must be P-256")
            )
        case Ed25519PublicKey():
            return _find_ed25519_weakness(key)
        case RSAPublicKey():
            return _find_rsa_weakness(key)
        case _:
            return Translatable("the type must be EC (P-256), OKP (Ed25519) or RSA")


def _find_ed25519_weakness(key: Ed25519PublicKey) -> Translatable | None:
    y = int.from_bytes(key.public_bytes_raw(), "little") & (2**255 - 1)
    if y >= _P:
        return Translatable("x is not the canonical form of a point of Ed25519")
    if y in _SMALL_ORDER_Y:
        return Translatable("x is a point of low order, for which anybody can sign")
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if pow(square, (_P - 1) // 2, _P) != 1:
        return Translatable("x is no point of Ed25519")
    return None


def _find_rsa_weakness(key: RSAPublicKey) -> Translatable | None:
    numbers = key.public_numbers()
    modulus, exponent = numbers.n, numbers.e
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS:
        return Translatable(
            "the modulus n must have {minimum} to {maximum} bits",
            minimum=MIN_RSA_BITS,
            maximum=MAX_RSA_BITS,
        )
    if not (exponent % 2 and MIN_RSA_EXPONENT <= exponent < MAX_RSA_EXPONENT):
        return Translatable(
            "the exponent e must be odd, 65537 at least and below 2 to the power of 64"
        )
    if gcd(modulus, _SMALL_PRIMES) != 1 or _has_close_factors(modulus):
        return Translatable("the modulus n can be factored")
    return None


def _has_close_factors(modulus: int) -> bool:
    """Return whether Fermat's method factors the modulus: some generators chose close primes."""
    root = isqrt(modulus - 1) + 1
    for a in range(root, root + _FERMAT_ROUNDS):
        rest = a * a - modulus
        if isqrt(rest) ** 2 == rest:
            return True
    return False
