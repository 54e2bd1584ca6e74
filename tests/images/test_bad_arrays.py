"""NumPy files that are broken or hostile: nothing is unpickled, nothing is believed."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from skysieve.core.scores import Status
from skysieve.images import read_span, scan
from tests.images.formats import SPEC, row_of, sky


def npy_header(text: str) -> bytes:
    """Return an npy file of this header without numbers."""
    raw = text.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw


class Canary:
    """Something that makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(tmp_path):
    canary = tmp_path / "ran"
    objects = np.array([Canary(canary)], object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "b.npz", images=objects)
    hidden = np.zeros(3, dtype=[("a", "f4"), ("b", object)])
    np.save(tmp_path / "c.npy", hidden, allow_pickle=True)
    (tmp_path / "d.npy").write_bytes(pickle.dumps(Canary(canary)))
    listing = scan(tmp_path)
    rows = read_span(listing, 0, listing.n_rows, SPEC).rows
    assert [row.status for row in rows] == [Status.UNREADABLE] * 4
    assert "objects" in rows[0].message
    assert "np.save" in rows[0].message
    assert not canary.exists()


HOSTILE_NPY = {
    "huge": ("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}", "shape"),
    "huge plane": ("{'descr': '<f4', 'fortran_order': False, 'shape': (10**6, 10**6)}", "NumPy"),
    "mosaic": ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999, 99999)}", "mosaic"),
    "negative": ("{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 64)}", "-3"),
    "deep": ("(" * 3000, "NumPy"),
    "call": ("__import__('os').getcwd()", "NumPy"),
    "complex": ("{'descr': '<c8', 'fortran_order': False, 'shape': (64, 64)}", "real"),
    "bool": ("{'descr': '|b1', 'fortran_order': False, 'shape': (64, 64)}", "real"),
    "no axes": ("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "shape"),
    "empty": ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3, 64, 64)}", "shape"),
}


@pytest.mark.parametrize("case", HOSTILE_NPY)
def test_a_hostile_npy_header_is_a_row(case, tmp_path):
    text, word = HOSTILE_NPY[case]
    path = tmp_path / "x.npy"
    path.write_bytes(npy_header(text))
    row = row_of(path)
    assert row.status in {Status.UNREADABLE, Status.BAD_SHAPE}
    assert word in row.message


def test_rows_before_the_cut_are_read(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, sky(4))
    path.write_bytes(path.read_bytes()[:-100])
    rows = read_span(scan(path), 0, 4, SPEC).rows
    assert [row.status for row in rows] == [Status.OK] * 3 + [Status.TRUNCATED]


def test_what_follows_an_array_is_not_passed_over(tmp_path):
    path = tmp_path / "x.npy"
    with path.open("wb") as file:
        np.save(file, sky(1))
        np.save(file, sky(1))
    assert "one array" in row_of(path).message


def test_npz_members_are_capped_before_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("skysieve.images.archives.MAX_UNPACKED_BYTES", 10**6)
    lies = npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (9, 4000, 4000)}")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", lies + bytes(10**6))
    np.savez_compressed(tmp_path / "large.npz", images=np.zeros((40, 3, 64, 64)))
    with zipfile.ZipFile(tmp_path / "many.npz", "w") as archive:
        for k in range(2000):
            archive.writestr(f"../{k}.npy", b"")
    listing = scan(tmp_path)
    rows = read_span(listing, 0, listing.n_rows, SPEC).rows
    assert [row.status for row in rows] == [Status.TRUNCATED, Status.BAD_SHAPE, Status.BAD_SHAPE]
