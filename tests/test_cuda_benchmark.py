"""The benchmark of CUDA kernels runs on the emulation; its numbers mean nothing there."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")


def test_program(emulated, bench, tmp_path, capsys, structures):
    data, out = tmp_path / "data.npz", tmp_path / "cuda.json"
    np.savez(data, numbers=structures.numbers, positions=structures.positions,
             offsets=structures.offsets)  # fmt: skip
    options = "--copies 2 --rows 40 --features 8 --repeats 1 --megabytes 1 --product 16"
    bench("cuda").main(["--data", str(data), "--out", str(out), *options.split()])
    content = json.loads(out.read_text())
    assert content["devices"] == ["emulation on the host"]
    assert len(content["rows"]) == 12
    for row in content["rows"]:
        assert row["seconds"] > 0
        assert row["share_of_floor"] == pytest.approx(row["floor"] / row["seconds"])
    assert "laplacian kernel of one set, float32, 40 x 40, 8 features" in capsys.readouterr().out


def test_says_why_without_a_device(bench, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("molkern.cuda._found", lambda: "nothing is installed")
    with pytest.raises(SystemExit):
        bench("cuda").main(["--data", "none.npz", "--out", str(tmp_path / "cuda.json")])
    assert "no CUDA device can be used: nothing is installed" in capsys.readouterr().err
