{% from "notes.jinja" import note %}
"""{{ cookiecutter.vendor }}'s volumes for Ganeti.

One function for each method. Where it says STORAGE, the call of the storage goes. Until it
is there, the development back end (development.py) stands in for it: replace one call after
another, and run ``extstorage conform`` after each. ``extstorage.provider`` has what that
needs: ``tools.run``, ``locks``, ``devices``, ``ProviderError``.
"""

from __future__ import annotations

{% if cookiecutter.userspace_uri %}
import os

{% endif %}
from development import Pool, check_programs
from extstorage.provider import Device, Provider, parameters
from extstorage.provider.locks import VolumeLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Storage(Provider):
    """One call for one volume of the storage."""

    # After a change here: `tox -e unit` says what parameters.list has to be.
{% for parameter in parameters(cookiecutter) %}
    {{ parameter.name }} = parameters.Text(
        {{ parameter.description | python }},
{% if parameter.default %}
        default={{ parameter.default | python }},
{% endif %}
{% if parameter.required %}
        required=True,
{% endif %}
{% if parameter.secret %}
        secret=True,
{% endif %}
    )
{% endfor %}
    dev_directory = parameters.Path(
        {{ development_parameter.description | python }},
        default={{ development_default(cookiecutter) | python }},
    )

    def create(self, volume: str, size: int) -> None:
        """Make a volume of ``size`` MiB."""
        with VolumeLock(self.name, volume) as lock:
{{ note("create", "            # ") }}
            Pool(self.dev_directory, self.name, lock).create(volume, size)

    def attach(self, volume: str) -> Device:
        """Return the block device that is the volume on this node."""
        with VolumeLock(self.name, volume) as lock:
{{ note("attach", "            # ") }}
            path = Pool(self.dev_directory, self.name, lock).attach(volume)
{% if cookiecutter.userspace_uri %}
            # STORAGE: HYPERVISOR:URI, by which the hypervisor reaches the volume without it.
            uri = f"kvm:{Pool(self.dev_directory, self.name, lock).uri(volume)}"
            # Before 2.13 Ganeti takes no URIs.
            return Device(path, [uri] if "EXTP_ACCESS" in os.environ else [])
{% else %}
            return Device(path)
{% endif %}

    def detach(self, volume: str) -> None:
        """End this node's mapping of the volume."""
        with VolumeLock(self.name, volume) as lock:
{{ note("detach", "            # ") }}
            Pool(self.dev_directory, self.name, lock).detach(volume)

    def remove(self, volume: str) -> None:
        """Delete the volume."""
        with VolumeLock(self.name, volume) as lock:
{{ note("remove", "            # ") }}
            Pool(self.dev_directory, self.name, lock).remove(volume)

    def grow(self, volume: str, recorded_size: int, new_size: int) -> None:
        """Make the volume ``new_size`` MiB large; Ganeti believes that it has ``recorded_size``."""
        with VolumeLock(self.name, volume) as lock:
{{ note("grow", "            # ") }}
            Pool(self.dev_directory, self.name, lock).grow(volume, new_size)

    def setinfo(self, volume: str, metadata: str) -> None:
        """Note ``metadata`` with the volume."""
        with VolumeLock(self.name, volume) as lock:
{{ note("setinfo", "            # ") }}
            Pool(self.dev_directory, self.name, lock).setinfo(volume, metadata)
{% if cookiecutter.snapshot %}

    def snapshot(self, volume: str, snapshot: str, recorded_size: int) -> None:
        """Make the volume ``snapshot``, which is what ``volume`` is now."""
        with VolumeLock(self.name, volume) as lock:
{{ note("snapshot", "            # ") }}
            Pool(self.dev_directory, self.name, lock).snapshot(volume, snapshot, recorded_size)
{% endif %}
{% if cookiecutter.open_close %}

    def open(self, volume: str, exclusive: bool) -> None:
        """Let this node write to the attached volume."""
        with VolumeLock(self.name, volume) as lock:
{{ note("open", "            # ") }}
            Pool(self.dev_directory, self.name, lock).open(volume, exclusive=exclusive)

    def close(self, volume: str) -> None:
        """End this node's writing to the volume, which stays attached."""
        with VolumeLock(self.name, volume) as lock:
{{ note("close", "            # ") }}
            Pool(self.dev_directory, self.name, lock).close(volume)
{% endif %}

    def checks(self) -> dict[str, Callable[[], None]]:
        """Return what ``verify`` checks on this node."""
        # STORAGE: is everything installed on this node that the calls above need? Can the
        # storage be reached, and is what the parameters name there?
        return {
            "programs": check_programs,
            "directory": Pool(self.dev_directory, self.name).check,
        }
