"""What nobody listed: random sequences of calls against a reference model of the contract.

``step.py`` is one call as data, ``expected.py`` what the contract says of it, ``play.py`` makes the
calls and compares, ``machine.py`` draws sequences with Hypothesis, ``shorten.py`` takes away what a
failure does not need, ``script.py`` writes it as a shell script, ``soak.py`` goes on for hours.
"""
