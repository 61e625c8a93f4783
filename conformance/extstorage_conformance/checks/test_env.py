"""Rules about how scripts are called: what they may count on, and what must not matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extstorage.contract.methods import METHOD_NAMES
from extstorage.contract.variables import ALWAYS_SENT_PARAMETERS
from extstorage_conformance import judge
from extstorage_conformance.comparison import (
    as_ganeti_calls,
    compare,
    live,
    needs_no,
    unaffected_by,
)
from extstorage_conformance.life import ordinary
from extstorage_conformance.rules import Level, Profile, rule
from extstorage_conformance.violation import Blocked

if TYPE_CHECKING:
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.comparison import Change
    from extstorage_conformance.subject import Subject

_ENVIRONMENT = "lib/storage/extstorage.py _ExtStorageEnvironment"
_RUN_CMD = "lib/utils/process.py RunCmd"
_LONGEST_WAIT_FOR_EOF_S = 1.0
_STRAY = {
    # Ganeti's own, where this method does not get them: whoever starts noded may have set them.
    "VOL_METADATA": "stray",
    "VOL_NEW_SIZE": "1",
    "VOL_OPEN_EXCLUSIVE": "False",
    "VOL_SIZE": "1",
    "VOL_SNAPSHOT_NAME": "stray.snap",
    "VOL_SNAPSHOT_SIZE": "1",
    # Names that scripts like for variables of their own. Not VOL_CNAME: see ES-ENV-12.
    **dict.fromkeys(
        (
            *("POOL", "VG", "LV", "LUN", "NAME", "VOLUME", "VOLNAME", "VOL", "DISK", "IMAGE"),
            *("DEVICE", "DEV", "PATHNAME", "FILE", "DIR", "DIRECTORY", "BASE", "PREFIX", "HOST"),
        ),
        "stray",
    ),
    **dict.fromkeys(
        ("SIZE", "NEW_SIZE", "DEBUG", "VERBOSE", "TRACE", "RESULT", "STATUS", "RC"), "1"
    ),
}
_SETTINGS = {
    "TMPDIR": "/nonexistent/tmp",
    "HOME": "/nonexistent",
    "CDPATH": "/:/usr",
    "IFS": "/",
    "POSIXLY_CORRECT": "1",
    **dict.fromkeys(("BLOCKSIZE", "BLOCK_SIZE", "DF_BLOCK_SIZE", "DU_BLOCK_SIZE"), "1M"),
    "LS_BLOCK_SIZE": "human-readable",
    "QUOTING_STYLE": "c",
    "TIME_STYLE": "iso",
    "GREP_OPTIONS": "--color=always",
    "COLUMNS": "20",
    "TZ": "Pacific/Kiritimati",
    "LANG": "de_DE.UTF-8",
    "LANGUAGE": "de_DE",
    "PYTHONOPTIMIZE": "2",
}
"""What an administrator has in a shell for himself. Not what runs code in every program (BASH_ENV,
PYTHONPATH, LD_PRELOAD), as that is no setting; and LC_ALL and PATH are Ganeti's."""


@rule("ES-ENV-01", Level.MUST, source="man ganeti-extstorage-interface(7) Common environment")
def test_scripts_need_no_arguments(subject: Subject) -> None:
    """Scripts take all their input from the environment: Ganeti gives them no arguments."""

    def lives_of_two(change: Change) -> None:
        # A script that reads an empty $1 takes every volume for the same one.
        first = subject.volume()
        judge.succeeds(subject.run(change(first.prepare("create"))))
        live(subject.volume(), change)
        judge.succeeds(subject.run(change(first.prepare("attach"))), "its volume was created")

    def with_arguments(invocation: Invocation) -> Invocation:
        sent = invocation.sent
        return invocation.with_arguments(sent["VOL_NAME"], sent.get("VOL_SIZE", ""))

    compare(lambda: lives_of_two(as_ganeti_calls), lambda: lives_of_two(with_arguments))
    needs_no(subject, with_arguments)


@rule("ES-ENV-02", Level.MUST, source="man ganeti-extstorage-interface(7) Common environment")
def test_minimal_environment_is_enough(subject: Subject) -> None:
    """Scripts need no more in their environment than PATH, LC_ALL and what Ganeti adds.

    The man page promises a clean environment; HOME or USER are there by chance.
    """

    def change(invocation: Invocation) -> Invocation:
        kept = {name: invocation.inherited[name] for name in ("PATH", "LC_ALL")}
        return invocation.with_environment(kept)

    unaffected_by(subject, change)


@rule("ES-ENV-03", Level.MUST, source=f"{_RUN_CMD} (reset_env=False)", profile=Profile.STANDARD)
def test_stray_variables_do_not_matter(subject: Subject) -> None:
    """Variables that Ganeti does not define for a method change nothing, whatever their names.

    Against the man page the environment is not cleaned: what the node daemon
    was started with reaches every script, and leads it to another volume or pool.
    """
    unaffected_by(
        subject,
        lambda invocation: invocation.with_environment({**invocation.inherited, **_STRAY}),
    )


@rule(
    "ES-ENV-19",
    Level.SHOULD,
    source=f"{_RUN_CMD} (reset_env=False)",
    profile=Profile.STANDARD,
)
def test_settings_of_tools_do_not_matter(subject: Subject) -> None:
    """What an administrator's shell tells tools changes nothing: TMPDIR, BLOCK_SIZE, TZ, COLUMNS.

    A node daemon that was started by hand has them, and so has every script. A temporary directory
    that is there at the login only, sizes in other units and cut columns are what comes of it.
    """
    unaffected_by(
        subject,
        lambda invocation: invocation.with_environment({**invocation.inherited, **_SETTINGS}),
    )


@rule("ES-ENV-04", Level.MUST, source=f"{_RUN_CMD} (closes standard input)")
def test_scripts_ask_nothing(subject: Subject) -> None:
    """Scripts end by themselves and do their work while standard input is at end of file."""

    def answered(invocation: Invocation) -> Invocation:
        words = ("/bin/sh", "-c", 'yes | "$0" "$@"')
        return invocation.replace(argv=(*words, *invocation.argv))

    needs_no(subject, answered)


@rule(
    "ES-ENV-05",
    Level.SHOULD,
    source="derived: the directory is the same on every node and replaced by the next release",
    profile=Profile.STANDARD,
)
def test_provider_directory_is_left_alone(subject: Subject) -> None:
    """Scripts write nothing into the provider's directory, which is their working directory."""
    before = _contents(subject)
    volume = subject.attached()
    for method in METHOD_NAMES:
        if method not in ("create", "attach", "detach", "remove") and subject.provides(method):
            subject.run(ordinary(volume, method))
    for method in ("detach", "remove"):
        call = volume.call(method)
    after = _contents(subject)
    changed = sorted(path for path in before | after if before.get(path) != after.get(path))
    judge.holds(not changed, "the same files as before", f"changed: {', '.join(changed)}", call)


def _contents(subject: Subject) -> dict[str, str]:
    """Return a digest of each file; Python's caches, which may be missing, are left out."""
    found: dict[str, str] = subject.node.ask("digests", str(subject.suite.directory))
    return found


@rule(
    "ES-ENV-06",
    Level.MUST,
    source="lib/utils/process.py SetupDaemonEnv (umask 077)",
    profile=Profile.STANDARD,
)
def test_daemons_umask_is_no_hindrance(subject: Subject) -> None:
    """Scripts work under umask 077, with which everything they make is for root alone."""
    needs_no(subject, lambda invocation: invocation.replace(umask=0o022))


@rule("ES-ENV-10", Level.MUST, source="lib/utils/process.py _RunCmdPipe (reads to end of file)")
def test_attach_leaves_no_child_on_its_output(subject: Subject) -> None:
    """When attach exits no child of it holds its standard output or standard error open.

    Ganeti reads both to their end, without a time limit: a daemon that inherits
    them holds up the instance's start for as long as it lives. A second is allowed.
    """
    volume = subject.created()
    ended = f"{subject.suite.run_directory}/ended-{volume.disk.uuid}"
    note_end = '"$0"; status=$?; : >"$1"; exit "$status"'
    invocation = volume.prepare("attach")
    argv = ("/bin/sh", "-c", note_end, *invocation.argv, ended)
    call = subject.run(invocation.replace(argv=argv))
    waited_s = subject.node.ask("age_s", ended)
    if waited_s is None:
        judge.ended(call)
        raise Blocked("attach's own end was not seen", call)
    judge.holds(
        waited_s < _LONGEST_WAIT_FOR_EOF_S,
        "the end of the output when attach exits",
        f"output still open {waited_s:.1f} s later",
        call,
    )


@rule(
    "ES-ENV-11",
    Level.MUST,
    source=f"{_ENVIRONMENT}; lib/rpc/node.py AnnotateDiskParams",
    profile=Profile.STANDARD,
)
def test_ganetis_own_parameters_are_accepted(subject: Subject) -> None:
    """Scripts put up with EXTP_PROVIDER and EXTP_ACCESS, which no parameters.list declares.

    Ganeti sends both with every call.
    """
    needs_no(subject, lambda invocation: invocation.without(*ALWAYS_SENT_PARAMETERS))


@rule("ES-ENV-12", Level.MUST, source="man ganeti-extstorage-interface(7) VOL_NAME", since="2.11")
def test_name_is_the_identity(subject: Subject) -> None:
    """A volume is found by VOL_NAME, whatever VOL_CNAME and VOL_UUID say.

    A disk can be renamed without a script being called, and a snapshot is
    attached with another UUID each time.
    """
    other = subject.uuid()
    unaffected_by(
        subject,
        lambda invocation: invocation.with_variables(VOL_CNAME="renamed", VOL_UUID=other),
    )


@rule(
    "ES-ENV-13",
    Level.MUST,
    source=f"{_ENVIRONMENT} (VOL_CNAME only if there is one)",
    profile=Profile.STANDARD,
)
def test_disk_name_is_optional(subject: Subject) -> None:
    """Scripts do not need VOL_CNAME, which only disks that the user has named have."""
    needs_no(subject, lambda invocation: invocation.with_variables(VOL_CNAME="data"))


@rule(
    "ES-ENV-18",
    Level.SHOULD,
    source="derived: snapshot gets no VOL_UUID, and no script did before 2.11",
    since="2.11",
    profile=Profile.STANDARD,
)
def test_disk_uuid_is_optional(subject: Subject) -> None:
    """Scripts do not need VOL_UUID, which says nothing about the volume."""
    unaffected_by(subject, lambda invocation: invocation.without("VOL_UUID"))
