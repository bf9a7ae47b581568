"""Counting instructions in listings of machine code."""

LISTING = """\
	.section	.text._Z1aPf,"ax",@progbits
.text._Z1aPf:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/                   S2R R0, SR_TID.X ;
.L_x_0:
        /*0020*/                   LDG.E.64 R4, desc[UR4][R4.64] ;
        /*0030*/              @!P0 FADD R2, R2, |R4| ;
        /*0040*/                   FADD R3, R2, R4 ;
        /*0050*/               @P1 BRA `(.L_x_0) ;
.L_x_1:
        /*0060*/                   BRA `(.L_x_0) ;
        /*0070*/                   EXIT ;
.text._Z1bPf:
        /*0000*/                   EXIT ;
"""


def test_stretches_of_a_listing(bench):
    found = bench("machine_code").stretches(LISTING)
    assert [(s.kernel, s.label, s.opcodes.total()) for s in found] == [
        ("_Z1aPf", "entry", 2),
        ("_Z1aPf", "L_x_0", 4),
        ("_Z1aPf", "L_x_1", 2),
        ("_Z1bPf", "entry", 1),
    ]
    assert found[1].opcodes == {"FADD": 2, "LDG": 1, "BRA": 1}
    assert [s.loops for s in found] == [False, True, False, False]


def test_program(bench, capsys, monkeypatch):
    module = bench("machine_code")
    monkeypatch.setattr(module, "disassembled", lambda *_: LISTING)
    module.main(["kernels.cu", "--kernel", "1a", "--least", "4"])
    assert capsys.readouterr().out == "_Z1aPf\n  L_x_0 (loop): 4: FADD 2, LDG 1, BRA 1\n"
