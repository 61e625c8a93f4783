# Block devices: waiting until one is there, or until nobody uses it.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

es_load programs

wait_for_device() {
    es_left=$((${2:-30} * 10))
    until [ -b "$1" ]; do
        [ "$es_left" -gt 0 ] || fail "no device $1 after ${2:-30} s"
        es_left=$((es_left - 1))
        sleep 0.1
    done
}

# A kernel that is told to drop a device in use does so, or will do so later, and says
# that all is well: so ask first. Programs like udev have a device open for moments.
wait_until_unused() {
    es_left=$((${2:-3} * 10))
    while es_find_users "$1"; do
        [ "$es_left" -gt 0 ] || fail "$1 is in use ($es_users): stop that, and try again"
        es_left=$((es_left - 1))
        sleep 0.1
    done
}

# Status 1 if nobody uses the device or a part of it; what $es_users holds are words.
# A device is known by its number: it has several names, and a user shows only one of them.
es_find_users() {
    es_users=''
    [ -e "$1" ] || return 1
    es_need find stat
    es_read_number "$1" || fail "cannot tell who uses $1: stat says $es_text"
    es_numbers=" $es_number "
    es_add_parts "/sys/dev/block/$es_number"
    es_add_processes "$1"
    es_add_mounts
    es_users=${es_users#, }
    [ -n "$es_users" ]
}

# Set $es_number to MAJOR:MINOR, as the kernel writes it; status 1 if PATH is no block device.
es_read_number() {
    es_text=$(stat -L -c '%F:%t:%T' -- "$1" 2>&1) || return 1
    case $es_text in
    'block special file':*) es_text=${es_text#*:} ;;
    *) return 1 ;;
    esac
    es_number=$((0x${es_text%:*})):$((0x${es_text#*:}))
}

# What stands on the device or on a partition of it, whose numbers are added to $es_numbers.
es_add_parts() {
    for es_line in "$1"/*/partition; do
        { read -r es_number <"${es_line%/*}/dev"; } 2>/dev/null || continue
        es_numbers="$es_numbers$es_number "
    done
    for es_line in "$1"/holders/* "$1"/*/holders/*; do
        [ ! -e "$es_line" ] || es_users="$es_users, device ${es_line##*/}"
    done
}

# What find and stat did not get to the end with would be no users: so they tell of the device too.
es_add_processes() {
    # Only what lies in /dev: the answer of another file system may not come.
    es_text=$(find "$1" /proc/[0-9]*/fd -maxdepth 1 \
        \( ! -path '/proc/*' -o -lname '/dev/*' ! -lname /dev/null \) \
        -exec stat -L -c '%t %T %n %F' -- {} + 2>/dev/null) || [ $? -eq 1 ] || fail 'find failed'
    es_looked=''
    while read -r es_major es_minor es_line es_text; do
        case $es_text in block*) ;; *) continue ;; esac
        es_number=$((0x$es_major)):$((0x$es_minor))
        case $es_line in
        /proc/*) ! es_is_part || es_add_process "$es_line" ;;
        *) es_looked=yes ;;
        esac
    done <<END
$es_text
END
    [ -n "$es_looked" ] || fail "cannot tell who uses $1: find or stat failed"
}

es_is_part() {
    case $es_numbers in *" $es_number "*) ;; *) return 1 ;; esac
}

es_add_mounts() {
    while read -r es_line es_line es_number es_line es_place es_text; do
        es_text=${es_text#* - * }
        case $es_number:$es_text in # btrfs, for one, has a number of its own: 0:MINOR
        0:*:/dev/*) es_read_number "${es_text%% *}" || continue ;;
        esac
        ! es_is_part || es_users="$es_users, mount $es_place"
    done </proc/self/mountinfo
    [ -e /proc/swaps ] || return 0
    while read -r es_place es_text; do
        case $es_place in /dev/*) es_read_number "$es_place" || continue ;; *) continue ;; esac
        ! es_is_part || es_users="$es_users, swap $es_place"
    done </proc/swaps
}

# es_add_process /proc/NUMBER/fd/N
es_add_process() {
    set -- "${1#/proc/}"
    set -- "${1%%/*}"
    [ "$1" != "$$" ] || return 0
    es_program=''
    { read -r es_program <"/proc/$1/comm"; } 2>/dev/null || return 0 # has just ended
    case $es_users in
    *"process $1 "*) ;;
    *) es_users="$es_users, process $1 ($es_program)" ;;
    esac
}
