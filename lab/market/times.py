"""Reading the times of imported bars: which format, which zone, which timeframe, each with the reason for the guess."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from lab.market.bars import TIMESTAMP
from lab.market.calendar import ZONE
from lab.market.errors import UnreadableFile
from lab.market.timeframes import DAILY, MINUTES

EPOCH = "epoch "
"""A format that starts with this counts seconds, "s", "ms", "us" or "ns", since 1970."""

_YEAR_FIRST = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")
_DAY_OR_MONTH_FIRST = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y")
_WITH_NAMES = ("%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
_DATES = (*_YEAR_FIRST, *_DAY_OR_MONTH_FIRST, *_WITH_NAMES)
_SPACED_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f", " %H%M", " %H%M%S", " %I:%M %p", " %I:%M:%S %p")
_TIMES = (*_SPACED_TIMES, "T%H:%M", "T%H:%M:%S", "T%H:%M:%S%.f", "%H%M%S")
_NAMED_ZONE = r"\d ([A-Z][A-Za-z]+/[A-Za-z_]+)$"
_OFFSETS = ("", "%z", " %z")
_SAMPLE = 400
_ZONES = (ZONE, "UTC", "America/Chicago", "Europe/London", "Europe/Berlin")


@dataclass(frozen=True, slots=True)
class Zone:
    """The zone the file's times are in, and why that is thought."""

    name: str
    reason: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Form:
    """The format of written times (see `parse_times`), and why day and month stand as read; empty where that is plain."""

    name: str
    reason: str = ""
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class BarLength:
    """A timeframe, and the share of the steps between bars that speak for it."""

    name: str
    confidence: float


def check_zone(name: str) -> None:
    """Refuse what is no time zone, with a sentence."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise UnreadableFile(f"“{name[:40]}” is not a time zone; write one such as {ZONE}, Europe/Berlin or UTC.") from None


def find_format(texts: pl.Series, file: str) -> Form:
    """The one format that all texts are in; `UnreadableFile` where there is none, two, or day and month can't be told apart."""
    texts = _tidy(texts)
    filled = texts.filter(texts.str.len_chars() > 0)
    if filled.is_empty():
        raise UnreadableFile(f"{file} has no times in its time column.")
    if filled.str.contains(r"^\d{9,19}(\.\d+)?$").all() and not filled.str.contains(r"^(19|20)\d{12}$").all():
        return Form(EPOCH + _epoch_unit(float(filled.cast(pl.Float64)[0])))
    step = max(filled.len() // _SAMPLE, 1)
    sample = filled.gather_every(step)
    unread = {form: _parse(sample, form).null_count() for form in _formats()}
    whole = [form for form, nulls in unread.items() if nulls == 0 and _parse(filled, form).null_count() == 0]
    if not whole:
        raise UnreadableFile(_two_formats(texts, [form for form, nulls in unread.items() if nulls < sample.len()], file))
    best = _told_apart(filled, whole, file)[0] if len(whole) > 1 else whole[0]
    return Form(best, *_order_read(filled, best, whole))


def check_times(texts: pl.Series, form: str, file: str, first_row: int) -> None:
    """Refuse texts of which one is not in the format, naming its row; `first_row` is the first one's in the file."""
    parsed = parse_times(texts, form)
    wrong = parsed.is_null() & (texts.str.strip_chars().str.len_chars() > 0)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise UnreadableFile(
            f"{file} has “{texts[row][:40]}” in row {first_row + row} where a time like the {first_row - 2:,} before it should be. "
            "Write all times alike, best like 2024-01-31 15:30, and import again."
        )


def without_zone_names(times: pl.Series) -> tuple[pl.Series, str | None]:
    """Texts without the zone some write behind the time (“20240102 09:30:00 US/Eastern”), and that zone, where all name the same."""
    if times.dtype != pl.String:
        return times, None
    named = times.head(20).drop_nulls().str.extract(_NAMED_ZONE)
    if named.is_empty() or named.null_count() or named.n_unique() > 1:
        return times, None
    zone = str(named[0])
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return times, None
    bare = times.str.strip_suffix(zone)
    return (bare, zone) if (bare != times).fill_null(True).all() else (times, None)


def parse_times(texts: pl.Series, form: str) -> pl.Series:
    """The texts as times: aware UTC where the format holds an offset or counts from 1970, else naive. Null where unreadable."""
    if form.startswith(EPOCH):
        unit = form.removeprefix(EPOCH)
        scale = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}[unit]
        return (texts.cast(pl.Float64, strict=False) * scale).cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return _parse(_tidy(texts), form)


def _tidy(texts: pl.Series) -> pl.Series:
    return texts.str.strip_chars().str.replace_all(r"\s+", " ")


def _parse(texts: pl.Series, form: str) -> pl.Series:
    if "%z" in form:
        texts = texts.str.replace(r"Z$", "+00:00")
    if "%H" not in form and "%I" not in form:
        texts, form = texts + " 00:00", form + " %H:%M"
    parsed = texts.str.to_datetime(form, strict=False, time_unit="us")
    year = parsed.dt.year()
    # A two-digit year read as the year 24 is no date of a bar.
    return pl.select(pl.when((year >= 1900) & (year < 2200)).then(parsed).otherwise(None)).to_series()


def _formats() -> Iterable[str]:
    for day in _DATES:
        for time in _TIMES:
            if time == "%H%M%S" and day != "%Y%m%d":
                continue
            for offset in _OFFSETS if time else ("",):
                yield day + time + offset


def _order_read(texts: pl.Series, form: str, whole: list[str]) -> tuple[str, float]:
    """In words, which of day and month was read first and why, where a text could be read either way, else empty; and how sure it is."""
    order = re.match(r"%([dm])\W%([dm])\W%([Yy])", form)
    if order is None or "." in form[:6]:
        return "", 1.0
    swapped = f"%{order[2]}{form[2]}%{order[1]}{form[5]}%{order[3]}" + form[8:]
    either, other = _parse(texts, form), _parse(texts, swapped)
    doubtful = texts.filter(other.is_not_null() & (either != other))
    if doubtful.is_empty():
        return "", 1.0
    words = "the day first" if order[1] == "d" else "the month first"
    example = _parse(doubtful[:1], form).dt.strftime("%-d %B %Y")[0]
    if swapped in whole:
        why = "so read, the bars stand in order of time, on weekdays and closest together"
    else:
        why = f"“{texts.filter(other.is_null())[0]}” can't be read otherwise"
    # By the order of the bars alone, day and month may still be the other way round.
    return f"“{doubtful[0]}” is read with {words}, as {example}, because {why}", 0.8 if swapped in whole else 1.0


def _epoch_unit(value: float) -> Literal["s", "ms", "us", "ns"]:
    if value < 1e11:
        return "s"
    if value < 1e14:
        return "ms"
    return "us" if value < 1e17 else "ns"


def _two_formats(texts: pl.Series, likely: list[str], file: str) -> str:
    rows = pl.DataFrame({"text": texts}).with_row_index("row", offset=2).filter(pl.col("text").str.len_chars() > 0)
    text, row = rows["text"], rows["row"]
    if not likely:
        return f"{file} has times that can't be read, such as “{text[0][:40]}” in row {row[0]}. Write them like 2024-01-31 15:30."
    best = max(likely, key=lambda form: text.len() - _parse(text, form).null_count())
    parsed = _parse(text, best)
    good = int(parsed.is_not_null().arg_max() or 0)
    bad = int(parsed.is_null().arg_max() or 0)
    other = any(_parse(text[bad : bad + 1], form).null_count() == 0 for form in _formats())
    if other:
        return (
            f"{file} has dates in two formats: “{text[good][:40]}” in row {row[good]} and “{text[bad][:40]}” in row {row[bad]}. "
            "Write them all alike, best like 2024-01-31 15:30, and import again."
        )
    return f"{file} has “{text[bad][:40]}” in row {row[bad]} where a time should be. Correct or remove that row and import again."


def _told_apart(texts: pl.Series, forms: list[str], file: str) -> list[str]:
    """Between formats that all fit (day first or month first), the one in which bars stand in order, on weekdays, close together."""

    def faults(form: str) -> tuple[int, int]:
        times = _parse(texts, form)
        weekend = int((times.dt.weekday() > 5).sum())
        backward = int((times.diff().dt.total_microseconds() < 0).sum())
        days = times.to_frame("at").select((pl.col("at").max() - pl.col("at").min()).dt.total_days())
        return backward + weekend, int(days.item())

    ranked = sorted(forms, key=faults)
    if _parse(texts, ranked[0]).equals(_parse(texts, ranked[1])):
        return ranked
    if faults(ranked[0]) == faults(ranked[1]):
        raise UnreadableFile(
            f"{file} has dates like “{texts[0]}” in which day and month can't be told apart. Write them like 2024-01-31 and import again."
        )
    return ranked


def find_zone(naive: pl.Series, volume: pl.Series, daily: bool) -> Zone:
    """The zone in which most of the volume falls into New York's regular trading hours."""
    if daily:
        return Zone(ZONE, "daily bars carry dates alone", 1.0)
    frame = pl.DataFrame({"at": naive, "weight": volume.fill_null(0.0)})
    if frame["weight"].sum() == 0:
        frame = frame.with_columns(weight=pl.lit(1.0))
    if frame.height > 50_000:
        frame = frame.gather_every(frame.height // 50_000 + 1)
    shares = {}
    for name in _ZONES:
        local = frame["at"].dt.replace_time_zone(name, ambiguous="earliest", non_existent="null").dt.convert_time_zone(ZONE)
        minute = local.dt.hour().cast(pl.Int16) * 60 + local.dt.minute().cast(pl.Int16)
        # Hourly bars may be named for the full hour before the open.
        inside = minute.is_between(540, 959)
        shares[name] = float(frame["weight"].filter(inside.fill_null(False)).sum()) / float(frame["weight"].sum())
    best = max(shares, key=lambda name: round(shares[name], 3))
    second = max((name for name in shares if name != best), key=lambda name: shares[name])
    reason = f"read so, {shares[best]:.0%} of the volume falls into New York's trading hours ({shares[second]:.0%} if it were {second})"
    # A zone an hour away catches most of the same volume: what tells them apart is how much more this one does.
    lead = shares[best] - shares[second]
    return Zone(best, reason, max(0.3, min(1.0, shares[best] * (0.5 + 10 * lead))))


def to_utc(times: pl.Series, zone: str, daily: bool) -> pl.Series:
    """The times as aware UTC. Daily ones become noon of their date in New York, so that no zone moves them to another date."""
    if daily:
        aware = times.dtype != pl.Datetime("us")
        if aware:
            # Midnight in New York, or midnight UTC from vendors that stamp the date alone.
            utc_midnight = bool(((times.dt.hour() == 0) & (times.dt.minute() == 0)).all())
            times = (times if utc_midnight else times.dt.convert_time_zone(ZONE)).dt.replace_time_zone(None)
        noon = times.dt.truncate("1d") + pl.duration(hours=12)
        return pl.select(noon).to_series().dt.replace_time_zone(ZONE).dt.convert_time_zone("UTC").cast(TIMESTAMP)
    if times.dtype == pl.Datetime("us"):
        times = times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    return times.cast(TIMESTAMP)


def find_timeframe(bars: pl.DataFrame, file: str) -> BarLength:
    """The timeframe of bars with `ticker` and `at`: the usual distance between two of one day, "1d" where days have one bar."""
    steps = (
        bars.lazy()
        .select("ticker", "at")
        .drop_nulls()
        .unique()
        .sort("ticker", "at")
        .with_columns(step=pl.col("at").diff().over("ticker").dt.total_minutes())
        .filter(pl.col("step") > 0)
        .collect()
    )
    if steps.is_empty():
        raise UnreadableFile(f"{file} has one bar a ticker: too little to tell how long a bar is. Import at least two.")
    within_day = steps.filter(pl.col("step") < 20 * 60)
    if within_day.height < 0.1 * steps.height:
        usual = float(steps.select(pl.col("step").median()).item())
        if usual > 4 * 1440:
            raise UnreadableFile(f"{file} has a bar every {usual / 1440:.0f} days; the lab needs daily bars or shorter ones.")
        return BarLength(DAILY, 1 - within_day.height / steps.height)
    mode = int(within_day.select(pl.col("step").mode().min()).item())
    for name, length in MINUTES.items():
        if length == mode:
            # In thin trading many steps are several bars long; what speaks against the length are steps that it doesn't divide.
            whole = within_day.select((pl.col("step") % mode == 0).mean()).item()
            return BarLength(name, float(whole))
    raise UnreadableFile(f"{file} has a bar every {mode} minutes; the lab knows {', '.join(MINUTES)}.")
