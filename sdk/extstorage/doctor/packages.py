"""Which Debian package a program comes from, for those that storage providers call."""

from __future__ import annotations

_PROGRAMS = {
    "bash": "bash",
    "btrfs-progs": "btrfs mkfs.btrfs",
    "busybox": "busybox",
    "ceph-common": "ceph rados rbd",
    "cifs-utils": "mount.cifs",
    "curl": "curl",
    "dash": "dash sh",
    "dmsetup": "dmsetup",
    "drbd-utils": "drbdadm drbdsetup",
    "e2fsprogs": "mkfs.ext4 resize2fs tune2fs",
    "fdisk": "fdisk sfdisk",
    "gdisk": "sgdisk",
    "glusterfs-cli": "gluster",
    "iproute2": "ip",
    "jq": "jq",
    "ksh": "ksh ksh93",
    "kpartx": "kpartx",
    "lsscsi": "lsscsi",
    "lvm2": "lvchange lvconvert lvcreate lvdisplay lvextend lvm lvremove lvrename lvresize lvs pvs"
    " vgchange vgcreate vgs",
    "lvm2-lockd": "lvmlockctl lvmlockd",
    "mksh": "mksh",
    "mount": "losetup mount umount",
    "multipath-tools": "multipath multipathd",
    "nbd-client": "nbd-client",
    "nfs-common": "mount.nfs showmount",
    "nvme-cli": "nvme",
    "open-iscsi": "iscsiadm iscsid",
    "openssh-client": "scp ssh",
    "parted": "parted partprobe",
    "perl": "perl",
    "pypy3": "pypy3",
    "python3": "python3",
    "qemu-system-common": "qemu-storage-daemon",
    "qemu-utils": "qemu-img qemu-io qemu-nbd",
    "ruby": "ruby",
    "sanlock": "sanlock",
    "sg3-utils": "rescan-scsi-bus.sh sg_inq sg_map sg_persist sg_readcap sg_vpd",
    "snmp": "snmpget snmpset snmpwalk",
    "sshpass": "sshpass",
    "strace": "strace",
    "targetcli-fb": "targetcli",
    "thin-provisioning-tools": "thin_check thin_dump",
    "udev": "udevadm",
    "util-linux": "blkdiscard blockdev fallocate flock fsfreeze nsenter setpriv unshare wipefs",
    "wget": "wget",
    "xfsprogs": "mkfs.xfs xfs_growfs xfs_io",
    "xxd": "xxd",
    "zfsutils-linux": "zfs zpool",
}
_PACKAGES = {
    program: package for package, programs in _PROGRAMS.items() for program in programs.split()
}


def package_of(program: str) -> str | None:
    """Return the Debian package that has ``program`` (a name or a path), None if not known."""
    return _PACKAGES.get(program.rpartition("/")[2])
