"""What a session is held by, in words: from a User-Agent, one of few labels and nothing of its text."""

_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
    ("bailee", "Bailee client"), ("python-httpx", "Python"), ("curl/", "curl"),
)  # fmt: skip
_SYSTEMS = (
    ("Windows", "Windows"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip
_LOOKED_AT = 512


def label_of(user_agent: str) -> str:
    """Such as `Firefox on Linux`."""
    head = user_agent[:_LOOKED_AT]
    browser = next((name for mark, name in _BROWSERS if mark in head), "Unknown program")
    system = next((name for mark, name in _SYSTEMS if mark in head), None)
    return f"{browser} on {system}" if system else browser


def name_of(label: str) -> str | None:
    """A label as events have it, such as `firefox_on_linux`."""
    return label.lower().replace(" ", "_") or None
