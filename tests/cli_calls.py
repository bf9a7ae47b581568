"""Calls of the command line in this process."""

from molkern import cli


def failing(capsys, *arguments):
    """The one line on stderr of a call that must fail with exit code 2."""
    assert cli.main([str(argument) for argument in arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("molkern: error: ")
    return lines[0]
