"""Instructions of CUDA kernels, counted in their machine code: no device is needed.

    python benchmarks/machine_code.py cpp/cuda/pairwise.cu --kernel PairwiseKernel

Compiles one file with nvcc and disassembles it with nvdisasm, both of the CUDA toolkit. For each
stretch of code between two labels, of at least ``--least`` instructions, it prints how many there
are of each kind; a stretch that jumps back to its own label is a loop. What the comments in
cpp/cuda say of counted instructions is this, times how often a stretch runs, which is worked out by
hand.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["-std=c++20", "-O3", "--expt-relaxed-constexpr", "-DMOLKERN_ISA=device"]
DEFINES = ["-DMOLKERN_ONE_LANE", f"-I{ROOT / 'cpp/include'}", f"-I{ROOT / 'cpp'}"]

_FUNCTION = re.compile(r"\.text\.(\S+):")
_LABEL = re.compile(r"\.(L_x_\d+):")
_INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\d+ )?([A-Z][A-Z0-9_]*)\S*(.*)")


@dataclass
class Stretch:
    """Instructions between two labels.

    Attributes
    ----------
    kernel, label : str
    opcodes : Counter
    loops : bool
        Whether it jumps back to its own label.
    """

    kernel: str
    label: str
    opcodes: Counter[str] = field(default_factory=Counter)
    loops: bool = False


def stretches(listing: str) -> list[Stretch]:
    """Those of a listing of nvdisasm, in their order."""
    found: list[Stretch] = []
    for line in listing.splitlines():
        if match := _FUNCTION.match(line):
            found.append(Stretch(match[1], "entry"))
        elif (match := _LABEL.match(line)) and found:
            found.append(Stretch(found[-1].kernel, match[1]))
        elif (match := _INSTRUCTION.search(line)) and found:
            opcode, operands = match.groups()
            found[-1].opcodes[opcode] += 1
            if opcode == "BRA" and f"(.{found[-1].label})" in operands:
                found[-1].loops = True
    return found


def disassembled(source: Path, architecture: str, nvcc: str, nvdisasm: str) -> str:
    """The listing of a file compiled for an architecture, like "90"."""
    with tempfile.TemporaryDirectory() as folder:
        cubin = Path(folder) / "kernels.cubin"
        target = f"arch=compute_{architecture},code=sm_{architecture}"
        command = [nvcc, *FLAGS, *DEFINES, "-gencode", target, "-cubin", "-o", str(cubin)]
        subprocess.run([*command, str(source)], check=True)
        done = subprocess.run([nvdisasm, "-c", str(cubin)], check=True, capture_output=True)
    return done.stdout.decode()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="a file of cpp/cuda")
    parser.add_argument("--kernel", default="", help="regular expression, on mangled names")
    parser.add_argument("--least", type=int, default=40, help="instructions of a stretch")
    parser.add_argument("--architecture", default="90")
    parser.add_argument("--nvcc", default="nvcc")
    parser.add_argument("--nvdisasm", default="nvdisasm")
    options = parser.parse_args(arguments)
    tools = options.nvcc, options.nvdisasm
    kernel = None
    for stretch in stretches(disassembled(options.source, options.architecture, *tools)):
        total = stretch.opcodes.total()
        if total < options.least or not re.search(options.kernel, stretch.kernel):
            continue
        if stretch.kernel != kernel:
            kernel = stretch.kernel
            print(kernel)
        kinds = ", ".join(f"{opcode} {n}" for opcode, n in stretch.opcodes.most_common(10))
        print(f"  {stretch.label}{' (loop)' if stretch.loops else ''}: {total}: {kinds}")


if __name__ == "__main__":
    main()
