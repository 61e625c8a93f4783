"""The ExtStorage interface of Ganeti: contract, provider runtime and host."""

__version__ = "0.1.0"
