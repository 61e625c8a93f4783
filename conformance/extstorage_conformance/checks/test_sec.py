"""Rules about hostile input and about what others on a node can see: values are data."""

from __future__ import annotations

import stat
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from extstorage.contract.methods import METHOD_NAMES
from extstorage.contract.variables import PARAMETER_PREFIX
from extstorage_conformance import judge
from extstorage_conformance.hostile import COMMANDS, Canary, Enclosure, shown
from extstorage_conformance.life import ordinary, through
from extstorage_conformance.rules import Level, Profile, rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from extstorage.host.call import Call
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

_ODD = ("-rf", "--help", "*", "?", "%s%n", "\\", "\u00e9\u00fc\u20ac", "x" * 65536)
_OUTSIDE = ("../{stray}", "../../{stray}", "../../../{stray}", "/{stray}")
_NO_NAMES = ("a/b", "..", "-rf", "a\nb", "*", "a b")
_LINK_ALL = """
mkdir -p bin && printf '#!/bin/sh\\n: >"%s"\\nexit 1\\n' "$CANARY" >bin/planted || exit
chmod 755 bin/planted
for directory in /usr/sbin /usr/bin /sbin /bin; do
    for program in "$directory"/*; do
        [ -e "$PROVIDER/${program##*/}" ] || ln -s "$PWD/bin/planted" "$PROVIDER/${program##*/}"
    done
done
"""


def _bystander(subject: Subject) -> Volume:
    volume = subject.attached()
    volume.stamp()
    return volume


def _bystanders(subject: Subject) -> tuple[Volume, Volume]:
    """Return an attached volume and one that is not, both with data."""
    attached, stored = _bystander(subject), _bystander(subject)
    stored.detach()
    return attached, stored


@rule(
    "ES-SEC-01",
    Level.MUST,
    source="derived: whoever may add a disk chooses its parameters, and scripts run as root",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_parameters_are_data(subject: Subject) -> None:
    """No value of a parameter is taken for a command, a pattern or an option.

    Ganeti passes on what the user wrote: quotes, blanks, newlines, leading dashes.
    """
    bystanders, enclosure = _bystanders(subject), Enclosure.of(subject)
    canary, configured = enclosure.canary, subject.suite.parameters
    for name in sorted({*configured, *(words[0] for words in subject.provider.parameters)}):
        variable = PARAMETER_PREFIX + name.upper()
        for value in (*canary.values(), *_ODD):
            enclosure.call(subject.volume().prepare("create"), variable, value)
        value = configured.get(name, "") + "".join(canary.values(COMMANDS[:2]))
        for method in filter(subject.provides, METHOD_NAMES):
            enclosure.call(ordinary(subject.volume(), method), variable, value)
    _judge_unharmed(bystanders, subject.calls[-1])


def _judge_unharmed(bystanders: Iterable[Volume], call: Call) -> None:
    for bystander in bystanders:
        bystander.judge_attach()
        bystander.judge_stamps(call)


@rule(
    "ES-SEC-02",
    Level.MUST,
    source="derived: a name is one volume's, whatever is in it; scripts run as root",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_names_lead_nowhere_else(subject: Subject) -> None:
    """No VOL_NAME is taken for a command, for other volumes, or for a place outside the pool.

    Ganeti makes harmless names; an administrator's own call may have any.
    """
    bystanders, enclosure = _bystanders(subject), Enclosure.of(subject)
    try:
        call = _use_names(subject, enclosure)
    finally:
        enclosure.delete_strays()
    _judge_unharmed(bystanders, call)


def _use_names(subject: Subject, enclosure: Enclosure) -> Call:
    """Call scripts with each of the names; judge that nothing outside the pool changed."""
    before = enclosure.outside()
    methods = ["create", "attach", "remove"]
    if subject.suite.profile is Profile.FULL:
        methods += ["setinfo", "detach"]
    outside = [name.replace("{stray}", enclosure.stray) for name in _OUTSIDE]
    for name in (*outside, *_NO_NAMES, *enclosure.canary.values(), "\u00e9", "x" * 65536):
        for method in filter(subject.uses, methods):
            call = enclosure.call(ordinary(subject.volume(), method), "VOL_NAME", name)
            changed = sorted(enclosure.outside() ^ before)
            got = f"{method} of {shown(name)} changed {', '.join(changed[:3])}"
            judge.holds(not changed, "nothing changed outside the pool", got, call)
    return call


@rule(
    "ES-SEC-09",
    Level.SHOULD,
    source="derived: a volume whose name no tool can take is a volume that stays for ever",
    profile=Profile.STANDARD,
)
def test_odd_names_are_refused(subject: Subject) -> None:
    """Create refuses a VOL_NAME with a slash, a control character or a leading dash."""
    enclosure = Enclosure.of(subject)
    for name in ("a/b", f"../{enclosure.stray}", "a\nb", "-rf", "x" * 65536):
        call = enclosure.call(subject.volume().prepare("create"), "VOL_NAME", name)
        judge.fails(call, f"{shown(name)} is no name of a volume")


@rule(
    "ES-SEC-03",
    Level.MUST,
    source="derived: VOL_CNAME and the instance's name in VOL_METADATA are what users wrote",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_other_values_are_data(subject: Subject) -> None:
    """No other VOL_ variable is taken for a command: no metadata, no disk's name, no size.

    A shell's arithmetic runs commands too: a size has to be seen to be a number first.
    """
    volume, enclosure = _bystander(subject), Enclosure.of(subject)
    sizes = {"grow": "VOL_NEW_SIZE", "snapshot": "VOL_SNAPSHOT_SIZE", "open": "VOL_OPEN_EXCLUSIVE"}
    for value in enclosure.canary.values():
        for variable in ("VOL_METADATA", "VOL_CNAME", "VOL_UUID"):
            enclosure.call(ordinary(volume, "setinfo"), variable, value)
        for variable in ("VOL_CNAME", "VOL_UUID"):
            enclosure.call(ordinary(volume, "attach"), variable, value)
        for variable in ("VOL_SIZE", "VOL_CNAME"):
            enclosure.call(subject.volume().prepare("create"), variable, value)
        for method in filter(subject.uses, sizes):
            enclosure.call(ordinary(volume, method), sizes[method], value)
        enclosure.call(ordinary(volume, "grow"), "VOL_SIZE", value)
    _judge_unharmed((volume,), subject.calls[-1])


@rule(
    "ES-SEC-06",
    Level.SHOULD,
    source="derived: an image that anybody can read is an instance's disk that anybody can read",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_files_are_for_root_alone(subject: Subject) -> None:
    """Nobody but root can read or write the files that scripts make, images and state alike.

    A directory above that is closed to others does as well.
    """
    volume = subject.volume()
    through(volume, "create", "attach", "open", "setinfo", "snapshot")
    paths = {
        text
        for item in subject.survey.take() - subject.baseline
        for text in (item.name, item.detail)
        if text.startswith("/") and not text.startswith("/dev/")
    }
    open_paths = sorted(path for path in paths if _is_open(subject, path))
    got = f"others can use {', '.join(open_paths[:3])}"
    judge.holds(not open_paths, "files for root alone", got, subject.calls[-1])


def _is_open(subject: Subject, path: str) -> bool:
    """Return whether others can read or write the file ``path``; a link or device is not asked."""
    mode = _mode(subject, path)
    if not stat.S_ISREG(mode) or not mode & 0o066:
        return False
    own = subject.suite.run_directory  # which is private, and no provider's doing
    above = [each for each in PurePath(path).parents if each != own and each not in own.parents]
    return all(_mode(subject, str(each)) & 0o011 for each in above)


def _mode(subject: Subject, path: str) -> int:
    try:
        return subject.node.node.stat(path).st_mode
    except OSError:
        return 0


@rule(
    "ES-SEC-07",
    Level.SHOULD,
    source="lib/backend.py _CommonRestrictedCmdCheck asks as much of restricted commands",
)
def test_provider_belongs_to_root(subject: Subject) -> None:
    """The provider's files belong to root, and nobody else can write to them.

    Root runs them: whoever can change them is root.
    """
    directory = Path(subject.suite.source)
    loose = [
        str(path.relative_to(directory.parent))
        for path in (directory, *directory.rglob("*"))
        if not path.is_symlink() and (path.stat().st_uid or path.stat().st_mode & 0o022)
    ]
    got = f"others can change {', '.join(sorted(loose)[:3])}"
    judge.holds(not loose, "files of root: chown -R root, chmod -R go-w", got)


@rule(
    "ES-SEC-08",
    Level.SHOULD,
    source="derived: the working directory is the provider's, and Ganeti's PATH does not name it",
    profile=Profile.STANDARD,
    needs=("device",),
)
def test_nothing_is_run_from_the_working_directory(subject: Subject) -> None:
    """Scripts run no program that lies in their working directory under a program's name.

    An empty part of PATH means that directory.
    """
    suite, canary = subject.suite, Canary.of(subject)
    copy = suite.copy_of_provider(suite.directory.name)
    variables = {"CANARY": canary.path, "PROVIDER": str(copy)}
    planted = subject.node.shell(_LINK_ALL, str(suite.run_directory), variables)
    judge.holds(planted.exit_code == 0, "a copy to plant programs in", "none")
    volume = subject.volume()
    for method in filter(subject.uses, ("create", "attach", "grow", "detach", "remove")):
        invocation = ordinary(volume, method)
        call = subject.run(invocation.in_copy(str(copy)))
        canary.judge(call, "a program of the working directory")
