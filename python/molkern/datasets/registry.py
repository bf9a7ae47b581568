"""The registered data sets: their files, where those are published, and how they are verified.

A hash or an address stands here only with the source where it was seen. "data README" is the
description of the packed files, which gives the SHA-256 of each of them.
"""

from __future__ import annotations

from molkern.datasets import embedded, qm9_package
from molkern.datasets.entry import Content, Entry, File

__all__ = ["ENTRIES"]

_README = "data README"
_TFDS = "tensorflow/datasets: tensorflow_datasets/datasets/qm9/checksums.tsv"
_QM9PACK = "RECORD of qm9pack 1.0.3 on PyPI"
_QM9PACK_SHA256 = (
    "2bca113fdc0b28a13563c80ed9b240e934f3da6c64c64fe74ddb4f0f36036e61",
    "9c5efb5733d2af149db8d95d36ff198b4ffed12d9f7b344220a1e5877d5c6a43",
    "1729ebca7da76850ca1091c050933901c84b90edb30d06f34df1ebd47789d23a",
)
_FIGSHARE = "https://ndownloader.figshare.com/files/"
_GDML = "http://quantum-machine.org/gdml/data/npz/"
_PYG = "pyg-team/pytorch_geometric: torch_geometric/datasets/md17.py"
_FIGSHARE_RMD17 = "file number and MD5 of figshare article 12672038, quoted in two public loaders"
_FIGSHARE_SPLITS = "file number and MD5 of figshare article 12672038, quoted in a public loader"


_QM7_CONTENT = Content((7165,), 110650, (1, 6, 7, 8, 16), None, (("energy", -2192.01, -404.87),), 5)
_QM9_SIZES = (130831, 133885)

_QM7 = Entry(
    "qm7",
    "QM7: atomization energies of 7165 organic molecules, PBE0, five folds",
    "energy",
    "kcal/mol",
    (
        File(
            "qm7.npz",
            "qm7-packed",
            _README,
            sha256="acae50615fb28ef072017064b5de9e9cba1412fa379d8826eb5781243b448cce",
            content=_QM7_CONTENT,
        ),
        File(
            "qm7.mat",
            "qm7-mat",
            "address: deepchem/deepchem: examples/qm7/qm7_datasets.py; no published hash found",
            url="http://www.quantum-machine.org/data/qm7.mat",
            content=_QM7_CONTENT,
        ),
    ),
)
_QM7_QML = Entry(
    "qm7-qml",
    "QM7 as in the QML code: 7101 molecules, PBE0/def2-TZVP; not comparable with qm7",
    "energy",
    "kcal/mol",
    (
        File(
            "qm7_qml_pbe0.npz",
            "qm7-qml-packed",
            _README,
            sha256="0ee490879a1929ef93eea064874951e3346ed756e0b656f050124d1d6b84e8ee",
            content=Content(
                (7101,), 109600, (1, 6, 7, 8, 16), None, (("energy", -2188.26, -403.69),)
            ),
        ),
    ),
)
# From a wide margin beyond nonane to just above water.
_QM9_RANGES = (("U0_atomization", -2700.0, -200.0), ("gap", 0.0, 0.7))
# Complete labels first; the packed file has 34,146 of them.
_QM9 = Entry(
    "qm9",
    "QM9: 133,885 molecules of H, C, N, O, F, B3LYP/6-31G(2df,p)",
    "U0_atomization",
    "kcal/mol",
    (
        File(
            qm9_package.FILES[0],
            "qm9pack",
            _QM9PACK,
            sha256="19f0a5d595462d52cd82eef3370f3e9eb55a1f52cb14985657200349568deff3",
            content=Content((130831,), None, (1, 6, 7, 8, 9), None, _QM9_RANGES),
            companions=tuple(
                File(name, "list", _QM9PACK, sha256=sha256)
                for name, sha256 in zip(qm9_package.FILES[1:], _QM9PACK_SHA256, strict=True)
            ),
        ),
        File(
            "dsgdb9nsd.xyz.tar.bz2",
            "qm9-xyz",
            _TFDS,
            sha256="3a63848ac80691bdb8d41834b575afad345b9300d7a2db0c38adb7f6eaa8360c",
            url=_FIGSHARE + "3195389",
            content=Content(_QM9_SIZES, None, (1, 6, 7, 8, 9), None, _QM9_RANGES),
            companions=(
                File(
                    "uncharacterized.txt",
                    "list",
                    _TFDS,
                    sha256="3aa5115d540b356de94791d4a74c3bf1ed91c469ecf52a4f5d7cc0506fe02e24",
                    url=_FIGSHARE + "3195404",
                ),
            ),
        ),
        File(
            "gdb9.sdf",
            "qm9-sdf",
            "no published hash found",
            content=Content(_QM9_SIZES, None, (1, 6, 7, 8, 9), None, _QM9_RANGES),
        ),
        File(
            "qm9.npz",
            "qm9-packed",
            _README,
            sha256="123eeea1e57ad5f0f6ec332e9484fea1c82445aaef6e47887fffd85b396d0111",
            content=Content(_QM9_SIZES, None, (1, 6, 7, 8, 9), None, _QM9_RANGES),
        ),
    ),
)
_QM9_G4MP2 = Entry(
    "qm9-g4mp2",
    "the 6095 isomers C7H10O2 of QM9 with G4MP2 energies",
    "U0",
    "hartree",
    (
        File(
            "qm9_c7h10o2_g4mp2.npz",
            "qm9-g4mp2-packed",
            _README,
            sha256="777d2210a143942d889b34c4eae44114287cba9100e6e684f6f54c0e5a4c75aa",
            content=Content((6095,), 115805, formula=((1, 10), (6, 7), (8, 2))),
        ),
    ),
)

_FORMULAS = {
    "aspirin": ((1, 8), (6, 9), (8, 4)),
    "azobenzene": ((1, 10), (6, 12), (7, 2)),
    "benzene": ((1, 6), (6, 6)),
    "ethanol": ((1, 6), (6, 2), (8, 1)),
    "malonaldehyde": ((1, 4), (6, 3), (8, 2)),
    "naphthalene": ((1, 8), (6, 10)),
    "paracetamol": ((1, 9), (6, 8), (7, 1), (8, 2)),
    "salicylic": ((1, 6), (6, 7), (8, 3)),
    "toluene": ((1, 8), (6, 7)),
    "uracil": ((1, 4), (6, 4), (7, 2), (8, 2)),
}
# molecule: SHA-256 of the packed file (data README); number and MD5 on figshare of the original.
_RMD17 = {
    "aspirin": (
        "17bf2bc896693d2ac76534c1d353a4d150ffd147d2c80f6b7f385d799896abff",
        "62265757",
        "17fd6fb69066888613f7e16b358a7553",
    ),
    "azobenzene": (
        "00f254a476ec20f6101ed08fe5ed70f02c46d7c3bfbe7b5253acad70ac44e5c2",
        "62265754",
        "be79df918468eb3579aa73a0becf7390",
    ),
    "benzene": (
        "38cd3d89e949a5771d7468c80c66c8b72f2b0c34f335709dc2e9dd50fd1527f7",
        "62265739",
        "18c9242bc90fbf28215f6dd81e650f16",
    ),
    "ethanol": (
        "b2911b96be39ac818dc9485179a4b06fc8b46fe2f14561b181f245ab3f826c24",
        "62265733",
        "eb837fb8deb27d4e0d52f71a03aff776",
    ),
    "malonaldehyde": (
        "4a59fac2706c2ddfe79a824214a11a067ab0d6e2d35c6a9bc2648ce5b73183e9",
        "62265736",
        "cdc1d70c0c34062ddde6e5071eb6fe21",
    ),
    "naphthalene": (
        "604127ecceb701cadd59b0bbe2f4ad70a4b3b7bdd8424019ebd4ed235ef64d1b",
        "62265751",
        "0efba19c9907e3852318b1e6008b3b9e",
    ),
    "paracetamol": (
        "8d8dbf5d569a3a4f20f478ce73efbbad7f532bee843fe2cb19626fc2c5ae3377",
        "62265760",
        "ba10784f7b67635427085f6d7ec2dd97",
    ),
    "salicylic": (
        "0ffe005c8f70d254077b259b0990d18f56fe6cbb5b0d62b5976649a3cf37fb25",
        "62265748",
        "900fedf242da438400fa4293348d7dd1",
    ),
    "toluene": (
        "de8db5133a4175ed3dfbac0763fbe6af2e88824937b1c435d3ed4056b2feac2e",
        "62265742",
        "0f2913d51f8149c90ab28d697a076f64",
    ),
    "uracil": (
        "1a5d2d1b2fbc79a26a56759cb66c3d955cfa23de96eb912a1093d59c46d691fb",
        "62265745",
        "992a4479c28a07e0cce6da964805be31",
    ),
}
_SPLITS = {
    "train_01": ("62265793", "22264dcf2e42d6133362411abbbe4ce8"),
    "train_02": ("62265772", "28dbc9a3d5e7c47e653b1cc01809df35"),
    "train_03": ("62265775", "8de68b1b288c790e633c9d05ff5f04dd"),
    "train_04": ("62265766", "3764257abf8121a0905f364468ba83da"),
    "train_05": ("62265778", "4670362bd554c9c22581c936432236b3"),
    "test_01": ("62265781", "124c8a0849e84e244d6ce8424e1c05cf"),
    "test_02": ("62265769", "9dc098724c1680daca038b785ee4f602"),
    "test_03": ("62265787", "fd96f4623291dc23dd80b24dd634ca0b"),
    "test_04": ("62265790", "f0acce759fa4fe46b3a0b2a450e7e260"),
    "test_05": ("62265784", "4892da12e88a3c30c9a15f1f95e6eaac"),
}
_SPLIT_FILES = tuple(
    File(
        f"rmd17/index_{part}.csv",
        "list",
        _FIGSHARE_SPLITS,
        md5=md5,
        url=_FIGSHARE + number,
    )
    for part, (number, md5) in _SPLITS.items()
)


def _rmd17(molecule: str) -> Entry:
    sha256, number, md5 = _RMD17[molecule]
    formula = _FORMULAS[molecule]
    n_frames = 99988 if molecule == "azobenzene" else 100000
    path = f"rmd17/rmd17_{molecule}.npz"
    packed = Content((9633,), formula=formula, n_folds=5)
    original = Content((n_frames,), formula=formula)
    return Entry(
        f"rmd17-{molecule}",
        f"revised MD17, {molecule}: energies and forces along a trajectory, PBE/def2-SVP",
        "energy",
        "kcal/mol",
        (
            File(path, "rmd17-packed", _README, sha256=sha256, content=packed),
            File(
                path,
                "rmd17",
                _FIGSHARE_RMD17,
                md5=md5,
                url=_FIGSHARE + number,
                content=original,
                companions=_SPLIT_FILES,
            ),
        ),
    )


# Numbers of frames: the table in the same source as the addresses.
_MD17 = {
    "aspirin": ("md17_aspirin.npz", 211762),
    "azobenzene": ("azobenzene_dft.npz", 99999),
    "benzene": ("md17_benzene2017.npz", 627983),
    "benzene2018": ("benzene2018_dft.npz", 49863),
    "ethanol": ("md17_ethanol.npz", 555092),
    "malonaldehyde": ("md17_malonaldehyde.npz", 993237),
    "naphthalene": ("md17_naphthalene.npz", 326250),
    "paracetamol": ("paracetamol_dft.npz", 106490),
    "salicylic": ("md17_salicylic.npz", 320231),
    "toluene": ("md17_toluene.npz", 442790),
    "uracil": ("md17_uracil.npz", 133770),
}


def _md17(molecule: str) -> Entry:
    file, n_frames = _MD17[molecule]
    content = Content((n_frames,), formula=_FORMULAS[molecule.removesuffix("2018")])
    source = f"address: {_PYG}; no published hash found"
    return Entry(
        f"md17-{molecule}",
        f"original MD17, {molecule}: noisier labels than rMD17",
        "energy",
        "kcal/mol",
        (File(f"md17/{file}", "md17", source, url=_GDML + file, content=content),),
    )


_ANI = (
    Entry(
        "ani1-s01",
        "ANI-1, one heavy atom: 10,800 conformers of CH4, NH3, H2O, wB97x/6-31G(d)",
        "energy",
        "hartree",
        (
            File(
                "ani1_s01.npz",
                "ani-packed",
                _README,
                sha256="7f846b0461bb21f1d702aaaf9dec05042c4738e87698dca126c5d50dc7c418d9",
                content=Content((10800,), 46800, ranges=(("energy", -76.40, -40.43),)),
            ),
            File(
                "ani_gdb_s01.h5",
                "ani-h5",
                f"{_README}: tratohecho3/Machine-Learning: ani_gdb_s01.h5",
                sha256="5d463ae53c74dc6fcac49494bc3201e9a4a59fad086023184b270348428f4b34",
                content=Content((10800,), 46800, ranges=(("energy", -76.40, -40.43),)),
            ),
        ),
    ),
    Entry(
        "ani1-s02",
        "ANI-1, two heavy atoms, hydrocarbons: 17,109 conformers of C2H6, C2H4, C2H2",
        "energy",
        "hartree",
        (
            File(
                "ani1_hydrocarbon_s02.npz",
                "ani-packed",
                _README,
                sha256="4ff145895ae138df7b9d43bcbd0b464e4b2d828c088fffa7a3e67301b76df964",
                content=Content((17109,), 113832, (1, 6), ranges=(("energy", -79.81, -77.25),)),
            ),
        ),
    ),
    Entry(
        "comp6-s66x8",
        "COMP6 S66x8: 66 dimers at 8 separations, wB97x/6-31G(d), energies and forces",
        "energy",
        "hartree",
        (
            File(
                "comp6_s66x8.npz",
                "ani-packed",
                _README,
                sha256="87b380635f8a6e82b1727042f65bb713864678f725aeabe427d44147fe3f25e0",
                content=Content((528,), 10512, (1, 6, 7, 8)),
            ),
            File(
                "s66x8_wb97x6-31gd.h5",
                "ani-h5",
                f"{_README}; address: torchmd/torchmd-net: torchmdnet/datasets/comp6.py",
                sha256="c4708b2659cc3608e231ce8d1810f8407011f94bf98739a5e427c8723b19c778",
                url="https://raw.githubusercontent.com/isayev/COMP6/master/COMP6v1/s66x8/"
                "s66x8_wb97x6-31gd.h5",
                content=Content((528,), 10512, (1, 6, 7, 8)),
            ),
        ),
    ),
)
_LARGE = Entry(
    "large-structures",
    "10 proteins, a nucleic acid, water and a membrane, 140 to 32,512 atoms; no labels",
    "",
    "",
    (
        File(
            "large_structures.npz",
            "large-packed",
            _README,
            sha256="91f0b97a8f416698a3ee8e0393e52757b6bc03118594f27345b45354a760caa5",
            content=Content((10,), 82028),
        ),
    ),
)

ENTRIES: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        *embedded.ENTRIES,
        _QM7,
        _QM7_QML,
        _QM9,
        _QM9_G4MP2,
        *map(_rmd17, _RMD17),
        *map(_md17, _MD17),
        *_ANI,
        _LARGE,
    )
}
