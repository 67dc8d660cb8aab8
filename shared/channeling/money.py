"""Money as people read it. Inside it is whole nanodollars: 1 USD = 10⁹."""

NANOUSD_PER_USD = 1_000_000_000


def dollars(amount_nanousd: int) -> str:
    """Return nanodollars as exact decimal dollars without needless digits: "5", "0.012345678", "-0.5"."""
    sign = "-" if amount_nanousd < 0 else ""
    whole, fraction = divmod(abs(amount_nanousd), NANOUSD_PER_USD)
    digits = f"{fraction:09d}".rstrip("0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
