{% from "notes.jinja" import note %}
# {{ cookiecutter.vendor }}'s volumes for Ganeti: one function for each method.
# shellcheck shell=sh disable=SC2034,SC2317,SC2329 # main calls the functions, and reads $checks
#
# Where it says STORAGE, the call of the storage goes. Until it is there, the development
# back end (development.sh) stands in for it: replace one call after another, and run
# `extstorage conform` after each. lib/extstorage/MANUAL says what run, fail and the others do.

# shellcheck source=extstorage/extstorage.sh
. "${0%/*}/lib/extstorage/extstorage.sh"
# shellcheck source=development.sh
. "${0%/*}/lib/development.sh"

# After a change here: `./verify --parameters-list >parameters.list`
declare_parameters() {
{% for parameter in parameters(cookiecutter) %}
    parameter {{ parameter.variable }} text {{ parameter.description | shell
    }}{% if parameter.required %} required{% endif %}
{% if parameter.secret %} secret{% endif %}
{% if parameter.default %} default {{ parameter.default | shell }}{% endif %}

{% endfor %}
    parameter EXTP_DEV_DIRECTORY path {{ development_parameter.description | shell }} \
        default {{ development_default(cookiecutter) | shell }}
}

do_create() {
    lock_volume
{{ note("create", "    # ") }}
    development_create "$VOL_NAME" "$VOL_SIZE"
}

do_attach() {
    lock_volume
{{ note("attach", "    # ") }}
    device=$(development_attach "$VOL_NAME")
{% if cookiecutter.userspace_uri %}
    if [ -z "${EXTP_ACCESS-}" ]; then # before 2.13 Ganeti takes no URIs
        print_device "$device"
        return
    fi
    # STORAGE: HYPERVISOR:URI, by which the hypervisor reaches the volume without the device.
    print_device "$device" "kvm:$(development_uri "$VOL_NAME")"
{% else %}
    print_device "$device"
{% endif %}
}

do_detach() {
    lock_volume
{{ note("detach", "    # ") }}
    development_detach "$VOL_NAME"
}

do_remove() {
    lock_volume
{{ note("remove", "    # ") }}
    development_remove "$VOL_NAME"
}

do_grow() {
    lock_volume
{{ note("grow", "    # ") }}
    development_grow "$VOL_NAME" "$VOL_NEW_SIZE"
}

do_setinfo() {
    lock_volume
{{ note("setinfo", "    # ") }}
    development_setinfo "$VOL_NAME" "$VOL_METADATA"
}
{% if cookiecutter.snapshot %}

do_snapshot() {
    lock_volume
{{ note("snapshot", "    # ") }}
    development_snapshot "$VOL_NAME" "$VOL_SNAPSHOT_NAME" "$VOL_SNAPSHOT_SIZE"
}
{% endif %}
{% if cookiecutter.open_close %}

do_open() {
    lock_volume
{{ note("open", "    # ") }}
    development_open "$VOL_NAME" "$VOL_OPEN_EXCLUSIVE"
}

do_close() {
    lock_volume
{{ note("close", "    # ") }}
    development_close "$VOL_NAME"
}
{% endif %}

# verify calls check_NAME for each of these; one that fails calls fail.
checks='programs directory'

check_programs() {
    # STORAGE: is everything installed on this node that the calls above need?
    development_check_programs
}

check_directory() {
    # STORAGE: can the storage be reached, and is what the parameters name there?
    development_check_directory
}

main "$@"
