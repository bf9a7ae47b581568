"""Learning curves: the protocol's splits, numbers against plain NumPy, and wrong input."""

import json

import numpy as np
import pytest

import molkern as mk
from molkern.regression import (
    DEFAULT_ALPHAS,
    KernelRidge,
    Similarity,
    default_sigmas,
    fit_baseline,
    tune,
)
from molkern.regression.validation import alpha_of_larger_set
from molkern.study import Result, accuracy, compare, make_splits
from molkern.study.models import default_representations, label, representation, specification
from study_data import chains

SECONDS = [f"seconds_{stage}" for stage in ("representation", "kernel", "tune", "fit", "predict")]


def values(frame):
    """Everything but times."""
    return frame.drop(columns=[name for name in frame if name.startswith("seconds")])


# Numbers


@pytest.mark.parametrize("kernel", ["laplacian", "gaussian"])
@pytest.mark.parametrize("baseline", ["mean", "elements"])
def test_rows_match_the_protocol_done_by_hand(kernel, baseline):
    folds = tuple(np.arange(60)[k::3] for k in range(3))
    data = chains(folds=folds)
    result = accuracy(
        data, mk.BagOfBonds(), kernel=kernel, sizes=[12, 40], baseline=baseline, seeds=[5]
    )
    assert len(result.frame) == 6
    X = mk.BagOfBonds().fit_transform(data.structures)
    y, counts = data.targets["energy"], data.structures.composition()
    for split in make_splits(data, seeds=[5]):
        for n in (12, 40):
            rows, test = split.train[:n], split.test
            (row,) = result.frame.query(f"fold == {split.fold} and n_train == {n}").to_dict(
                "records"
            )
            model = KernelRidge(
                kernel=kernel, sigma=row["sigma"], alpha=row["alpha"], baseline=baseline
            )
            model.fit(X[rows], y[rows], structures=data.structures[rows])
            error = np.abs(model.predict(X[test], structures=data.structures[test]) - y[test])
            # One distance matrix of all rows here, of the subset there: rounding, times the
            # condition number of the kernel matrix.
            check = dict(rtol=1e-4, atol=1e-7)
            np.testing.assert_allclose(row["mae"], error.mean(), **check)
            np.testing.assert_allclose(row["rmse"], np.sqrt((error**2).mean()), **check)
            np.testing.assert_allclose(row["max_error"], error.max(), **check)
            base = fit_baseline(baseline, y[rows, None], counts[rows]).predict(20, counts[test])
            by_baseline = np.abs(base[:, 0] - y[test]).mean()
            np.testing.assert_allclose(row["mae_baseline"], by_baseline, rtol=1e-12)
            assert row["n_test"] == 20
            assert row["alpha"] in DEFAULT_ALPHAS
            assert row["n_features"] == X.shape[1]


def test_frame_states_everything():
    result = accuracy(chains(), "bag_of_bonds", sizes=[20], seeds=[0])
    (row,) = result.frame.to_dict("records")
    expected = {
        "dataset": "chains", "property": "energy", "unit": "eV", "kernel": "laplacian",
        "representation": "Bag of bonds", "baseline": "elements", "n_train": 20, "n_test": 12,
        "fold": 0, "seed": 0, "n_tune": 20, "unseen": "", "n_unseen": 0,
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert all(row[name] >= 0 for name in SECONDS)
    assert row["mae"] <= row["rmse"] <= row["max_error"]
    assert result.metadata["sizes"] == [20]
    assert result.metadata["molkern"] == mk.__version__


def test_more_data_help():
    result = accuracy(chains(200), "bag_of_bonds", sizes=[20, 40, 80, 160])
    assert result.slope() < -0.3
    summary = result.summary()
    assert list(summary["n_runs"]) == [3, 3, 3, 3]
    assert summary["mae"].is_monotonic_decreasing


def test_results_do_not_depend_on_the_other_sizes_or_on_sharing():
    data = chains(80)
    many = values(accuracy(data, "bag_of_bonds", sizes=[10, 30, 64], n_tune=20, seeds=[0]).frame)
    alone = values(accuracy(data, "bag_of_bonds", sizes=[64], n_tune=20, seeds=[0]).frame)
    last = many[many["n_train"] == 64].reset_index(drop=True)
    assert last.equals(alone)
    assert last["n_tune"].item() == 20
    blocks = values(
        accuracy(data, "bag_of_bonds", sizes=[64], n_tune=20, seeds=[0], max_bytes=0).frame
    )
    # The Laplacian is bitwise the same whichever rows are asked for.
    assert blocks.equals(alone)


def test_larger_sets_take_the_narrower_kernel_of_the_first_n_tune_and_adapt_alpha():
    data, options = chains(80), {"seeds": [0], "baseline": "mean"}
    small = accuracy(data, "bag_of_bonds", sizes=[30], **options).rows[0]
    large = accuracy(data, "bag_of_bonds", sizes=[60], n_tune=30, **options).rows[0]
    train = make_splits(data, [0])[0].train[:60]
    rows = train[:30]
    similarity = Similarity(mk.BagOfBonds().fit_transform(data.structures), kernel="laplacian")
    sigmas = default_sigmas(similarity.median_distance(rows))
    y = data.targets["energy"][rows, None]
    tuned = tune(similarity.gram_for_tuning(rows, sigmas), y, sigmas=sigmas, baseline="mean")
    assert (small["sigma"], small["alpha"]) == (tuned.sigma, tuned.alpha)
    alpha = alpha_of_larger_set(
        similarity.gram(train, tuned.sigma_larger),
        data.targets["energy"][train, None],
        alpha=tuned.alpha_larger,
        baseline="mean",
    )
    assert (large["sigma"], large["alpha"]) == (tuned.sigma_larger, alpha)


def test_random_copies_use_the_averaged_kernel():
    data = chains(60)
    model = mk.CoulombMatrix(permutation="random", n_copies=4, random_state=3)
    result = accuracy(data, model, sizes=[20, 48], seeds=[0, 1], baseline="mean")
    X, y = model.fit_transform(data.structures), data.targets["energy"]
    for row, split in zip(result.rows[1::2], make_splits(data, [0, 1]), strict=True):
        ridge = KernelRidge(sigma=row["sigma"], alpha=row["alpha"], baseline="mean", n_copies=4)
        ridge.fit(X[split.train], y[split.train])
        error = np.abs(ridge.predict(X[split.test]) - y[split.test])
        np.testing.assert_allclose(row["mae"], error.mean(), rtol=1e-6)
        assert row["n_features"] == X.shape[1] // 4
    whole = values(result.frame)
    for max_bytes in (0, 8 * 60**2):
        part = accuracy(
            data, model, sizes=[20, 48], seeds=[0, 1], baseline="mean", max_bytes=max_bytes
        )
        numbers = ["mae", "rmse", "max_error"]
        # The sum over pairs of copies runs in another order for another order of the rows.
        np.testing.assert_allclose(part.frame[numbers], whole[numbers], rtol=1e-4)


def test_labels_play_no_part_in_the_shape():
    """A structure without a label is left out before the shapes are fixed; labels do not matter."""
    data = chains()
    shuffled = data.replace(targets={"energy": data.targets["energy"][::-1].copy()})
    a = accuracy(data, "coulomb_matrix", sizes=[20], seeds=[0]).frame
    b = accuracy(shuffled, "coulomb_matrix", sizes=[20], seeds=[0]).frame
    assert a["n_features"].item() == b["n_features"].item()
    assert a["mae"].item() != b["mae"].item()


def test_duplicates():
    data = chains(20)
    twice = data.select(np.repeat(np.arange(20), 2))
    assert np.isfinite(accuracy(twice, "bag_of_bonds", sizes=[8, 32]).frame["mae"]).all()


# compare, progress, result


def test_compare_joins_models_on_the_same_splits():
    data = chains()
    result = compare(data, ["coulomb_matrix", "bag_of_bonds"], sizes=[10, 40], seeds=[0])
    assert len(result.frame) == 8
    assert (
        list(result.slopes()["representation"])
        == ["Coulomb matrix (sorted)"] * 2 + ["Bag of bonds"] * 2
    )
    alone = accuracy(data, "bag_of_bonds", kernel="gaussian", sizes=[10, 40], seeds=[0])
    part = result.frame.query("representation == 'Bag of bonds' and kernel == 'gaussian'")
    assert values(part.reset_index(drop=True)).equals(values(alone.frame))
    slope = result.slope("Bag of bonds", "gaussian")
    assert slope == alone.slope()
    with pytest.raises(ValueError, match="slope: expected one model, found 4"):
        result.slope()
    with pytest.raises(ValueError, match="slope: expected one model, found 0"):
        result.slope("SOAP")


def test_default_comparison_has_four_representations():
    frame = compare(chains(30), kernels=["laplacian"], sizes=[20], seeds=[0]).frame
    assert list(frame["representation"]) == [
        "Coulomb matrix (sorted)",
        "Coulomb matrix (random, 8 copies)",
        "Coulomb matrix (eigenspectrum)",
        "Bag of bonds",
    ]


def test_progress_reaches_every_total():
    events = []
    compare(chains(), ["bag_of_bonds"], sizes=[10, 20], seeds=[0, 1], progress=events.append)
    for model in (0, 1):
        own = [event for event in events if event.model == model]
        last = {event.stage: (event.completed, event.total) for event in own}
        assert last == {"representation": (1, 1), "kernel": (1, 1), "tune": (4, 4), "fit": (4, 4)}
        assert own[0].label == f"Bag of bonds, {('laplacian', 'gaussian')[model]}"
        assert own[0].n_models == 2


def test_slope_is_that_of_a_power_law():
    rows = [
        {"representation": "a", "kernel": "k", "n_train": n, "mae": 5.0 * n**-0.7 * scale,
         "rmse": 1.0, "max_error": 1.0, **dict.fromkeys(SECONDS, 0.0)}
        for n in (100, 200, 1000) for scale in (0.9, 1.1)
    ]  # fmt: skip
    result = Result(tuple(rows))
    np.testing.assert_allclose(result.slope(), -0.7, rtol=1e-12)
    np.testing.assert_allclose(result.summary()["mae_std"], 0.1 * 5 * np.sqrt(2) * np.array(
        [100, 200, 1000]) ** -0.7, rtol=1e-12)  # fmt: skip
    assert np.isnan(result.slope(n_min=500))


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_saved_and_loaded(tmp_path, ending):
    result = accuracy(chains(), "bag_of_bonds", sizes=[10, 20], seeds=[0])
    path = result.save(tmp_path / f"result.{ending}")
    loaded = Result.load(path)
    assert loaded.frame.equals(result.frame)
    if ending == "json":
        assert loaded == result


def test_saving_and_loading_errors(tmp_path):
    with pytest.raises(ValueError, match=r"path: expected the ending .json or .csv, found 'a.txt'"):
        Result(()).save(tmp_path / "a.txt")
    with pytest.raises(ValueError, match=r"found 'a.txt'"):
        Result.load(tmp_path / "a.txt")
    (tmp_path / "b.json").write_text(json.dumps({"rows": []}))
    with pytest.raises(ValueError, match=r"b.json is not a result of a study"):
        Result.load(tmp_path / "b.json")
    (tmp_path / "b.csv").write_text("mae,n_train\n1.0,many\n")
    with pytest.raises(ValueError, match=r"b.csv is not a result of a study: invalid literal"):
        Result.load(tmp_path / "b.csv")


# Representations by name


def test_labels_and_specifications():
    random = representation({"name": "coulomb_matrix_random", "n_copies": 4})
    assert label(random) == "Coulomb matrix (random, 4 copies)"
    assert specification(random)["parameters"]["random_state"] == 0
    assert label(representation("coulomb_matrix_unsorted")) == "Coulomb matrix (unsorted)"
    assert label(mk.CoulombMatrix(length_unit="angstrom", n_threads=2)) == (
        "Coulomb matrix (sorted, length_unit=angstrom)"
    )
    assert "n_threads" not in specification(mk.BagOfBonds(n_threads=2))["parameters"]
    given = mk.CoulombMatrix(permutation="random", n_copies=2)
    assert representation(given).random_state == 0
    assert given.random_state is None
    assert representation(mk.CoulombMatrix(permutation="random", random_state=9)).random_state == 9


def test_unknown_representation_raises():
    with pytest.raises(ValueError, match=r"representation: expected one of .*, found 'soup'"):
        representation("soup")
    with pytest.raises(ValueError, match=r"representation 'bag_of_bonds': .*n_max"):
        representation({"name": "bag_of_bonds", "n_max": 3})
    with pytest.raises(TypeError, match=r"representation: expected a name, .*, found int"):
        representation(3)
    with pytest.raises(TypeError, match="found a class, BagOfBonds"):
        representation(mk.BagOfBonds)


# Wrong input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "cubic"}, r"kernel: expected one of .*, found 'cubic'"),
        ({"property": "gap"}, r"property: expected one of \['energy'\] of 'chains', found 'gap'"),
        ({"property": "forces"}, "forces are foreseen .* but cannot be learnt yet"),
        ({"baseline": "median"}, "baseline: expected one of"),
        ({"sizes": [49]}, r"sizes: expected training-set sizes from 5 .* to 48 .*, found \[49\]"),
        ({"sizes": [4]}, "sizes: expected training-set sizes from 5"),
        ({"sizes": []}, "sizes: expected training-set sizes"),
        ({"cv": 1}, "cv and n_tune: expected 2 <= cv <= n_tune, found 1 and 2000"),
        ({"n_tune": 3}, "found 5 and 3"),
        ({"seeds": []}, "seeds: expected different non-negative integers"),
    ],
)
def test_wrong_option_raises(options, message):
    with pytest.raises(ValueError, match=message):
        accuracy(chains(), "bag_of_bonds", **options)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (20, "sizes: expected a sequence of integers, found 20"),
        ("20", "sizes: expected a sequence of integers, found '20'"),
        ([20.5], "sizes: expected an integer of 1 or more, found 20.5"),
    ],
)
def test_sizes_of_wrong_types_raise(sizes, message):
    with pytest.raises(TypeError, match=message):
        accuracy(chains(), "bag_of_bonds", sizes=sizes)


def test_wrong_data_raises():
    with pytest.raises(ValueError, match="at least 10 structures with a label, found 9"):
        accuracy(chains(9), "bag_of_bonds")
    data = chains()
    wide = data.replace(targets={"energy": np.zeros((60, 2))})
    with pytest.raises(ValueError, match=r"'energy' has shape \(60, 2\)"):
        accuracy(wide, "bag_of_bonds")
    unlabelled = data.replace(targets={"energy": np.full(60, np.nan)})
    with pytest.raises(ValueError, match="at least 10 structures with a label, found 0"):
        accuracy(unlabelled, "bag_of_bonds")
    with pytest.raises(ValueError, match="fold 1 of 'chains' has 60 training and 0 test"):
        accuracy(data.replace(folds=(np.arange(60)[:30], np.arange(0))), "bag_of_bonds")


def test_empty_or_repeated_models_raise():
    with pytest.raises(ValueError, match=r"representations: expected at least one, found \[\]"):
        compare(chains(), [])
    with pytest.raises(ValueError, match=r"kernels: expected at least one, found \[\]"):
        compare(chains(), "bag_of_bonds", kernels=[])
    with pytest.raises(
        ValueError, match="representations: expected different ones, found twice: Bag of bonds"
    ):
        compare(chains(), ["acsf", "bag_of_bonds", mk.BagOfBonds()])
    with pytest.raises(ValueError, match="kernels: expected different ones, found twice: gaussian"):
        compare(chains(), ["bag_of_bonds"], kernels=["gaussian", "gaussian"])


def test_ten_structures_are_enough():
    frame = accuracy(chains(10), "bag_of_bonds").frame
    assert list(frame["n_train"]) == [8, 8, 8]


def test_frames_of_one_molecule_are_compared_without_sorting():
    water = ([8, 1, 1], [[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    methane = ([6, 1, 1, 1, 1], np.random.default_rng(0).uniform(0, 3, (5, 3)))
    turned = ([1, 8, 1], water[1])
    cases = {
        True: [[water, water, water]],
        False: [[water], [water, methane], [water, turned], []],
    }
    for frames, batches in cases.items():
        for batch in batches:
            found = default_representations(mk.Structures.from_arrays(batch))
            assert ("coulomb_matrix_unsorted" in found) == frames
            assert ("coulomb_matrix_random" in found) != frames


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("acsf", "ACSF (8 G2, 16 G4, sum)"),
        ("ani-2x", "AEV (ANI-2x, sum)"),
        ("soap", "SOAP (2.5 Å, sum)"),
    ],
)
def test_local_representations_are_models(name, words):
    result = compare(chains(30), [name], kernels=["gaussian"], sizes=[20], seeds=[0])
    assert set(result.frame["representation"]) == {words}
    assert result.frame["mae"].notna().all()
