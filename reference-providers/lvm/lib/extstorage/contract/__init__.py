"""The ExtStorage interface as data: the only list of scripts and variables.

Standard library only, Python 3.9 and later, no import that costs a provider's
script its start: a script that needs one fact imports that one module.
"""
