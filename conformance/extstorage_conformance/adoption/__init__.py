"""A first conformance.toml for a provider that knows nothing of the suite.

``observation`` tries what can be seen by trying, ``proposal`` writes it down, ``plugin`` does both
around an ordinary run, whose failed rules become waivers for the vendor to sign.
"""
