from __future__ import annotations

import pytest

from extstorage.doctor.shell import commands, functions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rbd create x", {"rbd"}),
        ("a\nb; c && d || e | f & g", set("abcdefg")),
        ("if a; then b; elif c; then d; else e; fi", set("abcde")),
        ("while a; do b; done", {"a", "b"}),
        ("! a", {"a"}),
        ("exec a >&2", {"a"}),
        ("x=1 y=$(a z) b", {"a", "b"}),
        ('x="$(a "$(b)")"', {"a", "b"}),
        ("x=`a`", {"a"}),
        ("( a ) ; { b; }", {"a", "b"}),
        ("f() { a; }\nf", {"a"}),
        ("function g { a; }\ng x", {"a"}),
        ("# a\nb # c", {"b"}),
        ("a 'x; y' \"z; w\"", {"a"}),
        ("a '\nx\n'\nb", {"a", "b"}),
        ("case $x in\n  a | b) c ;;\n  'd e') f ;;\n  *) g ;;\nesac", {"c", "f", "g"}),
        ("case $x in a) b ;; esac", {"b"}),
        ("cat <<EOF\nx\nEOF\nb", {"cat", "b"}),
        ("cat <<-'END' >o\n\tx\n\tEND\nb", {"cat", "b"}),
        ("a >/x 2>&1 </y", {"a"}),
        ("x=$((a + (b * 2))); c", {"c"}),
        ("a \\\n  b", {"a"}),
        ("/usr/sbin/a b", {"/usr/sbin/a"}),
        ("sudo -n a", {"a"}),
        ('$tool x; "$tool" y', set()),
        ("echo a; printf b; [ c ]; test d", set()),
        ("a #b\n", {"a"}),
        ("${x#y} z", set()),
        ("a $# b", {"a"}),
    ],
)
def test_commands(text: str, expected: set[str]) -> None:
    assert commands(text) == expected


def test_what_follows_a_wrapper_is_a_command() -> None:
    text = 'run a x; [ "$(run b)" ] || x=$(run -x "$(run c)" d); run "$e" f'

    assert commands(text, frozenset({"run"})) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "text", ["'", '"', "$(", "`", "<<EOF", "case", "\\", "((", "\0\xff", ")" * 9]
)
def test_what_does_not_parse_is_no_error(text: str) -> None:
    commands(text * 3)


def test_functions() -> None:
    assert functions("a() {\n :; }\n  b-c () { :; }\nfunction d { :; }\ne (x)\n") == {
        "a",
        "b-c",
        "d",
    }
