# Sizes. Some shells count with 32 bits: long numbers are worked on in groups of digits.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

es_check_number() {
    case $1 in
    '' | *[!0-9]* | 0?*) fail "expected a whole number without sign or leading zeros, found '$1'" ;;
    esac
    at_least 9223372036854775807 "$1" || fail "$1 is too large: 2^63 or more"
}

# at_least A B: whether A >= B, of whole numbers without leading zeros.
at_least() {
    if [ "${#1}" -ne "${#2}" ]; then
        if [ "${#1}" -gt "${#2}" ]; then return 0; else return 1; fi
    fi
    es_a=$1 es_b=$2
    while [ "${#es_a}" -gt 9 ]; do
        es_left=1${es_a%"${es_a#?????????}"} es_right=1${es_b%"${es_b#?????????}"}
        if [ "$es_left" -gt "$es_right" ]; then return 0; fi
        if [ "$es_left" -lt "$es_right" ]; then return 1; fi
        es_a=${es_a#?????????} es_b=${es_b#?????????}
    done
    if [ "1$es_a" -ge "1$es_b" ]; then return 0; else return 1; fi
}

# Give $es_text all its digits in groups of three, separated by blanks.
es_group() {
    es_text=$1
    while [ $((${#es_text} % 3)) -ne 0 ]; do es_text=0$es_text; done
    es_rest=$es_text es_text=''
    while [ -n "$es_rest" ]; do
        es_text="$es_text ${es_rest%"${es_rest#???}"}"
        es_rest=${es_rest#???}
    done
}

es_print_number() {
    es_text=$1
    while :; do
        case $es_text in
        0?*) es_text=${es_text#0} ;;
        *) break ;;
        esac
    done
    printf '%s\n' "$es_text"
}

mib_to_bytes() {
    es_check_number "$1"
    es_group "000000000$1" # room for what is carried
    es_rest=$es_text es_digits='' es_carry=0
    while [ -n "$es_rest" ]; do
        es_carry=$((es_carry + (1${es_rest##* } - 1000) * 1048576))
        es_low=$((es_carry % 1000 + 1000))
        es_digits=${es_low#1}$es_digits
        es_carry=$((es_carry / 1000))
        es_rest=${es_rest% *}
    done
    es_print_number "$es_digits"
}

# Rounded up: a volume is never smaller than it says.
bytes_to_mib() {
    es_check_number "$1"
    es_group "$1"
    es_digits='' es_left=0
    # shellcheck disable=SC2086 # split at the blanks
    for es_three in $es_text; do
        es_left=$((es_left * 1000 + 1$es_three - 1000))
        es_low=$((es_left / 1048576 + 1000))
        es_digits=$es_digits${es_low#1}
        es_left=$((es_left % 1048576))
    done
    if [ "$es_left" -ne 0 ]; then es_round_up; fi
    es_print_number "$es_digits"
}

es_round_up() {
    es_nines=''
    while :; do
        case $es_digits in
        *9) es_digits=${es_digits%9} es_nines=0$es_nines ;;
        *) break ;;
        esac
    done
    es_last=${es_digits#"${es_digits%?}"}
    es_digits=${es_digits%?}$((${es_last:-0} + 1))$es_nines
}
