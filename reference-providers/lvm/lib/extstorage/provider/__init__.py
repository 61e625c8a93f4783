"""What a provider's own scripts stand on.

A provider is one file beside its scripts:

    # lib/example/provider.py
    from extstorage.provider import Device, Provider, ProviderError, parameters

    class Example(Provider):
        pool = parameters.Text("name of the pool on the array", required=True)

        def attach(self, volume: str) -> Device:
            ...

    # create, attach, detach, ...: all the same file
    main(Example)

The rest is imported where it is needed, because a script's start is most of its
cost: ``locks.Lock``, ``tools.run``, ``state.state_directory``.
"""

from extstorage.provider import parameters
from extstorage.provider.device import Device
from extstorage.provider.errors import InvalidInputError, ProviderError
from extstorage.provider.provider import Provider
from extstorage.provider.script import main

__all__ = ["Device", "InvalidInputError", "Provider", "ProviderError", "main", "parameters"]
