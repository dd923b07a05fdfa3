"""Whether a page that we have written stays where it is: nothing loaded from elsewhere, nothing offered to be sent."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_ADDRESSES = ("src", "href", "srcset", "data", "action", "formaction", "poster", "background", "ping", "manifest")
_FORBIDDEN = {"link", "base", "form", "iframe", "object", "embed", "audio", "video", "image", "use"}
_OFF = ("showSendToCloud: false", 'plotlyServerURL: ""', "sendData: false", "showEditInChartStudio: false")
_SHARING = re.compile(r"cloud\.plotly\.com|chart-studio\.plotly\.com|api\.plot\.ly")


class _Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.policy = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in _ADDRESSES and value]
        if found.get("http-equiv", "") == "Content-Security-Policy":
            self.policy = found["content"] or ""


def assert_offline(text: str) -> None:
    """Assert that a page asks nothing of any network, and offers to send nothing anywhere."""
    page = _Elements(text)
    assert not page.tags & _FORBIDDEN
    assert not [one for one in page.addresses if not one.startswith("#")]
    for rule in ("default-src 'none'", "form-action 'none'", "base-uri 'none'"):
        assert rule in page.policy, "the page itself must forbid requests, whatever is in plotly.js"
    assert "http" not in page.policy
    styles = "".join(re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL))
    assert "url(" not in styles
    assert "@import" not in styles
    assert text.count("plotly.js v") == 1
    for switch in _OFF:
        assert switch in text
    assert "Plotly.setPlotConfig(settings)" in text
    assert not re.findall(r"Plotly\.(?:newPlot|react|plot)\((?!place, figure\.data, figure\.layout, settings)", text)
    assert not _SHARING.search(text), "where a chart would be sent to is not in the page"
    figures = re.findall(r'<script type="application/json">(.*?)</script>', text, flags=re.DOTALL)
    assert not [one for one in figures if re.search(r'"(?:geo|map|mapbox)\d*":\{', one)], "maps load their tiles"
    assert not [one for one in figures if "https:" in one or "http:" in one]
