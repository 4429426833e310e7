"""Whether digits are a number that somebody was given: check digits of cards, accounts and national numbers.

Sources: ISO/IEC 7812-1 (Luhn 1954) for cards and the Canadian SIN; ISO 13616 and ISO 7064 MOD 97-10 for IBAN; the issuing offices' own descriptions
for the others. Each takes a string and answers whether it is well formed and its check digits are right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28,
    "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18,
    "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24,
    "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23], strict=True))  # fmt: skip
_VERHOEFF = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678", "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTED = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def digits(text: str) -> str:
    """The digits of a text, without spaces, points, hyphens and strokes between them."""
    return text.translate(_BETWEEN)


_BETWEEN = str.maketrans("", "", " .-/\u00a0")


def luhn(number: str) -> bool:
    """Cards, and the Canadian SIN."""
    if not (number.isascii() and number.isdigit()):
        return False
    doubled = (int(one) * (1 + place % 2) for place, one in enumerate(reversed(number)))
    return sum(one - 9 * (one > 9) for one in doubled) % 10 == 0


def card(number: str) -> bool:
    """A payment card: 13 to 19 digits that begin as an issuer's do, with a check digit by Luhn."""
    return 13 <= len(number) <= 19 and number[0] in "23456" and len(set(number)) > 1 and luhn(number)


def iban(text: str) -> bool:
    """An account's number: country, its length, and the remainder 1 by 97."""
    plain = text.replace(" ", "").replace("-", "").upper()
    if (
        not plain.isascii()
        or not plain.isalnum()
        or IBAN_LENGTHS.get(plain[:2]) != len(plain)
        or not plain[2:4].isdigit()
    ):
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def weighted(number: str, weights: Sequence[int]) -> int:
    """The sum of digits times weights, from the left."""
    return sum(int(one) * weight for one, weight in zip(number, weights, strict=False))


def nhs(number: str) -> bool:
    """United Kingdom, NHS number: ten digits, modulus 11."""
    return len(number) == 10 and (11 - weighted(number, range(10, 1, -1)) % 11) % 11 == int(number[9])


def bsn(number: str) -> bool:
    """Netherlands, burgerservicenummer: nine digits, the eleven test."""
    return (
        len(number) == 9
        and number.strip("0") != ""
        and (weighted(number, (9, 8, 7, 6, 5, 4, 3, 2)) - int(number[8])) % 11 == 0
    )


def cpf(number: str) -> bool:
    """Brazil: eleven digits, two check digits by modulus 11."""
    if len(number) != 11 or len(set(number)) == 1:
        return False
    return all((weighted(number, range(size + 1, 1, -1)) * 10 % 11) % 10 == int(number[size]) for size in (9, 10))


def pesel(number: str) -> bool:
    """Poland: eleven digits that begin with a date, weights 1, 3, 7, 9."""
    good = len(number) == 11 and 1 <= int(number[2:4]) % 20 <= 12 and 1 <= int(number[4:6]) <= 31
    return good and (10 - weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10 == int(number[10])


def aadhaar(number: str) -> bool:
    """India: twelve digits, not beginning with 0 or 1, check digit by Verhoeff."""
    if len(number) != 12 or number[0] in "01":
        return False
    state = 0
    for place, one in enumerate(reversed(number)):
        state = int(_VERHOEFF[state][int(_PERMUTED[place % 8][int(one)])])
    return state == 0


def steuer_id(number: str) -> bool:
    """Germany, tax identification number: eleven digits, ISO 7064 MOD 11,10."""
    if len(number) != 11 or number[0] == "0":
        return False
    product = 10
    for one in number[:10]:
        total = (int(one) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(number[10])


def nir(text: str) -> bool:
    """France, social security number: sex, year, month, place, order, and 97 less the remainder."""
    plain = digits(text).upper()
    number = plain.replace("2A", "19").replace("2B", "18")
    if len(plain) != 15 or not number.isdigit() or plain[0] not in "12":
        return False
    return 97 - int(number[:13]) % 97 == int(number[13:])


def dni(text: str) -> bool:
    """Spain, DNI and NIE: eight digits (or X, Y, Z and seven) and a letter by the remainder of 23."""
    plain = digits(text).upper()
    number = plain[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return (
        len(plain) == 9
        and number.isascii()
        and number.isdigit()
        and len(number) == 8
        and plain[-1] == _DNI[int(number) % 23]
    )


def codice_fiscale(text: str) -> bool:
    """Italy: sixteen letters and digits, the last by a sum in which odd places count otherwise."""
    plain = text.replace(" ", "").upper()
    if (
        len(plain) != 16
        or not plain.isascii()
        or not plain.isalnum()
        or not (plain[:6] + plain[8] + plain[15]).isalpha()
    ):
        return False
    total = sum(
        _ODD[one] if place % 2 == 0 else int(one, 36) - (10 if one.isalpha() else 0)
        for place, one in enumerate(plain[:15])
    )
    return chr(65 + total % 26) == plain[15]


def personnummer(number: str) -> bool:
    """Sweden: ten digits that begin with a date, check digit by Luhn."""
    return len(number) == 10 and 1 <= int(number[2:4]) <= 12 and 1 <= int(number[4:6]) % 60 <= 31 and luhn(number)


NATIONAL: dict[str, tuple[Callable[[str], bool], int, float]] = {
    "uk_nhs": (nhs, 10, 1 / 11),
    "se_personnummer": (personnummer, 10, 0.004),
    "nl_bsn": (bsn, 9, 1 / 11),
    "ca_sin": (lambda number: len(number) == 9 and number[0] not in "08" and luhn(number), 9, 0.08),
    "br_cpf": (cpf, 11, 1 / 100),
    "pl_pesel": (pesel, 11, 0.02),
    "de_steuer_id": (steuer_id, 11, 1 / 11),
    "in_aadhaar": (aadhaar, 12, 0.08),
}
"""Numbers of digits alone: the check, how many digits, and about which share of any such digits would pass."""
