# The development back end: volumes are files of a directory that all nodes share, an
# attached volume is a loop device. It stands in for the storage until no method in
# provider.sh calls it any more; then delete this file and the parameter dev_directory.
# shellcheck shell=sh disable=SC2154 # provider_name and the EXTP_ variables are the runtime's
#
# A volume is the directory DEV_DIRECTORY/PROVIDER/VOL_NAME:
#   data       its blocks; the volume exists as long as this file does
#   lock       held by whoever changes the volume, on any node
#   info       what setinfo said last
#   node.NODE  a second name of data, which NODE's loop device is made of: so a node
#              tells its own device from the others', even where they share a kernel
#   open.NODE  how NODE has the volume open

read -r node </proc/sys/kernel/hostname

development_check_directory() {
    case $(run stat -L -c %A -- "$EXTP_DEV_DIRECTORY") in
    d???????w?) fail "parameter dev_directory: everybody can write to $EXTP_DEV_DIRECTORY" ;;
    d*) ;;
    *) fail "parameter dev_directory: $EXTP_DEV_DIRECTORY is no directory" ;;
    esac
}

development_check_programs() {
    for program in blockdev cp find flock ln losetup mkdir mv rm rmdir stat sync truncate; do
        command -v "$program" >/dev/null || fail "the program $program is not in PATH"
    done
    [ -e /dev/loop-control ] || fail 'no loop devices on this node: modprobe loop'
}

# development_volume NAME: set $volume, whether there is such a volume or not.
development_volume() {
    volume=$EXTP_DEV_DIRECTORY/$provider_name/$1
}

# A missing directory may be a file system that is not mounted: it never is an empty pool.
development_find() {
    development_check_directory
    development_volume "$1"
}

development_lock() {
    development_find "$1"
    development_take || {
        development_is_absent "$volume/data" || fail "cannot lock or cannot read $volume$told"
        fail "no such volume: $volume"
    }
}

# Status 1 if there is no volume, or its lock cannot be opened.
development_take() {
    if ! [ -e "$volume/data" ] || ! lock "$volume/lock"; then return 1; fi
    [ ! -e "$volume/data" ] || return 0
    development_leave # it has just been removed, and this lock is a new one
    return 1
}

# Status 1 unless a file is not there for certain: after an I/O error `[ -e` says that it is
# not. What stat says in such a case is in $told, for a message to end with.
development_is_absent() {
    told=''
    [ ! -e "$1" ] || return 1
    told=" (stat: $(stat -c %F -- "$1" 2>&1))" || : # an error is what is looked for
    case $told in
    *': No such file or directory)' | *': Not a directory)') ;;
    *) return 1 ;;
    esac
}

# --- volumes ---------------------------------------------------------------

development_create() {
    development_find "$1"
    development_begin lock
    run truncate -s "$2M" -- "$volume/data.new"
    development_commit
}

# A volume comes to be by one link; what a crash leaves before that is no volume,
# and goes with the next create or remove.
development_begin() {
    tries=100
    until "$1" "$volume/lock"; do
        [ "$tries" -gt 0 ] || development_fail_to_begin
        tries=$((tries - 1))
        run mkdir -p -- "$volume"
    done
    [ ! -e "$volume/data" ] || fail "the volume exists: $volume: remove it first"
    development_is_absent "$volume/data" || fail "cannot tell whether $volume is there$told"
    undo development_leave
    run rm -f -- "$volume/data.new"
    undo development_discard
}

development_fail_to_begin() {
    rmdir -- "$volume" 2>/dev/null || : # unless a volume, or another call's lock, is in it
    fail "cannot write to $volume"
}

development_commit() {
    run sync -- "$volume/data.new"
    run ln -T -- "$volume/data.new" "$volume/data" # which never replaces a volume
    run sync -- "$volume"
    undo ''
    rm -f -- "$volume/data.new" || : # a second name of the data, which goes with the volume
}

# A volume that is there is this call's only if it is what this call has made.
development_discard() {
    # shellcheck disable=SC3013 # every shell that can be /bin/sh has -ef
    [ ! "$volume/data" -ef "$volume/data.new" ] || run rm -f -- "$volume/data"
    run rm -f -- "$volume/data.new"
    development_leave
}

# Leave the directory, unless there is a volume in it. As soon as the lock is not there any
# more, the directory may be another call's, with a lock and a volume of its own. The lock goes
# by way of another directory, as NFS keeps a file that is open where it was.
development_leave() {
    development_is_absent "$volume/data" || return 0
    gone=${volume%/*}/.gone.${volume##*/}
    run mv -T -- "$volume/lock" "$gone"
    run rm -f -- "$gone"
    rmdir --ignore-fail-on-non-empty -- "$volume" 2>/dev/null ||
        development_is_absent "$volume" ||
        run rmdir --ignore-fail-on-non-empty -- "$volume"
}

development_remove() {
    development_find "$1"
    tries=5
    until lock "$volume/lock"; do
        ! development_is_absent "$volume" || return 0
        [ "$tries" -gt 0 ] || fail "cannot lock $volume: can this node write there?$told"
        tries=$((tries - 1))
    done
    development_mapped_by "$1" ''
    [ -z "$mapped" ] || fail "attached on node $mapped: detach it there first"
    run rm -f -- "$volume/data"
    # What NFS keeps of open files goes when they are closed.
    run find "$volume" -ignore_readdir_race -mindepth 1 ! -name lock ! -name '.nfs*' -delete
    development_leave
}

development_grow() {
    development_lock "$1"
    bytes=$(mib_to_bytes "$2")
    before=$(run stat -c %s -- "$volume/data")
    at_least "$bytes" "$before" ||
        fail "VOL_NEW_SIZE: expected at least the volume's $(bytes_to_mib "$before") MiB, found $2"
    run truncate -s "$bytes" -- "$volume/data"
    run sync -- "$volume/data"
    development_device "$1"
    [ -z "$device" ] || run losetup --set-capacity "$device"
}

development_setinfo() {
    development_lock "$1"
    printf '%s\n' "$2" >"$volume/info.new" || fail "cannot write to $volume"
    run mv -- "$volume/info.new" "$volume/info"
}

# --- devices ---------------------------------------------------------------

# Set $device to this node's loop device of the volume, or to nothing. The kernel
# is asked each time: nothing that is remembered can be wrong.
development_device() {
    device='' others=''
    for file in /sys/block/loop*/loop/backing_file; do
        development_read "$file" || continue
        file=${file#/sys/block/}
        # shellcheck disable=SC3013 # every shell that can be /bin/sh has -ef
        case $backing in
        */"$provider_name/$1/node.$node")
            if [ "$backing" -ef "$volume/data" ]; then
                device=/dev/${file%%/*}
            else
                others="$others /dev/${file%%/*}"
            fi
            ;;
        */"$provider_name/$1/node.$node (deleted)") others="$others /dev/${file%%/*}" ;;
        esac
    done
}

# Set $backing to what a loop device is made of; status 1 if there is no such device (any more).
# A device of which the kernel does not tell is not taken for one that is not there.
development_read() {
    tries=5
    until { read -r backing <"$1"; } 2>/dev/null; do
        [ -e "$1" ] || return 1
        [ "$tries" -gt 0 ] || fail "cannot read $1"
        tries=$((tries - 1))
        sleep 0.1 # a device that is let go has no file for a moment
    done
}

development_attach() {
    development_lock "$1"
    development_device "$1"
    for stale in $others; do
        development_unmap "$stale"
    done
    if [ -z "$device" ]; then
        run ln -f -- "$volume/data" "$volume/node.$node"
        device=$(run losetup --find --show -- "$volume/node.$node")
        run blockdev --setrw "$device" # its last user may have left it read-only
    else
        run losetup --set-capacity "$device" # another node may have grown the file
    fi
    printf '%s\n' "$device"
}
{% if cookiecutter.userspace_uri %}

# The file that a hypervisor can open itself.
development_uri() {
    development_volume "$1"
    printf 'file:%s\n' "$volume/data"
}
{% endif %}

# Whatever has become of the volume and its directory: what this node maps can go.
development_detach() {
    development_volume "$1"
    development_take || :
    development_device "$1"
    for mapped in $device $others; do
        development_unmap "$mapped"
    done
    [ ! -d "$volume" ] || run rm -f -- "$volume/node.$node" "$volume/open.$node"
}

development_unmap() {
    run sync -- "$1"
    wait_until_unused "$1"
    run blockdev --setrw "$1" # or the device's next user inherits it
    development_read "/sys/block/${1#/dev/}/loop/backing_file" || return 0
    unmapped=${backing%' (deleted)'}
    run losetup --detach "$1"
    patience=30
    # Another volume may get the device at once: it is this one's as long as the file is.
    while development_read "/sys/block/${1#/dev/}/loop/backing_file" &&
        [ "${backing%' (deleted)'}" = "$unmapped" ]; do
        [ "$patience" -gt 0 ] || fail "$1 does not let go of the volume"
        patience=$((patience - 1))
        sleep 0.1
    done
}

# Set $mapped to NODE, or to the first node of all if it is '', that is seen to map the volume.
# The nodes of one kernel are (containers, and the tests); of another machine nothing is seen.
development_mapped_by() {
    mapped=''
    for file in /sys/block/loop*/loop/backing_file; do
        development_read "$file" || continue
        case $backing in
        *' (deleted)') ;;
        */"$provider_name/$1/node.$2" | */"$provider_name/$1/node.${2:-"${backing##*/node.}"}")
            mapped=${backing##*/node.}
            ;;
        esac
    done
}

{% if cookiecutter.snapshot %}
# --- snapshot ----------------------------------------------------------------

# What the volume is now, though its instance may go on writing.
development_snapshot() {
    development_lock "$1"
    origin=$volume/data
    development_device "$1"
    [ -z "$device" ] || run sync -- "$device"
    development_find "$2"
    development_begin lock_other
    development_copy
    run truncate -s ">$3M" -- "$volume/data.new"
    development_commit
}

# Where files can share blocks that is one step. Elsewhere the copy counts only if
# nothing was written to the origin while it was made.
development_copy() {
    if cp --reflink=always -- "$origin" "$volume/data.new" 2>/dev/null; then return 0; fi
    give_up=$(($(run date +%s) + 20))
    until development_copied_unchanged; do
        [ "$(run date +%s)" -lt "$give_up" ] ||
            fail 'the volume was written to during every copy for 20 s: stop its instance'
    done
}

development_copied_unchanged() {
    before=$(run stat -c '%y %z %s' -- "$origin")
    case $before in
    *.000000000*) sleep 1.1 ;; # times are kept in seconds here
    *) sleep 0.02 ;;           # in ticks of the clock
    esac
    run cp --reflink=never --sparse=always -- "$origin" "$volume/data.new"
    [ "$(run stat -c '%y %z %s' -- "$origin")" = "$before" ]
}

{% endif %}
{% if cookiecutter.open_close %}
# --- open and close ------------------------------------------------------------

# An exclusive open is refused while another node that is seen to map the volume has it
# open. A node that is not seen may have crashed: its record is history.
development_open() {
    development_lock "$1"
    development_device "$1"
    [ -n "$device" ] || fail 'not attached on this node: attach it first'
    for record in "$volume"/open.*; do
        development_expect_no_conflict "$1" "${record##*/open.}" "$2"
    done
    printf '%s\n' "$2" >"$volume/open.$node" || fail "cannot write to $volume"
    run blockdev --flushbufs --setrw "$device" # what another node wrote is not in its cache
}

development_expect_no_conflict() {
    { [ "$2" != "$node" ] && read -r how <"$volume/open.$2"; } 2>/dev/null || return 0
    [ "$3$how" != FalseFalse ] || return 0
    development_mapped_by "$1" "$2"
    [ -z "$mapped" ] || fail "node $2 has it open (exclusive: $how): nothing was changed here"
}

development_close() {
    development_lock "$1"
    development_device "$1"
    if [ -n "$device" ]; then
        run sync -- "$device"
        run blockdev --flushbufs --setro "$device"
    fi
    run rm -f -- "$volume/open.$node"
}
{% endif %}
