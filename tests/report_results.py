"""Results made by hand for the tests of reports: their numbers stand for nothing."""

from html.parser import HTMLParser

from molkern.study import Measurements, Result

SLOPES = {
    ("A", "laplacian"): (2.0, -0.5),
    ("A", "gaussian"): (4.0, -0.5),
    ("B", "laplacian"): (3.0, 0),
}


def rows(sizes=(100, 400, 1600), folds=5, scatter=0.1, **changes):
    """Curves that are exact powers of N, times 1 - scatter ... 1 + scatter over the folds."""
    result = []
    for (representation, kernel), (error, slope) in SLOPES.items():
        for fold in range(folds):
            factor = 1.0 + scatter * (2 * fold / (folds - 1) - 1 if folds > 1 else 0)
            for n in sizes:
                mae = error * (n / sizes[-1]) ** slope * factor
                row = {
                    "dataset": "molecules", "property": "energy", "unit": "eV",
                    "representation": representation, "kernel": kernel, "baseline": "mean",
                    "n_train": n, "n_test": 50, "fold": fold, "seed": 0,
                    "mae": mae, "rmse": 2 * mae, "max_error": 5 * mae,
                    "sigma": 10.0, "alpha": 1e-9, "n_tune": n, "n_features": 7,
                    "seconds_representation": 0.001 if representation == "A" else 0.004,
                    "seconds_kernel": 0.1, "seconds_tune": 1.0, "seconds_fit": 0.2,
                    "seconds_predict": 0.05,
                }  # fmt: skip
                result.append({**row, **changes})
    return result


def result_of(notes=(), **options):
    metadata = {"n_structures": 1000, "molkern": "0.1.0", "cv": 5, "n_tune": 2000,
                "source": "folder/molecules.xyz", "sha256": "12ab", "citation": "Some Paper",
                "verified": "not verified: no hash is known for this file"}  # fmt: skip
    return Result(tuple(rows(**options)), tuple(notes), metadata)


def words_cut(figure):
    """Words beside axes, and numbers at them, that are not inside the figure."""
    figure.draw_without_rendering()
    edges = figure.bbox.padded(0.05 * figure.dpi)  # for rounding in fonts
    texts = [text for axes in figure.axes if axes.axison for axis in (axes.xaxis, axes.yaxis)
             for text in (axis.label, *axis.get_ticklabels())]  # fmt: skip
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    assert len(boxes) > 8
    return [words for words, box in boxes
            if box.x0 < 0 or box.x1 > edges.x1 or box.y0 < 0 or box.y1 > edges.y1]  # fmt: skip


class Collector(HTMLParser):
    """Tags, attributes and visible text of a page; fails on tags that do not match."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def costs_of(sizes=(100, 400, 1600)):
    """B is 10 times as quick as A; times grow with N, in training with its square."""
    machine = {"processor": "Some CPU", "n_cores": 2, "isa": "x86-64-v4", "compiler": "GNU 12",
               "molkern": "0.1.0"}  # fmt: skip
    common = {"system": "molecules", "dtype": "float64", "average": "", "source": "structures",
              "kernel": "", "n_train": 0, "n_threads": 1, "n_structures": 100, "n_atoms": 1500,
              "bytes": 5600, "n_repeats": 3, "n_features": 7, "peak_bytes": 6000}  # fmt: skip
    found = []

    def add(seconds, **changes):
        times = {"seconds": seconds, "seconds_median": 1.1 * seconds}
        found.append({**common, **changes, **times, **machine})

    for name, factor in (("A", 1.0), ("B", 0.1)):
        add(factor * 1e-4, representation=name, operation="values")
        add(factor * 3e-4, representation=name, operation="values", source="ase")
        add(factor * 5e-4, representation=name, operation="vjp")
    for (name, kernel), (_, _) in SLOPES.items():
        factor = 1.0 if name == "A" else 0.1
        for n in sizes:
            learnt = {"representation": name, "kernel": kernel, "n_train": n}
            add(factor * 1e-6 * n**2, operation="train", **learnt)
            add(factor * 1e-5 * n, operation="predict", **learnt)
    about = {"processor": "Some CPU", "n_sample": 100}
    return Measurements(tuple(found), ("A, vjp: something was left out",), about)
