"""Tables of rows behind a path: plain, compressed, in an archive or in a folder of these, read piece by piece."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

import polars as pl

from lab.market.columns import HOW, listed, names_prices
from lab.market.errors import UnreadableFile
from lab.market.layouts import Layout, layout_of, lean_bars, lean_name

SEPARATORS = (",", ";", "\t", "|")
_HEAD_BYTES = 65_536
_PIECE_BYTES = 1 << 24
_PIECE_ROWS = 250_000
_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".gz", ".bz2", ".xz", ".zip")
_BROKEN = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, EOFError, zlib.error, zipfile.BadZipFile, lzma.LZMAError)


class FileKind(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Table:
    """One table of rows with the same columns: a file, or a member of an archive."""

    path: Path
    member: str
    """The name inside a zip archive; empty for a file of its own."""
    kind: FileKind
    layout: Layout
    separator: str
    """Between the fields of a CSV file; empty for Parquet."""
    encoding: str
    names: tuple[str, ...]
    header_lines: int
    """Lines before the first row."""
    ticker: str = ""
    """The stock all rows are of, where the file says it outside its rows."""

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return f"{self.path.name} ({self.member})" if self.member else self.path.name

    @property
    def stem(self) -> str:
        """The name without its endings: what a file of one stock is called after."""
        name = Path(self.member or self.path.name).name
        while Path(name).suffix.lower() in _SUFFIXES:
            name = Path(name).stem
        return name

    def pieces(self, wanted: Sequence[str], rows: int | None = None) -> Iterator[pl.DataFrame]:
        """The wanted columns in pieces of some hundred thousand rows, at most `rows` in all; texts in CSV, what they are in Parquet.

        Raises `UnreadableFile` where the file is broken.
        """
        wanted = list(dict.fromkeys(wanted))
        try:
            if self.kind is FileKind.PARQUET:
                yield from self._parquet_pieces(wanted, rows)
            elif self.layout is Layout.LEAN:
                yield from (lean_bars(piece, self.path, self.member).select(wanted) for piece in self._text_pieces(None, rows))
            else:
                yield from self._text_pieces(wanted, rows)
        except _BROKEN as error:
            raise broken(self.path, self.kind, error) from error

    def _parquet_pieces(self, wanted: list[str], rows: int | None) -> Iterator[pl.DataFrame]:
        scan = pl.scan_parquet(self.path, glob=False)
        total = int(scan.select(pl.len()).collect().item())
        total = total if rows is None else min(total, rows)
        for start in range(0, total, _PIECE_ROWS):
            yield scan.select(wanted).slice(start, min(_PIECE_ROWS, total - start)).collect()

    def _text_pieces(self, wanted: list[str] | None, rows: int | None) -> Iterator[pl.DataFrame]:
        header = io.StringIO()
        csv.writer(header, delimiter=self.separator, lineterminator="\n").writerow(self.names)
        head = header.getvalue().encode("latin-1" if self.encoding == "latin-1" else "utf-8")
        size = _PIECE_BYTES if rows is None else _HEAD_BYTES
        with opened(self.path, self.member) as stream:
            for _ in range(self.header_lines):
                stream.readline()
            while piece := stream.read(size):
                piece += stream.readline()
                if not piece.strip():
                    continue
                frame = pl.read_csv(
                    head + piece, separator=self.separator, infer_schema=False, columns=wanted, encoding=self.encoding, n_rows=rows
                )
                yield frame
                if rows is not None:
                    return


def find_tables(path: Path) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """The tables of a file, an archive or a folder with all below it; and a sentence for each text in a folder that holds no bars.

    Such texts (a licence, a list of names) are left out. Raises `UnreadableFile` where there is no table, where one that should
    hold bars can't be read, or where two have different columns: those are not one import.
    """
    found: list[Table] = []
    refused: list[str] = []
    left_out: list[str] = []
    if not path.is_dir():
        return _with_bars(list(_tables_of(path, left_out)), left_out)
    files = sorted(one for one in path.rglob("*") if one.suffix.lower() in _SUFFIXES and one.is_file() and not one.name.startswith("."))
    for file in files:
        try:
            found += _tables_of(file, left_out)
        except UnreadableFile as error:
            (left_out if file.suffix.lower() == ".txt" else refused).append(str(error))
    if not found:
        why = next(iter((*refused, *left_out)), "The lab reads CSV and Parquet files, also in .gz and .zip.")
        raise UnreadableFile(f"The folder {path} holds no file of bars. {why}")
    if refused:
        raise UnreadableFile(f"The folder {path} holds files that are no bars: {refused[0]} Move them out, or import the others alone.")
    return _with_bars(found, left_out)


def _with_bars(found: list[Table], left_out: list[str]) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """The tables without those that name no price beside others that do; raises `UnreadableFile` where two have different columns."""
    if any(names_prices(one.names) for one in found):
        left_out += [f"{one.name} has no column with prices; its columns are {listed(one.names)}." for one in found if not _has_bars(one)]
        found = [one for one in found if _has_bars(one)]
    first = found[0]
    for other in found:
        if set(other.names) != set(first.names):
            raise UnreadableFile(
                f"{first.name} and {other.name} have different columns ({', '.join(first.names[:8])}; {', '.join(other.names[:8])}): "
                "import them one by one, or put them into folders of their own."
            )
    return tuple(found), tuple(left_out)


def _has_bars(table: Table) -> bool:
    return table.kind is FileKind.PARQUET or names_prices(table.names)


def _tables_of(path: Path, left_out: list[str]) -> Iterator[Table]:
    """The tables of one file; texts in an archive that hold none are named in `left_out`."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except FileNotFoundError:
        raise UnreadableFile(f"There is no file {path}.") from None
    except OSError as error:
        raise UnreadableFile(f"{path} can't be read ({error.strerror}).") from error
    if start == b"\x28\xb5\x2f\xfd":
        raise UnreadableFile(f"{path.name} is compressed with zstd: unpack it and import the CSV or Parquet file inside.")
    if start != b"PK\x03\x04":
        yield _table(path, "")
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.namelist() if one.lower().endswith((".csv", ".txt", ".tsv")) and "__MACOSX" not in one]
    except zipfile.BadZipFile:
        raise UnreadableFile(f"{path.name} is not a whole zip archive. Download or pack it again.") from None
    if not members:
        raise UnreadableFile(f"{path.name} is an archive without a CSV file: unpack it and import the file of bars inside.")
    found = 0
    for member in sorted(members):
        try:
            yield _table(path, member)
            found += 1
        except UnreadableFile as error:
            if Path(member).suffix.lower() != ".txt" or len(members) == 1:
                raise
            left_out.append(str(error))
    if not found:
        raise UnreadableFile(f"{path.name} is an archive without a file of bars. {left_out[-1]}")


def _table(path: Path, member: str) -> Table:
    name = member or path.name
    try:
        with opened(path, member) as stream:
            head = stream.read(_HEAD_BYTES)
    except _BROKEN as error:
        raise broken(path, FileKind.CSV, error) from error
    if not head.strip():
        raise UnreadableFile(f"{name} is empty: there is nothing to import.")
    if head.startswith(b"PAR1") and not member:
        try:
            return Table(path, "", FileKind.PARQUET, Layout.PLAIN, "", "", tuple(pl.read_parquet_schema(path)), 0)
        except _BROKEN as error:
            raise broken(path, FileKind.PARQUET, error) from error
    if b"\0" in head or Path(name).suffix.lower() in (".parquet", ".pq"):
        raise UnreadableFile(f"{name} is neither a CSV nor a whole Parquet file. {HOW}")
    try:
        head[: head.rfind(b"\n") + 1 or None].decode("utf-8")
        encoding = "utf8-lossy"
    except UnicodeDecodeError:
        # What spreadsheets in western Europe write. Unlike the code page it stands for it has a letter for every byte.
        encoding = "latin-1"
    text = head.decode("latin-1" if encoding == "latin-1" else "utf-8-sig", "replace")
    lines = text.splitlines()
    if len(head) == _HEAD_BYTES and len(lines) > 1:
        lines = lines[:-1]
    separator, rows, blank = _fields(name, lines)
    found = layout_of(name, lean_name(path, member), rows, separator)
    lines_before = found.header_lines + blank if found.header_lines else 0
    return Table(path, member, FileKind.CSV, found.layout, separator, encoding, found.names, lines_before, found.ticker)


def _fields(name: str, lines: list[str]) -> tuple[str, list[list[str]], int]:
    """The separator, the first rows in fields, and how many blank lines come before them."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise UnreadableFile(f"{name} is empty: there is nothing to import.")
    blank = next(number for number, line in enumerate(lines) if line.strip())
    separator = max(SEPARATORS, key=lambda one: filled[0].count(one))
    rows = list(csv.reader(filled[:50], delimiter=separator))
    alike = sum(1 for row in rows if len(row) == len(rows[0])) / len(rows)
    # Some vendors write their names as <TICKER>,<DATE>; a web page saved by mistake starts with a bracket too.
    markup = filled[0].lstrip()[:1] in ("<", "{", "[") and not filled[0].split(separator)[0].strip().endswith(">")
    if len(rows[0]) < 2 or alike < 0.8 or markup:
        raise UnreadableFile(f"{name} is not a CSV or Parquet file with bars: its lines don't have the same columns. {HOW}")
    return separator, rows, blank


@contextmanager
def opened(path: Path, member: str) -> Iterator[IO[bytes]]:
    """The bytes of a file as they were before compression, or those of an archive's member."""
    if member:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            yield stream
        return
    with path.open("rb") as plain:
        start = plain.read(6)
        plain.seek(0)
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(plain) as stream:
                yield io.BufferedReader(stream)
        elif start.startswith(b"BZh"):
            with bz2.open(plain) as packed:
                yield packed
        elif start == b"\xfd7zXZ\0":
            with lzma.open(plain) as packed:
                yield packed
        else:
            yield plain


def broken(path: Path, kind: FileKind, error: BaseException) -> UnreadableFile:
    """What to say of a file that can't be read to its end."""
    if isinstance(error, (EOFError, zlib.error, zipfile.BadZipFile, lzma.LZMAError, gzip.BadGzipFile)):
        return UnreadableFile(f"{path.name} is not a whole compressed file ({error}). Download or pack it again.")
    if isinstance(error, OSError) and not isinstance(error, pl.exceptions.PolarsError) and error.strerror:
        return UnreadableFile(f"{path} can't be read ({error.strerror}).")
    what = "a whole Parquet file" if kind is FileKind.PARQUET else "a CSV file whose lines all have the same columns"
    first_line = str(error).strip().splitlines()[0][:160] if str(error).strip() else "its content is damaged"
    return UnreadableFile(f"{path.name} is not {what}: {first_line}. Export it again and import the new file.")
