"""Rules about hostile input and about what others on a node can see: values are data."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from extstorage.contract.methods import METHOD_NAMES
from extstorage.contract.variables import PARAMETER_PREFIX
from extstorage_conformance import judge
from extstorage_conformance.life import ordinary, through
from extstorage_conformance.rules import Level, Profile, rule

if TYPE_CHECKING:
    from extstorage.host.call import Call
    from extstorage.host.invocation import Invocation
    from extstorage_conformance.subject import Subject
    from extstorage_conformance.volume import Volume

# Each makes the file {canary} if a shell, or its arithmetic, takes it for more than data.
_COMMANDS = (
    "$(: >{canary})",
    "`: >{canary}`",
    "; : >{canary}; #",
    "x\n: >{canary}\n",
    "'; : >{canary}; '",
    '"; : >{canary}; "',
    "a[$(: >{canary})]",
)
_ODD = ("-rf", "--help", "*", "?", "%s%n", "\\", "\u00e9\u00fc\u20ac", "x" * 65536)
_OUTSIDE = tuple(f"{'../' * depth}outside" for depth in range(1, 4))
_NO_NAMES = (*_OUTSIDE, "/outside", "a/b", "..", "-rf", "a\nb", "*", "a b")
_LONGEST_SHOWN = 60
_PROVIDERS_OWN = "find . -path ./log -prune -o -path ./together -prune -o -printf '%p %y %m %s\\n'"
_LINK_ALL = """
mkdir -p bin && printf '#!/bin/sh\\n: >"%s"\\nexit 1\\n' "$CANARY" >bin/planted || exit
chmod 755 bin/planted
for directory in /usr/sbin /usr/bin /sbin /bin; do
    for program in "$directory"/*; do
        [ -e "$PROVIDER/${program##*/}" ] || ln -s "$PWD/bin/planted" "$PROVIDER/${program##*/}"
    done
done
"""


@dataclass(frozen=True)
class _Canary:
    """A file that nobody makes, unless data is taken for a command."""

    subject: Subject
    path: str

    @classmethod
    def of(cls, subject: Subject) -> _Canary:
        return cls(subject, str(subject.suite.run_directory / "canary"))

    def judge(self, call: Call, what: str) -> None:
        """Judge that the call ended by itself and has not made the file."""
        judge.ended(call)
        try:
            self.subject.node.node.stat(self.path)
        except OSError:
            return
        self.subject.node.shell('rm -f -- "$CANARY"', "/", {"CANARY": self.path})
        judge.holds(condition=False, expected="a value that is data", got=f"{what} ran", call=call)

    def values(self, commands: tuple[str, ...] = _COMMANDS) -> list[str]:
        """Return values that run a command if they are taken for one."""
        return [command.replace("{canary}", self.path) for command in commands]


def _shown(value: str) -> str:
    return repr(value[:_LONGEST_SHOWN])


def _bystander(subject: Subject) -> Volume:
    volume = subject.attached()
    volume.stamp()
    return volume


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
    bystander, canary = _bystander(subject), _Canary.of(subject)
    configured = subject.suite.parameters
    for name in sorted({*configured, *(words[0] for words in subject.provider.parameters)}):
        variable = PARAMETER_PREFIX + name.upper()
        for value in (*canary.values(), *_ODD):
            _hostile(canary, subject.volume().prepare("create"), variable, value)
        value = configured.get(name, "") + "".join(canary.values(_COMMANDS[:2]))
        for method in filter(subject.provides, METHOD_NAMES):
            _hostile(canary, ordinary(subject.volume(), method), variable, value)
    _judge_unharmed(bystander, subject.calls[-1])


def _hostile(canary: _Canary, invocation: Invocation, variable: str, value: str) -> Call:
    # Most are refused: what is made is registered after the call, and nothing else.
    call = canary.subject.execute(invocation.with_variables({variable: value}))
    canary.subject.note(call)
    canary.judge(call, f"{variable}={_shown(value)}")
    return call


def _judge_unharmed(bystander: Volume, call: Call) -> None:
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
    bystander, canary = _bystander(subject), _Canary.of(subject)
    before = _outside(subject)
    methods = ["create", "attach", "remove"]
    if subject.suite.profile is Profile.FULL:
        methods += ["setinfo", "detach"]
    for name in (*_NO_NAMES, *canary.values(), "\u00e9", "x" * 65536):
        for method in filter(subject.uses, methods):
            invocation = ordinary(subject.volume(), method)
            call = _hostile(canary, invocation, "VOL_NAME", name)
            changed = sorted(_outside(subject) ^ before)
            got = f"{method} of {_shown(name)} changed {', '.join(changed[:3])}"
            judge.holds(not changed, "nothing changed outside the pool", got, call)
    _judge_unharmed(bystander, call)


def _outside(subject: Subject) -> set[str]:
    """Return what there is in the run's directory, outside the back end's own directories."""
    suite = subject.suite
    own = [
        str(PurePath(place.replace("{run_directory}", ".")))
        for place in suite.configuration.run["inventory_directories"]
    ]
    listed = subject.node.shell(_PROVIDERS_OWN, str(suite.run_directory), {})
    lines = listed.stdout.decode(errors="backslashreplace").splitlines()[1:]
    return {line for line in lines if not line.startswith(tuple(f"./{place}" for place in own))}


@rule(
    "ES-SEC-09",
    Level.SHOULD,
    source="derived: a volume whose name no tool can take is a volume that stays for ever",
    profile=Profile.STANDARD,
)
def test_odd_names_are_refused(subject: Subject) -> None:
    """Create refuses a VOL_NAME with a slash, a control character or a leading dash."""
    for name in ("a/b", "../outside", "a\nb", "-rf", "x" * 65536):
        invocation = subject.volume().prepare("create").with_variables(VOL_NAME=name)
        call = subject.execute(invocation)
        subject.note(call)
        judge.fails(call, f"{_shown(name)} is no name of a volume")


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
    volume, canary = _bystander(subject), _Canary.of(subject)
    sizes = {"grow": "VOL_NEW_SIZE", "snapshot": "VOL_SNAPSHOT_SIZE", "open": "VOL_OPEN_EXCLUSIVE"}
    for value in canary.values():
        for variable in ("VOL_METADATA", "VOL_CNAME", "VOL_UUID"):
            _hostile(canary, ordinary(volume, "setinfo"), variable, value)
        for variable in ("VOL_CNAME", "VOL_UUID"):
            _hostile(canary, ordinary(volume, "attach"), variable, value)
        for variable in ("VOL_SIZE", "VOL_CNAME"):
            _hostile(canary, subject.volume().prepare("create"), variable, value)
        for method in filter(subject.uses, sizes):
            _hostile(canary, ordinary(volume, method), sizes[method], value)
        _hostile(canary, ordinary(volume, "grow"), "VOL_SIZE", value)
    _judge_unharmed(volume, subject.calls[-1])


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
    suite, canary = subject.suite, _Canary.of(subject)
    copy = suite.copy_of_provider(suite.directory.name)
    variables = {"CANARY": canary.path, "PROVIDER": str(copy)}
    planted = subject.node.shell(_LINK_ALL, str(suite.run_directory), variables)
    judge.holds(planted.exit_code == 0, "a copy to plant programs in", "none")
    volume = subject.volume()
    for method in filter(subject.uses, ("create", "attach", "grow", "detach", "remove")):
        invocation = ordinary(volume, method)
        script = str(copy / method)
        call = subject.run(invocation.replace(argv=(script,), directory=str(copy)))
        canary.judge(call, "a program of the working directory")
