# Sourced by every script of this provider. A volume is the directory
# EXTP_DIRECTORY/PROVIDER.VOL_NAME with these files:
#   image  its blocks; the volume exists as long as this file does
#   info   what setinfo was told last
#   open   the node that has opened it, and VOL_OPEN_EXCLUSIVE
# A lock on that directory orders the calls for one volume; the kernel frees it
# when the script ends. What is attached here, the kernel's loop devices tell.
# shellcheck shell=sh

set -eu
# The node daemon's environment is inherited: nothing of it may change a result.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
unset CDPATH
umask 077

script=${0##*/}

fail() {
    printf '%s: %s\n' "$script" "$1" >&2
    exit 1
}

# Answer -h and --help, refuse any other argument.
takes_no_arguments() {
    summary=$1
    shift
    case "$#:${1-}" in
    0:) ;;
    1:-h | 1:--help) printf 'usage: %s\n%s\n' "$script" "$summary" && exit 0 ;;
    *) printf 'usage: %s (no arguments; got %s)\n' "$script" "$#" >&2 && exit 2 ;;
    esac
}

check_parameters() {
    directory=${EXTP_DIRECTORY-}
    layout=${EXTP_LAYOUT-sparse}
    case $directory in
    '') fail "parameter directory is missing: expected an absolute path" ;;
    [!/]* | *[!A-Za-z0-9/._,:@+-]*) fail "parameter directory is no plain absolute path" ;;
    esac
    # Only the last part may be new: a typing error must not grow a tree.
    [ -d "$directory" ] || { [ ! -e "$directory" ] && [ -d "${directory%/*}/" ]; } ||
        fail "parameter directory: $directory is no directory"
    case $layout in
    sparse | full) ;;
    *) fail "parameter layout: expected sparse or full" ;;
    esac
}

# check_name VARIABLE VALUE
check_name() {
    case $2 in
    '') fail "$1 is missing or empty" ;;
    [-.]* | *[!A-Za-z0-9._-]*) fail "$1 is no volume name: letters, digits, '.', '_', '-'" ;;
    esac
    [ "${#2}" -le 180 ] || fail "$1 is longer than 180 characters"
}

# check_size VARIABLE VALUE: MiB, few enough digits for the shell's arithmetic.
check_size() {
    case $2 in
    '') fail "$1 is missing or empty" ;;
    0* | *[!0-9]* | ?????????*) fail "$1: expected 1 to 99999999 (MiB), got '$2'" ;;
    esac
}

# Set volume and image, from VOL_NAME and the parameters alone.
find_volume() {
    check_name VOL_NAME "${VOL_NAME-}"
    check_parameters
    volume=$(volume_directory "$VOL_NAME")
    image=$volume/image
}

# The provider's own name is part of the path: a copy has volumes of its own.
volume_directory() {
    provider=$(cd -- "${0%/*}" && pwd)
    printf '%s/%s.%s' "${directory%/}" "${provider##*/}" "$1"
}

# Take the volume's lock; status 1 if there is no such volume.
lock_volume() {
    while [ -e "$image" ]; do
        { command exec 9<"$volume"; } 2>/dev/null || continue
        flock --wait 120 9 || fail "$VOL_NAME has been locked for 120 s"
        # It may have been removed, and made anew, while we waited.
        if [ -e /proc/self/fd/9/image ]; then return 0; fi
    done
    return 1
}

# Extend a file to at least that many MiB.
extend() {
    case $layout in
    sparse) truncate --size=">$2M" -- "$1" ;;
    full) fallocate --length "$2MiB" -- "$1" ;;
    esac
}

# Make an empty directory for a new volume, in new; it goes again if the script fails.
prepare_volume() {
    [ -d "$directory" ] || mkdir -- "$directory" || [ -d "$directory" ] ||
        fail "cannot make $directory"
    sweep "$1"
    new=$(mktemp --directory -- "${directory%/}/.new.$1.XXXXXX") || fail "cannot write to $directory"
    trap 'rm -rf -- "$new"' EXIT
    trap 'exit 1' HUP INT TERM
    command exec 8<"$new"
    flock --nonblock 8 || fail "somebody else took $new"
}

# Delete what calls that were killed have left of the volume in the making. Whoever is
# still at it holds the lock.
sweep() {
    for left in "${directory%/}/.new.$1."??????; do
        # shellcheck disable=SC2094  # a directory: it is locked, not read
        [ ! -d "$left" ] || (flock --nonblock 7 && rm -rf -- "$left") 7<"$left" || :
    done
}

# Give what prepare_volume made its name, at once and only if the name is free.
publish_volume() {
    sync -- "$new/image" || fail "cannot write to $directory"
    mv --no-target-directory -- "$new" "$(volume_directory "$1")" ||
        fail "volume $1 exists already"
}

# Print the loop device of the volume on this node, or nothing. The kernel compares
# the files themselves, so that neither a similar name nor a deleted file is taken.
# Nodes in containers see each other's devices; what another one opened has another path.
# No pipe: the status of losetup would be lost in it.
attached_device() {
    path=$(readlink --canonicalize-missing -- "$image")
    devices=$(losetup --raw --noheadings --output NAME,BACK-FILE --associated "$image") ||
        fail "cannot list loop devices"
    while read -r name backing; do
        if [ "$backing" = "$path" ]; then
            printf '%s' "$name"
            break
        fi
    done <<LIST
$devices
LIST
}

# Print the loop devices whose image somebody has deleted under them.
orphaned_devices() {
    deleted="$(readlink --canonicalize-missing -- "$image") (deleted)"
    for backing in /sys/block/loop*/loop/backing_file; do
        if { read -r path <"$backing"; } 2>/dev/null && [ "$path" = "$deleted" ]; then
            path=${backing%/loop/backing_file}
            printf '/dev/%s\n' "${path##*/}"
        fi
    done
}

in_use() {
    [ -n "$(find /proc/[0-9]*/fd -maxdepth 1 \( -lname "$1" -o -lname "$1p*" \) \
        -print -quit 2>/dev/null)" ] ||
        [ -n "$(ls "/sys/block/${1##*/}/holders")" ] || grep -q "^$1[p ]" /proc/mounts
}

# detach_device DEVICE. The kernel only marks a device that is open ("autoclear") and
# says success, so ask first, and look afterwards.
detach_device() {
    tries=20
    while in_use "$1"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "$1 is in use: $VOL_NAME stays attached"
        sleep 0.1
    done
    { blockdev --setrw --flushbufs "$1" && losetup --detach "$1"; } || fail "cannot detach $1"
    tries=100 # a scan of devices by anybody on the machine keeps it open for moments
    while [ -e "/sys/block/${1##*/}/loop" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "$1 does not let go of $VOL_NAME"
        sleep 0.1
    done
}

detach_everything() {
    # Assigned first: a failure inside a list of words would go unseen.
    attached=$(attached_device)
    orphaned=$(orphaned_devices)
    for device in $attached $orphaned; do
        detach_device "$device"
    done
}
