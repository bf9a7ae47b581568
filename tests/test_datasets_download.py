"""Downloads: Pooch against a server on this machine. No published address is contacted."""

import functools
import hashlib
import http.server
import io
import json
import tarfile
import threading

import numpy as np
import pytest

from molkern.datasets import fetch, load, verify
from molkern.datasets.entry import Content, Entry, File
from molkern.datasets.registry import ENTRIES

WATER = ([8, 1, 1], [[0.0, 0.0, 0.119], [0.0, 0.763, -0.477], [0.0, -0.763, -0.477]])
XYZ = """3
gdb {number}\t1\t1\t1\t1\t1\t1\t1\t1\t1\t1\t-76.4\t-76.3\t-76.2\t-76.5\t1
O\t0.0\t0.0\t0.119\t-0.2
H\t0.0\t0.763\t-0.477\t0.1
H\t0.0\t-0.763\t-0.477\t0.1
1.0\t2.0\t3.0
O\tO
InChI=1S/H2O/h1H2\tInChI=1S/H2O/h1H2
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("MOLKERN_DATA", raising=False)
    monkeypatch.setenv("MOLKERN_CACHE", str(tmp_path / "cache"))


def write_npz(path, n=3, energy=-76.0):
    np.savez(
        path,
        numbers=WATER[0] * n,
        positions=WATER[1] * n,
        offsets=np.arange(n + 1) * 3,
        energy=np.full(n, energy),
    )
    return path


@pytest.fixture
def server(tmp_path):
    """A web server of one folder on this machine; yields the folder and its address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_address[1]}/"
        running.shutdown()
        thread.join()


def register(monkeypatch, url, **hashes):
    file = File("tiny.npz", "npz", "this test", url=url, content=Content((3,)), **hashes)
    entry = Entry("tiny", "three molecules", "energy", "hartree", (file,))
    monkeypatch.setitem(ENTRIES, "tiny", entry)


def test_unpublished_hash_is_pinned_and_said(server, monkeypatch, tmp_path):
    folder, address = server
    write_npz(folder / "tiny.npz")
    register(monkeypatch, address + "tiny.npz")
    with pytest.warns(UserWarning, match="tiny.npz was not verified by a hash"):
        first = load("tiny")
    assert first.verified.startswith("not verified by hash")
    assert "3 structures" in first.verified
    assert json.loads((tmp_path / "cache/hashes.json").read_text()) == {"tiny.npz": first.sha256}
    again = load("tiny")
    assert again.verified.endswith("unchanged since its download")
    assert verify("tiny").checks == ("3 structures",)
    assert fetch("tiny") == tmp_path / "cache/tiny.npz"


def test_changed_after_download_raises(server, monkeypatch, tmp_path):
    folder, address = server
    write_npz(folder / "tiny.npz")
    register(monkeypatch, address + "tiny.npz")
    with pytest.warns(UserWarning, match="not verified"):
        fetch("tiny")
    write_npz(tmp_path / "cache/tiny.npz", energy=0.0)
    with pytest.raises(ValueError, match=r"tiny\.npz: SHA-256 is .* but was .* at its download"):
        load("tiny")


def test_published_hash(server, monkeypatch):
    folder, address = server
    path = write_npz(folder / "tiny.npz")
    register(monkeypatch, address + "tiny.npz", md5=hashlib.md5(path.read_bytes()).hexdigest())
    assert load("tiny").verified == "MD5 (this test)"


def test_other_hash_raises(server, monkeypatch, tmp_path):
    folder, address = server
    write_npz(folder / "tiny.npz")
    register(monkeypatch, address + "tiny.npz", sha256="0" * 64)
    with pytest.raises(ValueError, match=r"tiny: http.*does not match the known hash"):
        load("tiny")
    assert not (tmp_path / "cache/tiny.npz").exists()


@pytest.mark.parametrize("content", [b"<html>not found</html>", None])
def test_wrong_content_is_not_kept(server, monkeypatch, tmp_path, content):
    folder, address = server
    if content is None:
        write_npz(folder / "tiny.npz", n=1)
    else:
        (folder / "tiny.npz").write_bytes(content)
    register(monkeypatch, address + "tiny.npz")
    match = "a web page, not the data" if content else "expected 3 structures, found 1"
    with pytest.raises(ValueError, match=match):
        load("tiny")
    assert not (tmp_path / "cache/tiny.npz").exists()


def test_failed_download_says_what_to_do(server, monkeypatch):
    _, address = server
    register(monkeypatch, address + "absent.npz")
    with pytest.raises(OSError, match=r"tiny: could not download .*absent.*its path"):
        load("tiny")


def test_damaged_memory_of_hashes_raises(server, monkeypatch, tmp_path):
    folder, address = server
    write_npz(folder / "tiny.npz")
    register(monkeypatch, address + "tiny.npz")
    with pytest.warns(UserWarning, match="not verified"):
        fetch("tiny")
    (tmp_path / "cache/hashes.json").write_text("{")
    with pytest.raises(ValueError, match=r"hashes\.json: damaged: .*delete it to start again"):
        load("tiny")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_companions_come_along_and_are_verified(server, monkeypatch, tmp_path):
    folder, address = server
    (folder / "dsgdb9nsd_000002.xyz").write_text(XYZ.format(number=2))
    (folder / "uncharacterized.txt").write_text("     2   NC(=N)C#N\n     9   O\n")
    with tarfile.open(folder / "a.tar.bz2", "w:bz2") as archive:
        for number in (1, 2, 3):
            content = XYZ.format(number=number).encode()
            member = tarfile.TarInfo(f"dsgdb9nsd_{number:06d}.xyz")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    listed = File(
        "uncharacterized.txt",
        "list",
        "this test",
        sha256=sha256(folder / "uncharacterized.txt"),
        url=address + "uncharacterized.txt",
    )
    file = File(
        "a.tar.bz2",
        "qm9-xyz",
        "this test",
        sha256=sha256(folder / "a.tar.bz2"),
        url=address + "a.tar.bz2",
        content=Content((2, 3)),
        companions=(listed,),
    )
    entry = Entry("tiny", "three molecules", "U0_atomization", "kcal/mol", (file,))
    monkeypatch.setitem(ENTRIES, "tiny", entry)
    dataset = load("tiny")
    assert len(dataset) == 2
    assert dataset.verified == "SHA-256 (this test)"
    both = f"{file.sha256}\n{listed.sha256}"
    assert dataset.sha256 == hashlib.sha256(both.encode()).hexdigest()
    (tmp_path / "cache/uncharacterized.txt").write_text("1\n")
    with pytest.raises(ValueError, match=r"uncharacterized\.txt: SHA-256 is .*, expected"):
        load("tiny")
