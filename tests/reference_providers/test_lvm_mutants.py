"""The provider, broken as LVM providers are broken: the tests beside this one see it.

Each fault was found in, or is one step from, a public provider. It is one edit; the scenario that
has to fail with it is a test of this folder, run on a copy of the provider with that edit.
"""

from __future__ import annotations

import contextlib
import shutil
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.reference_providers import test_lvm_methods as methods
from tests.reference_providers import test_lvm_nodes as several
from tests.reference_providers.lvm import LVM, LvmNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


class Mutant(NamedTuple):
    """One fault: a text that stands once in a file of ``lib/lvm``, and what to put there."""

    name: str
    file: str
    find: str
    replace: str
    scenario: Callable[[list[LvmNode]], None]


def on_one(scenario: Callable[[LvmNode], None]) -> Callable[[list[LvmNode]], None]:
    """Return the scenario of one node as one of several."""
    return lambda nodes: scenario(nodes[0])


MUTANTS = [
    Mutant(
        "remove-by-prefix",
        "group.py",
        'change("lvremove", self.path(name))',
        """change("lvremove", "--select", f'lv_name=~"^{name[:-4]}"', self.name)""",
        on_one(methods.test_names_that_begin_alike_are_different_volumes),
    ),
    Mutant(
        "detach-by-prefix",
        "group.py",
        'lvm("lvchange", "--activate=n", self.path(name))',
        """lvm("lvchange", "--activate=n", "--select", f'lv_name=~"^{name[:-4]}"', self.name)""",
        on_one(methods.test_names_that_begin_alike_are_different_volumes),
    ),
    Mutant(
        "names-as-they-come",
        "names.py",
        "{volume.replace('_', '+u')}",
        "{volume}",
        lambda nodes: methods.test_names_that_lvm_reserves_or_escapes(nodes[0], "a_tmeta"),
    ),
    Mutant(
        "whoever-made-it",
        "group.py",
        "return self._owner in found.tags",
        "return found is not None",
        on_one(methods.test_what_somebody_else_made_is_never_touched),
    ),
    Mutant(
        "one-name-for-all-providers",
        "names.py",
        "+{provider.replace('_', '+u')}",
        "+lvm",
        lambda nodes: methods.test_two_providers_in_one_group_have_volumes_of_their_own(
            nodes[0], nodes[0].provider.parents[1]
        ),
    ),
    Mutant(
        "an-error-is-no-error",
        "commands.py",
        'return run(command, "--yes", *words, timeout_s=TIMEOUT_S, launcher=_KEEPER)',
        """try:
        return run(command, "--yes", *words, timeout_s=TIMEOUT_S, launcher=_KEEPER)
    except Exception:
        return "successfully removed\"""",
        on_one(methods.test_a_create_that_does_not_fit_leaves_nothing),
    ),
    Mutant(
        "remove-what-is-attached",
        "removing.py",
        "if provider.device(name) is not None:\n        raise",
        "if provider.group == '':\n        raise",
        on_one(methods.test_a_device_in_use_stays_and_its_user_is_named),
    ),
    Mutant(
        "detach-later",
        "attaching.py",
        'dmsetup("remove", mapping)',
        'dmsetup("remove", "--deferred", mapping)',
        on_one(methods.test_a_device_in_use_stays_and_its_user_is_named),
    ),
    Mutant(
        "rounded-down",
        "group.py",
        'f"--size={size}m", self.path(name)',
        'f"--extents={size // 4}", self.path(name)',
        on_one(methods.test_grow_is_seen_at_once_and_never_shrinks),
    ),
    Mutant(
        "tags-pile-up",
        "group.py",
        'words += ["--deltag", tag]',
        "pass",
        on_one(methods.test_setinfo_replaces_one_tag_and_keeps_the_others),
    ),
    Mutant(
        "all-tags-go",
        "group.py",
        "if tags.is_info(tag) and tag != new:",
        "if tag != new and tag != self._owner:",
        on_one(methods.test_setinfo_replaces_one_tag_and_keeps_the_others),
    ),
    Mutant(
        "a-copy-of-what-moves",
        "snapshots.py",
        "copy(source.path, ",
        'copy(source.path.removesuffix("+.copy"), ',
        on_one(methods.test_a_snapshot_is_frozen_while_the_volume_is_written_to),
    ),
    Mutant(
        "the-frozen-one-stays",
        "snapshots.py",
        "self._volumes.remove(self._frozen)",
        "pass",
        on_one(methods.test_a_snapshot_is_what_the_volume_was),
    ),
    Mutant(
        "a-killed-copy-stays-frozen",
        "making.py",
        "if found.copy_of:",
        "if found.copy_of == found.name:",
        on_one(methods.test_what_a_killed_snapshot_left_goes_with_the_snapshot),
    ),
    Mutant(
        "what-cannot-be-read-is-not-there",
        "device.py",
        "if error.errno in _GONE:",
        "if error.errno:",
        on_one(methods.test_a_device_that_cannot_be_told_is_not_taken_for_none),
    ),
    Mutant(
        "grown-space-is-not-wiped",
        "growing.py",
        "active.zero(before.size)",
        "pass",
        on_one(methods.test_wipe_zeroes_new_space_and_grown_space),
    ),
    Mutant(
        "whoever-wipes-it",
        "growing.py",
        "with Maker(provider.group, (name,), protection):",
        "if provider.group:",
        on_one(methods.test_a_grow_that_is_repeated_while_zeros_are_written_is_refused),
    ),
    Mutant(
        "wiped-without-a-word",
        "growing.py",
        "active = attach(provider, name)",
        "provider.volumes().activate(name, 'sy'); active = provider.active_device(name)",
        several.test_a_volume_that_is_being_wiped_is_not_removed_elsewhere,
    ),
    Mutant(
        "no-lock-on-metadata",
        "protection.py",
        "if self._wanted:",
        "if self._lease:",
        several.test_a_killed_call_keeps_its_lease_until_its_command_ends,
    ),
    Mutant(
        "a-slow-moment-is-an-error",
        "sanlock.py",
        "(*_HELD, *_SLOW)",
        "_HELD",
        several.test_storage_that_is_slow_for_a_moment_fails_no_call,
    ),
    Mutant(
        "the-lease-ends-with-the-script",
        "commands.py",
        "timeout_s=TIMEOUT_S, launcher=_KEEPER",
        "timeout_s=TIMEOUT_S",
        several.test_a_killed_call_keeps_its_lease_until_its_command_ends,
    ),
    Mutant(
        "growth-elsewhere-is-not-seen",
        "attaching.py",
        "if active.size() < found.size or active.is_suspended():",
        "if active.is_suspended():",
        several.test_grow_is_seen_by_the_other_nodes_next_attach,
    ),
    Mutant(
        "suspended-is-attached",
        "attaching.py",
        "if active.size() < found.size or active.is_suspended():",
        "if active.size() < found.size:",
        on_one(
            partial(
                methods.test_a_device_that_a_killed_command_left_suspended_is_resumed,
                method="attach",
            )
        ),
    ),
    Mutant(
        "the-old-device-of-that-name",
        "attaching.py",
        "if active.uuid != found.uuid:",
        "if active.uuid == '':",
        several.test_a_device_of_an_older_volume_of_that_name_is_not_handed_out,
    ),
    Mutant(
        "lvm-says-it-is-detached",
        "attaching.py",
        "    if provider.device(name) is not None:\n        _remove",
        "    if said and provider.device(name) is not None:\n        _remove",
        several.test_the_device_of_an_older_volume_of_that_name_is_detached,
    ),
    Mutant(
        "exclusive-for-all",
        "opening.py",
        "    if conflict:\n",
        "    if conflict and not exclusive:\n",
        lambda nodes: several.test_who_may_open_beside_whom(nodes, "True", "True", 1),
    ),
    Mutant(
        "detach-keeps-the-hold",
        "attaching.py",
        "holds.record(name, 0)\n\n\ndef _flush",
        "pass\n\n\ndef _flush",
        lambda nodes: several.test_who_may_open_beside_whom(nodes, "True", "True", 1),
    ),
    Mutant(
        "attach-minds-the-other-node",
        "attaching.py",
        "    holds = protection.holds\n    is_new",
        "    holds = protection.holds\n"
        "    if holds and holds.conflict(name, exclusive=True):\n"
        "        raise ProviderError('in use on another node')\n    is_new",
        several.test_live_migration_in_ganetis_order,
    ),
    Mutant(
        "remove-whatever-others-do",
        "removing.py",
        "user = protection.holds.user(name) if protection.holds else None",
        "user = None",
        several.test_remove_is_refused_while_another_node_has_it,
    ),
    Mutant(
        "remove-looks-and-then-acts",
        "removing.py",
        "        _expect_no_user(protection, name)\n        volumes.remove(old)",
        "        volumes.remove(old)",
        several.test_of_a_remove_and_an_attach_elsewhere_at_once_one_fails,
    ),
    Mutant(
        "a-killed-remove-is-never-ended",
        "removing.py",
        "if old is not None and",
        "if old is not None and name in found and",
        several.test_what_a_killed_remove_left_goes_with_the_next_one,
    ),
]


@contextlib.contextmanager
def broken_by(mutant: Mutant, nodes: list[LvmNode], shared: Path) -> Iterator[list[LvmNode]]:
    """Give the nodes, calling a copy of the provider with the mutant's edit."""
    copy = shared / mutant.name / "lvm"
    shutil.copytree(LVM, copy)
    file = copy / "lib" / "lvm" / mutant.file
    text = file.read_text()
    assert text.count(mutant.find) == 1, f"{mutant.file} has changed: look at {mutant.name} again"
    file.write_text(text.replace(mutant.find, mutant.replace))
    broken = [LvmNode(node.guest, node.number, copy) for node in nodes]
    for node, model in zip(broken, nodes, strict=True):
        node.parameters = model.parameters
    try:
        yield broken
    finally:
        shutil.rmtree(copy.parent)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_a_test_sees_it(pair: list[LvmNode], shared: Path, mutant: Mutant) -> None:
    with (
        broken_by(mutant, pair, shared) as broken,
        pytest.raises((AssertionError, ValueError)),
    ):
        mutant.scenario(broken)
