# What the values of Ganeti's variables may be.
# shellcheck shell=sh disable=SC2034,SC2154 # the files share their variables

es_load complaints

# Return if $es_value can be the value of $es_variable.
es_check_variable() {
    [ -n "$es_value" ] ||
        es_refuse "$es_variable is not set, or empty: Ganeti sets it for this method"
    case $es_variable in
    @KINDS@
    esac
}

es_wrong_variable() { es_wrong "$es_variable" "$es_value" "$1"; }

es_check_volume_name() {
    case $es_value in
    [-.]*) es_wrong_variable 'a name that starts with a letter, a digit or _' ;;
    *[!A-Za-z0-9._-]*) es_wrong_variable 'a name made of A-Z a-z 0-9 . _ -' ;;
    esac
    [ "${#es_value}" -le @NAME_LENGTH@ ] ||
        es_wrong_variable 'a name of at most @NAME_LENGTH@ characters'
}

es_check_size() {
    case $es_value in
    *[!0-9]* | 0*) es_wrong_variable 'a whole number of MiB, without sign or leading zeros' ;;
    esac
    at_least @MAX_SIZE_MIB@ "$es_value" || es_wrong_variable '1 to @MAX_SIZE_MIB@ MiB'
}

es_check_metadata() {
    case $es_value in
    *[!A-Za-z0-9_+.-]*) es_wrong_variable 'characters of A-Z a-z 0-9 - _ + .' ;;
    esac
    [ "${#es_value}" -le @METADATA_LENGTH@ ] ||
        es_wrong_variable 'at most @METADATA_LENGTH@ characters'
}

es_check_boolean() {
    case $es_value in
    True | False) ;;
    *) es_wrong_variable 'exactly True or False' ;;
    esac
}
