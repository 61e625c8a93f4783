"""Rules about parameters: what is declared, and what comes of values that cannot be meant."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from extstorage.contract.variables import PARAMETER_PREFIX
from extstorage_conformance import judge
from extstorage_conformance.comparison import compare
from extstorage_conformance.configuration import RUN_DIRECTORY, expand
from extstorage_conformance.life import ordinary, snapshot_of
from extstorage_conformance.races import alone
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage.lint import ProviderSource
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_FILE = "man ganeti-extstorage-interface(7) parameters.list"
_MAN = "man ganeti-extstorage-interface(7)"
_CLIENT = "lib/client/gnt_storage.py"
_OTHER_GENERATION = 2  # of stamps: a volume of the same name has the first


@rule("ES-PARAM-01", Level.MUST, source=f"{_FILE}; {_CLIENT} ShowExtStorageInfo (2-tuples)")
def test_parameters_have_descriptions(source: ProviderSource) -> None:
    """Each line of parameters.list is a name, blanks, and a description.

    A bare name crashes gnt-storage info.
    """
    judge.no_findings("ES-PARAM-01", source)


@rule("ES-PARAM-02", Level.MUST, source=f"{_CLIENT} DiagnoseExtStorage (v[0])")
def test_parameters_file_has_no_other_lines(source: ProviderSource) -> None:
    """parameters.list has no blank lines, no comments, and nothing but ASCII.

    A blank line or UTF-8 in it crashes gnt-storage diagnose for all providers;
    a comment becomes a parameter.
    """
    judge.no_findings("ES-PARAM-02", source)


@rule(
    "ES-PARAM-03", Level.MUST, source="lib/cmdlib/instance_storage.py ComputeDisks (IDISK_PARAMS)"
)
def test_parameters_are_not_reserved(source: ProviderSource) -> None:
    """No parameter has a name that Ganeti keeps for itself.

    Such a parameter never reaches the provider as it was declared.
    """
    judge.no_findings("ES-PARAM-03", source)


@rule("ES-PARAM-04", Level.MUST, source="lib/storage/extstorage.py _ExtStorageEnvironment (upper)")
def test_parameters_are_distinct(source: ProviderSource) -> None:
    """No two parameters have names that differ in case only, or not at all.

    Both end in the same EXTP_ variable.
    """
    judge.no_findings("ES-PARAM-04", source)


@rule(
    "ES-PARAM-05", Level.SHOULD, source="derived: EXTP_NAS-IP is a variable that no shell can read"
)
def test_parameters_make_usable_variables(source: ProviderSource) -> None:
    """Names of parameters are lower-case letters, digits and underscores, a letter first."""
    judge.no_findings("ES-PARAM-05", source)


@rule("ES-PARAM-06", Level.MUST, source="lib/cmdlib/instance_create.py: no check of ext-params")
def test_invalid_values_are_refused(subject: Subject) -> None:
    """Create refuses a parameter whose value is invalid.

    Ganeti checks no value, so that what create accepts stands in the cluster's
    configuration for ever. [invalid_values] of conformance.toml names the values.
    """
    for variable, value in invalid_values(subject):
        invocation = subject.volume().prepare("create").with_variables({variable: value})
        judge.fails(subject.run(invocation), f"{variable}={value!r} is invalid")


@rule(
    "ES-PARAM-07",
    Level.SHOULD,
    source="derived: Ganeti does not know which parameters a provider needs",
    profile=Profile.STANDARD,
)
def test_missing_parameter_is_named(subject: Subject) -> None:
    """When verify fails because a parameter is missing, its message names the parameter."""
    volume = subject.volume()
    volume.given("verify")
    for name in subject.suite.parameters:
        call = subject.run(volume.prepare("verify").without(PARAMETER_PREFIX + name.upper()))
        named = name.lower() in call.output.lower()
        judge.holds(call.succeeded or named, f"{name!r} in the message", "no word of it", call)


@rule(
    "ES-PARAM-09",
    Level.SHOULD,
    source="lib/cmdlib/instance_set_params.py: modify changes ext-params and calls no script",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_changed_parameter_does_not_lose_the_volume(subject: Subject) -> None:
    """A parameter that changes under a volume is refused or put up with; the volume stays.

    gnt-instance modify changes parameters of existing disks without calling a
    script; when the value is put right, the volume has to be there as before.
    """
    values = invalid_values(subject)
    volume = subject.attached()
    volume.attach_again()
    volume.stamp()
    for variable, value in values:
        for method in ("attach", "detach"):
            call = subject.run(volume.prepare(method).with_variables({variable: value}))
            judge.ended(call)
            attached = volume.call("attach")
            judge.succeeds(attached, f"after {method} with {variable}={value!r}")
            volume.path = judge.block_device(attached)
            volume.judge_stamps(call)


def invalid_values(subject: Subject) -> Iterator[tuple[str, str]]:
    """Return the variables and their invalid values; raises NotApplicable if none is configured."""
    configured = subject.configuration.invalid_values
    if not configured:
        raise NotApplicable("[invalid_values] of conformance.toml names no invalid values")
    return (
        (PARAMETER_PREFIX + name.upper(), value)
        for name, values in configured.items()
        for value in values
    )


@rule(
    "ES-PARAM-08",
    Level.MUST,
    source="lib/storage/extstorage.py _ExtStorageEnvironment (ext-params go with every call)",
    profile=Profile.STANDARD,
    needs=("device",),
    nodes=2,
)
def test_parameters_are_enough_on_every_node(subject: Subject) -> None:
    """Every method works on a node where the volume was only attached, not made.

    What create was told, and what attach found out, on one node, is nothing that a call on
    another can count on: each gets the disk's parameters itself.
    """
    for method in ("grow", "setinfo", "snapshot"):
        if subject.uses(method):
            _judge_first_call(subject, method)
    # On its own node it is another rule's finding.
    compare(lambda: _live_on(subject, 1), lambda: _live_on(subject, 0))


def _judge_first_call(subject: Subject, method: str) -> None:
    compare(lambda: _first_call(subject, method, 1), lambda: _first_call(subject, method, 0))


def _first_call(subject: Subject, method: str, node: int) -> None:
    """Judge a call of ``method`` on that node, where only attach was called before."""
    volume = subject.created().on(subject.nodes[node])
    volume.attach()
    judge.succeeds(volume.run(ordinary(volume, method)), f"on {volume.node.name}")


def _live_on(subject: Subject, node: int) -> None:
    volume = subject.created().on(subject.nodes[node])
    volume.judge_attach()
    for method in filter(subject.uses, ("open", "close", "detach", "remove")):
        judge.succeeds(volume.run(ordinary(volume, method)), f"on {volume.node.name}")


@rule(
    "ES-PARAM-11",
    Level.MUST,
    source="derived: a volume is found by its name and its parameters; clusters that share an"
    " array may use one name twice, as after an import of an instance",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_pools_are_apart(subject: Subject) -> None:
    """Volumes of one name in two pools are two volumes: no call for one does anything to the other.

    Attached one after the other or both at once, grown, and copied by snapshot. A back end whose
    names are unique over all its pools may refuse the second one, or to attach both.
    """
    here = subject.attached()
    there = _in_other_pool(subject, here)
    here.stamp()
    here.detach()
    try:
        made = there.call("create")
        if made.succeeded:
            _judge_own_blocks(there)
            there.stamp(_OTHER_GENERATION)
            there.detach()
        _judge_data(here, made)
        if made.succeeded:
            _judge_attached_both(here, there)
            judge.succeeds(there.call("remove"))
            _judge_data(here, subject.calls[-1])
    finally:
        for volume in (there, here):
            volume.call("detach")
            volume.call("remove")


def _in_other_pool(subject: Subject, volume: Volume) -> Volume:
    other = subject.suite.other_pool
    if not other:
        raise NotApplicable("[other_pool] of conformance.toml names no other pool")
    return subject.volume(name=volume.name, parameters=other)


def _judge_attached_both(here: Volume, there: Volume) -> None:
    """Judge calls for ``there`` while ``here`` is attached; both are detached before and after."""
    here.attach()
    call = there.call("attach")
    if call.succeeded:
        there.path = judge.block_device(call)
        # A look-up of what is attached may ask for the name alone.
        own = here.device_number() != there.device_number()
        judge.holds(own, "a device of its own", "the device of the volume in the other pool", call)
        size = here.device_mib()
        for method in filter(there.subject.uses, ("setinfo", "grow", "snapshot")):
            there.judge_stamps(call, _OTHER_GENERATION)
            here.judge_stamps(call)
            invocation = ordinary(there, method)
            if method == "snapshot":  # by now Ganeti has the grown size on record
                grown = {"VOL_SNAPSHOT_SIZE": str(2 * there.size_mib)}
                invocation = invocation.with_variables(grown)
            call = _judge_own_call(there, invocation)
        found = here.device_mib()
        judge.holds(found == size, f"{size:g} MiB, as before", f"{found:g} MiB", call)
        if there.subject.uses("snapshot"):
            _judge_snapshot_there(there, call)
        there.detach()
    here.judge_stamps(call)
    here.detach()


def _judge_own_call(there: Volume, invocation: Invocation) -> Call:
    call = there.run(invocation)
    if call.failed:
        alone(there.subject, [invocation.method])  # or other rules say why it fails
    return judge.succeeds(call, "it is a volume of its own")


def _judge_snapshot_there(there: Volume, taken: Call) -> None:
    """Judge that the other pool has the snapshot, with the data of the volume there."""
    snapshot = _in_other_pool(there.subject, snapshot_of(there))
    snapshot.judge_attach()
    found = snapshot.judge_read(
        taken, lambda on, at: on.mismatches(at, there.name, there.offsets(), _OTHER_GENERATION)
    )
    judge.holds(not found, "the data of the volume in its pool", "; ".join(found[:3]), taken)
    snapshot.given("detach")
    snapshot.given("remove")


def _judge_own_blocks(there: Volume) -> None:
    call = there.judge_attach()
    (stamp,) = there.judge_read(call, lambda on, at: on.stamps(at, [0]))
    is_the_others = stamp is not None and stamp.volume == there.name
    judge.holds(not is_the_others, "a volume of its own", "the volume in the other pool", call)


def _judge_data(volume: Volume, call: Call) -> None:
    volume.judge_attach()
    volume.judge_stamps(call)
    volume.detach()


@rule(
    "ES-PARAM-12",
    Level.MUST,
    source=f"{_MAN} attach, detach; derived: a directory is moved, and a link stands in its place",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_path_may_lead_through_a_link(subject: Subject) -> None:
    """Where a path leads through a symbolic link, attach again gives the same, detach undoes it.

    The kernel tells real paths, which are not what the parameter says. Create may refuse such a
    path. Only parameters with {run_directory} are known to be paths.
    """
    with _link_to_the_run_directory(subject) as link:
        volume = subject.volume(parameters=_through(link, subject))
        if volume.call("create").failed:
            raise NotApplicable("create refuses a path with a symbolic link")
        try:
            # With the path as it is, it is another rule's finding.
            compare(
                lambda: _judge_one_mapping(volume), lambda: _judge_one_mapping(subject.created())
            )
        finally:
            volume.call("detach")
            volume.call("remove")


@contextmanager
def _link_to_the_run_directory(subject: Subject) -> Iterator[Path]:
    directory = subject.suite.run_directory
    link = directory / f"link-{subject.uuid()}"
    subject.node.shell(f"ln -s . {link.name}", str(directory), {})
    try:
        yield link
    finally:
        subject.node.shell(f"rm {link.name}", str(directory), {})


def _through(link: Path, subject: Subject) -> dict[str, str]:
    """Return the parameters that are paths in the run's directory, leading through ``link``."""
    configured = subject.configuration.parameters.items()
    paths = {name: expand(value, link) for name, value in configured if RUN_DIRECTORY in value}
    if not paths:
        raise NotApplicable("no parameter of conformance.toml has {run_directory}")
    return paths


def _judge_one_mapping(volume: Volume) -> None:
    volume.judge_attach()
    volume.stamp(offsets=[0])
    first = volume.path
    call = volume.judge_attach()
    judge.holds(volume.path == first, f"{first}, as the first time", volume.path, call)
    call = judge.succeeds(volume.call("detach"))
    judge.holds(volume.is_gone(), "no mapping", f"{volume.path} still shows the volume", call)
