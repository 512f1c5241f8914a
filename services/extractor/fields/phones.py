"""Telephone numbers against the numbering plans of the world, by phonenumbers."""

from typing import Final

import phonenumbers

version: Final[str] = phonenumbers.__version__


def read_phone(text: str, region: str) -> tuple[str, bool] | None:
    """(E.164, assigned?) of a number as dialled in `region` ("ZZ": only +… can be read); None when it is none.

    `assigned` is False for a possible number in a range that is not assigned, such as 555-0199.
    """
    try:
        number = phonenumbers.parse(text, None if region == "ZZ" else region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    printed = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return printed, phonenumbers.is_valid_number(number)
