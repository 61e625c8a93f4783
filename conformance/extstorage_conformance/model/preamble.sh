# shellcheck shell=sh disable=SC2016,SC2154,SC2317,SC2329
set -u
[ "$(id -u)" -eq 0 ] || { echo "needs root" >&2; exit 3; }
run=$(mktemp -d /var/tmp/extstorage-again.XXXXXX) || exit 3
step=0

broken() {
    printf 'IT HAPPENS: %s\n' "$1"
    exit 1
}

does_not_happen() {
    echo 'it does not happen'
    exit 0
}

# call OWES METHOD NAME=VALUE...: run a script as Ganeti does, and look at its exit status.
call() {
    owes=$1 method=$2
    shift 2
    step=$((step + 1))
    output=$(cd "$provider" && umask 077 && world "$@" "$provider/$method" 2>"$run.messages" </dev/null)
    status=$?
    printf '%s. %s: exit %s\n' "$step" "$method" "$status"
    sed 's/^/      /' "$run.messages"
    case $owes:$status in
    owes-success:0 | succeeded:0 | owes-failure:[1-9]* | failed:[1-9]*) ;;
    owes-success:*) broken "$method owes exit 0 here" ;;
    owes-failure:*) broken "$method owes a non-zero exit here" ;;
    *) echo "$method may exit so, but did not when this was written: the rest is another story" && exit 0 ;;
    esac
}

# attached VOLUME MIB: what attach printed is a device of that volume alone, as before, and large enough.
attached() {
    path=$(printf '%s\n' "$output" | sed -n 1p)
    [ -b "$path" ] || broken "attach printed '$path', which is no block device"
    for other in $volumes; do
        eval "known=\${device_$other-}"
        if [ "$other" = "$1" ]; then
            [ "${known:-$path}" = "$path" ] || broken "attached as $known, and now as $path"
        else
            [ "$known" != "$path" ] || broken "$path is the device of another volume"
        fi
    done
    eval "device_$1=\$path"
    bytes=$(blockdev --getsize64 "$path")
    [ "$bytes" -ge $(($2 * 1048576)) ] || broken "$path has $bytes bytes, less than $2 MiB"
}

# write VOLUME BLOCK TEXT and holds VOLUME BLOCK TEXT: one block of 4096 bytes, past the page cache.
write() {
    eval "path=\$device_$1"
    printf '%-4096s' "$3" |
        dd of="$path" bs=4096 seek="$2" count=1 iflag=fullblock oflag=direct conv=notrunc status=none ||
        broken "$path does not take a write"
}

block() {
    dd if="$1" bs=4096 skip="$2" count=1 iflag=direct status=none 2>/dev/null | tr -d '\0 '
}

holds() {
    eval "path=\$device_$1"
    found=$(block "$path" "$2")
    [ "$found" = "$3" ] || broken "block $2 of $path holds '$found', not '$3'"
}

# detached VOLUME [TEXT]: its path no longer leads to the volume, whose first block is TEXT.
detached() {
    eval "path=\${device_$1-}; device_$1="
    if [ -n "$path" ] && [ -n "${2-}" ] && [ "$(block "$path" 0)" = "$2" ]; then
        sleep 2
        [ "$(block "$path" 0)" != "$2" ] || broken "$path shows the volume, which was detached"
    fi
}

# others_stay VOLUME: the devices of all other volumes are still there.
others_stay() {
    for other in $volumes; do
        eval "path=\${device_$other-}"
        [ "$other" = "$1" ] || [ -z "$path" ] || [ "$(blockdev --getsize64 "$path")" -gt 0 ] ||
            broken "$path is no device any more: it was that of another volume"
    done
}

things() {
    losetup --noheadings --output NAME,BACK-FILE | grep -F -- "$run/"
    places | while read -r place; do find "$place" ! -type d 2>/dev/null; done
    find /run /dev /tmp /var/tmp /var/lib -maxdepth 5 -name "*$mark*" ! -path "$run*" 2>/dev/null
}

begin() {
    trap undo EXIT
    trap 'exit 3' HUP INT TERM
    (cd "$provider" && world RUN_DIRECTORY="$run" /bin/sh -c "$hook") || exit 3
    things >"$run.before"
}

nothing_left() {
    things | grep -vxF -f "$run.before" >"$run.left" || return 0
    sleep 2
    things | grep -vxF -f "$run.before" >"$run.left" || return 0
    broken "left: $(head -n 3 "$run.left" | tr '\n' ' ')"
}

remove_all() {
    for name in $names; do
        for method in detach remove; do
            (cd "$provider" && umask 077 && world VOL_NAME="$name" "$provider/$method") \
                </dev/null >/dev/null 2>&1
        done
    done
}

undo() {
    remove_all
    losetup --noheadings --output NAME,BACK-FILE | grep -F -- "$run/" |
        while read -r device _; do losetup --detach "$device"; done
    rm -rf -- "$run" "$run.messages" "$run.before" "$run.left"
}
