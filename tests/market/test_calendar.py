"""The exchange calendar: holidays, half days, daylight saving."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

from lab.market import trading_sessions


def sessions(first: date, last: date) -> dict[date, tuple[int, int]]:
    frame = trading_sessions(first, last)
    return {row[0]: (row[1], row[2]) for row in frame.select("session", "open_minute", "close_minute").iter_rows()}


def test_holidays_and_weekends_are_no_sessions() -> None:
    found = sessions(date(2024, 12, 20), date(2025, 1, 10))
    assert date(2024, 12, 25) not in found
    assert date(2025, 1, 1) not in found
    assert date(2025, 1, 9) not in found, "the exchange was closed for a day of mourning"
    assert date(2024, 12, 21) not in found


def test_half_days_close_at_one() -> None:
    found = sessions(date(2024, 11, 25), date(2024, 12, 26))
    assert found[date(2024, 11, 29)] == (570, 780)
    assert found[date(2024, 12, 24)] == (570, 780)
    assert found[date(2024, 11, 27)] == (570, 960)


def test_the_open_moves_by_an_hour_in_utc_when_the_clocks_change() -> None:
    frame = trading_sessions(date(2024, 11, 1), date(2024, 11, 4))
    assert [at.hour for at in frame["open_at"]] == [13, 14]
    assert frame["open_minute"].to_list() == [570, 570]


def test_old_bars_have_sessions_too() -> None:
    assert trading_sessions(date(1998, 1, 1), date(1998, 12, 31)).height == 252


def test_the_slow_calendar_library_is_not_imported_until_needed() -> None:
    code = "import sys, lab.market; sys.exit('pandas' in sys.modules or 'exchange_calendars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
