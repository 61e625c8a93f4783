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
es_find_users() {
    es_users=''
    es_text=$(find /proc/[0-9]*/fd -maxdepth 1 \( -lname "$1" -o -lname "$1p[0-9]*" \) \
        2>/dev/null) || [ $? -eq 1 ] || fail 'find failed: is it in PATH?'
    for es_line in $es_text; do
        es_line=${es_line#/proc/}
        es_add_process "${es_line%%/*}"
    done
    for es_line in "/sys/class/block/${1##*/}/holders"/*; do
        [ ! -e "$es_line" ] || es_users="$es_users, device ${es_line##*/}"
    done
    while read -r es_text es_line; do
        case $es_text in
        "$1" | "$1"p[0-9]*) es_users="$es_users, ${es_line%% *}" ;;
        esac
    done <<END
$(cat /proc/self/mounts /proc/swaps)
END
    es_users=${es_users#, }
    [ -n "$es_users" ]
}

es_add_process() {
    [ "$1" != "$$" ] || return 0
    es_program=''
    { read -r es_program <"/proc/$1/comm"; } 2>/dev/null || return 0 # has just ended
    case $es_users in
    *"process $1 "*) ;;
    *) es_users="$es_users, process $1 ($es_program)" ;;
    esac
}
