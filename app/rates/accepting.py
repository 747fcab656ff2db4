"""Which of two media types a caller would rather have (RFC 9110 section 12.5.1)."""


def prefers(accept: str, wanted: str, *, over: str) -> bool:
    """Whether the header rates `wanted` above `over`; what it does not say is `over`."""
    return _quality(accept, wanted) > _quality(accept, over)


def _quality(accept: str, media_type: str) -> float:
    """The weight of the most specific range that takes the type in; 0 where none does."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weights[name] = next((_weight(each) for each in parameters if each.startswith("q=")), 1.0)
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((weights[one] for one in ranges if one in weights), 0.0)


def _weight(parameter: str) -> float:
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0
