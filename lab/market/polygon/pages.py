"""Lists that Polygon gives page by page: each page checked, the next one on the same host only, an end to all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lab.market.polygon.line import Ask, PolygonError, PolygonLine, Tick

SAME_VENDOR = {"api.polygon.io", "api.massive.com"}
"""The vendor's two names: either may link to pages of the other. Pages are fetched from the base URL all the same."""

_STATUSES = {"OK", "DELAYED"}
_MOST_PAGES = 2_000
_MOST_EMPTY_PAGES = 3


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed: words for the sentences, and what each page must be."""

    what: str
    """Of whom or what, as a person says it: "AAPL", "the splits of AAPL"."""
    paths: tuple[str, ...]
    """What the path of a next page begins with."""
    not_in_plan: str = ""
    """What to do where the plan of the key does not include it; empty for the usual words."""
    items: str = "entries"

    def broken(self, line: PolygonLine, how: str) -> BrokenPage:
        return BrokenPage(f"A page of {self.what} from {line.host} can't be trusted: {how}. It was not taken; try again later.")


class BrokenPage(PolygonError):
    """A page is not as it must be; what came before it stands."""


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    """From 1."""
    document: dict[str, Any]
    results: list[Any]
    last: bool


def read_pages(line: PolygonLine, listing: Listing, first: Ask, tick: Callable[[int], Tick]) -> Iterator[Page]:
    """All pages of a list, the first by `first`. `tick` gives what to call while the page of that number is waited for.

    Raises BrokenPage for one that is not as it must be, and PolygonError; never ends early without either.
    """
    seen: set[str] = set()
    empty, number = 0, 0
    ask = first
    while True:
        number += 1
        document = line.ask(ask, tick(number), listing.not_in_plan)
        results = checked_results(document, listing, line)
        path = next_path(document, listing, line)
        empty = 0 if results else empty + 1
        if path is not None and (path in seen or empty > _MOST_EMPTY_PAGES or number >= _MOST_PAGES):
            raise listing.broken(line, "its pages never end")
        yield Page(number, document, results, path is None)
        if path is None:
            return
        seen.add(path)
        ask = line.following(path)


def checked_results(document: dict[str, Any], listing: Listing, line: PolygonLine) -> list[Any]:
    """The entries of a page whose status, results and count are as they must be."""
    status = document.get("status")
    if status not in _STATUSES:
        said = document.get("error") or document.get("message") or ""
        raise listing.broken(line, f"its status is {line.readable(str(status))} {line.readable(str(said))}".rstrip())
    results, count = document.get("results"), document.get("resultsCount", document.get("count"))
    if results is None and count == 0:
        results = []
    if not isinstance(results, list):
        raise listing.broken(line, "it has no results")
    if count is not None and count != len(results):
        raise listing.broken(line, f"it announces {line.readable(str(count))} {listing.items} and has {len(results)}")
    return results


def next_path(document: dict[str, Any], listing: Listing, line: PolygonLine) -> str | None:
    """Where the next page lies on the line's own host; None on the last page."""
    link = document.get("next_url")
    if link is None or link == "":
        return None
    try:
        parts = urlsplit(link if isinstance(link, str) else "")
        host = parts.netloc.lower()
        if parts.scheme == "https" and host.endswith(":443"):
            host = host.removesuffix(":443")
    except ValueError:
        host = ""
    if host != line.host.lower() and not {host, line.host.lower()} <= SAME_VENDOR:
        raise listing.broken(line, f"its next page lies on another host ({line.readable(host) or 'none'})")
    if not parts.path.startswith(listing.paths):
        raise listing.broken(line, f"its next page is not one of {listing.items}")
    return parts.path + (f"?{parts.query}" if parts.query else "")
