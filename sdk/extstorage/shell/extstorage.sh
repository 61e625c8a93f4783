# extstorage.sh @VERSION@: what the scripts of a provider in sh stand on; see MANUAL.
# A copy: `extstorage vendor` writes it. This file is read at every call, the others
# of this directory when a function of theirs is called for the first time.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

set -eu +fC
# The node daemon's environment is inherited: nothing of it may change a result. A variable
# that is read before it is set would be one that came along with it.
export LC_ALL=C
unset CDPATH TMPDIR POSIXLY_CORRECT BLOCKSIZE BLOCK_SIZE DF_BLOCK_SIZE DU_BLOCK_SIZE GREP_OPTIONS
unset es_directory es_declare provider_name # until main knows them
TMOUT=0 temporary='' checks=''
umask 077
# The answer has a descriptor of its own, so that no program can add to it.
exec 3>&1 1>&2 </dev/null

es_method=${0##*/}
es_code='' es_ending='' es_returned='' es_told='' es_answered='' es_check='' es_lock='' es_undo='' es_programs=''
run_timeout=300 # seconds

es_load() {
    # shellcheck source=/dev/null # the files of this directory
    . "$es_directory/lib/extstorage/$1.sh"
}

run() { es_load programs && run "$@"; }
ask() { es_load programs && ask "$@"; }
run_daemon() { es_load programs && run_daemon "$@"; }
wait_for_device() { es_load devices && wait_for_device "$@"; }
wait_until_unused() { es_load devices && wait_until_unused "$@"; }
lock_volume() { es_load locks && lock_volume; }
lock() { es_load locks && lock "$1"; }
lock_other() { es_load locks && lock_other "$1"; }
make_temporary() { es_load programs && make_temporary; }
print_device() { es_load answer && print_device "$@"; }
mib_to_bytes() { es_load sizes && mib_to_bytes "$1"; }
bytes_to_mib() { es_load sizes && bytes_to_mib "$1"; }
at_least() { es_load sizes && at_least "$@"; }
undo() { es_undo=$1; }
fail() { es_load complaints && fail "$1"; }

# main "$@": run the method that the script's name says, and exit.
# 0: done. 1: failed or refused. 2: the call is wrong, nothing was done.
main() {
    cd -- "${0%/*}"
    es_directory=$PWD
    provider_name=${PWD##*/}
    es_state=/run/ganeti-extstorage/$provider_name
    es_own=$es_state/.call.$$
    es_label="$provider_name $es_method ${VOL_NAME-}"
    trap es_end EXIT
    # mksh, which exits in a trap, leaves EXIT out.
    trap ': "${es_code:=1}" && [ -n "$es_ending" ] || es_end' USR1
    trap 'es_code=1 && es_load complaints && es_interrupted' HUP INT TERM
    # A relative directory in PATH would lead into the provider's directory.
    case :${PATH-.}: in *:[!/]*) es_load path ;; esac
    if [ $# -gt 0 ]; then es_load usage && es_read_arguments "$@"; fi
    es_read_variables
    es_declare='read'
    declare_parameters
    if [ "$es_method" = verify ]; then es_load verify && es_verify "$@"; else "do_$es_method"; fi
    [ "$es_method$es_answered" != attach ] || fail 'do_attach has not called print_device'
    es_returned=yes
    exit 0
}

es_end() {
    es_status=$?
    es_ending=yes
    trap - EXIT # and here ksh93 gets to know of a subshell that failed
    if [ "$es_returned$es_code$es_lock" != yes ] || [ -e "$es_own.said" ]; then es_load end; fi
    exit 0
}

parameter() {
    eval "es_value=\${$1-}"
    case $es_declare:$2:$es_value in
    read:text:?*) case $es_value in *[!\ -~]*) ;; *) return 0 ;; esac ;;
    esac
    es_load parameters && es_parameter "$@"
}

# Values that need no closer look are passed here; the others are told why not.
es_read_variables() {
    case $es_method in
    @NEEDS@
    *) es_load complaints && es_refuse_method ;;
    esac
    for es_variable in $es_needs; do
        eval "es_value=\${$es_variable-}"
        case $es_variable:$es_value in
        @NAMES@)
            case $es_value in
            '' | [-.]* | *[!A-Za-z0-9._-]*) ;;
            *) if [ "${#es_value}" -le @NAME_LENGTH@ ]; then continue; fi ;;
            esac
            ;;
        @SIZES@)
            case $es_value in
            '' | *[!0-9]* | 0* | @LONGEST_SIZE@*) ;;
            *) continue ;;
            esac
            ;;
        esac
        es_load variables && es_check_variable
    done
    for es_variable in @NOT_ALWAYS_SENT@; do
        case " $es_needs " in
        *" $es_variable "*) ;;
        *) unset "$es_variable" ;;
        esac
    done
}
