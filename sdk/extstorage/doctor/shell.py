"""Which words of a shell script stand where commands stand.

A scan, no parser: what is put together at run time is not seen, and what merely looks like a
command is given too. Whoever asks looks the words up in PATH anyway.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      (?P<joined>\\\n)
    | (?P<comment>(?<![^\s;&|()])\#[^\n]*)
    | (?P<word>(?:[^\s;&|()<>'"`\\$#]|(?<=\S)\#|\\.|\$(?!\()|'[^']*'|"(?:[^"\\]|\\.)*")+)
    | (?P<redirection>\d*(?:>>|<<<|<>|>\||[<>]&?)\s*(?:[^\s;&|()<>`]+)?)
    | (?P<operator>;;&|;;|;&|&&|\|\||\$\(|[;&|()`\n])
    """,
    re.VERBOSE | re.DOTALL,
)
_HEREDOC = re.compile(
    r"<<(?P<tabs>-?)\s*(?P<quote>['\"]?)(?P<end>\w+)(?P=quote)(?P<rest>[^\n]*)\n"
    r"(?:.*?\n)??(?(tabs)\t*)(?P=end)(?=\n|$)",
    re.DOTALL,
)
_FUNCTION = re.compile(r"^[ \t]*(?:function[ \t]+([\w-]+)|([\w-]+)[ \t]*\([ \t]*\))", re.MULTILINE)
_ASSIGNMENT = re.compile(r"^\w+\+?=")
_NAME = re.compile(r"^/?[A-Za-z0-9_][\w./+-]*$")
# The word of "$(a "$b")" ends at the second quote.
_SUBSTITUTION = re.compile(r"\$\(((?:[^()]|\([^()]*\))*)(?:\)|\"?\Z)|`([^`]*)`")
_LEADING = frozenset({
    "!", "{", "if", "then", "elif", "else", "while", "until", "do", "time", "exec", "command",
    "builtin", "sudo", "env", "nice", "ionice", "nohup", "setsid",
})  # fmt: skip
"""What follows these is a command again."""
_OWN = frozenset({
    "[", "[[", "]]", ":", ".", "alias", "bg", "break", "case", "cd", "continue", "coproc",
    "declare", "dirs", "disown", "done", "echo", "enable", "esac", "eval", "exit", "export",
    "false", "fc", "fg", "fi", "for", "function", "getopts", "hash", "history", "in", "jobs",
    "kill", "let", "local", "mapfile", "popd", "printf", "pushd", "pwd", "read", "readarray",
    "readonly", "return", "select", "set", "shift", "shopt", "source", "suspend", "test", "times",
    "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait", "}", "]",
})  # fmt: skip
"""What the shell does itself."""
_ARITHMETIC = re.compile(r"\$?\(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\)")


def functions(text: str) -> set[str]:
    """Return the names of the functions that a script defines."""
    return {first or second for first, second in _FUNCTION.findall(text)}


def commands(text: str, wrappers: frozenset[str] = frozenset()) -> set[str]:
    """Return the words at the places of commands: programs by name or path.

    Builtins and functions of this script are left out. What follows one of the ``wrappers``
    is a command too.
    """
    leading = _LEADING | wrappers
    plain = _ARITHMETIC.sub("0", _HEREDOC.sub(r"\g<rest>\n", text))
    found = set(_commands(_FUNCTION.sub("", plain), leading))
    return {
        word
        for word in found - functions(text) - _OWN - leading
        if _NAME.match(word) and not word.isdigit()
    }


def _commands(text: str, leading: frozenset[str]) -> Iterator[str]:
    at_command = True
    depth = 0
    pending: list[str] = []  # since the last line: patterns of a case, if a ")" follows
    for match in _TOKEN.finditer(text):
        kind, piece = match.lastgroup, match[0]
        if kind == "operator":
            if piece == ")" and depth == 0:
                pending.clear()
            elif piece in {"\n", ";;"}:
                yield from pending
                pending.clear()
            depth = max(0, depth + {"(": 1, "$(": 1, ")": -1}.get(piece, 0))
            at_command = True
        elif kind in {"word", "redirection"}:
            yield from _inside(piece, leading)
            if kind == "word" and at_command and not _leads(piece, leading):
                pending.append(piece)
                at_command = False
    yield from pending


def _leads(word: str, leading: frozenset[str]) -> bool:
    """Return whether a command may follow a word that stands at a command's place."""
    return word in leading or word.startswith("-") or _ASSIGNMENT.match(word) is not None


def _inside(word: str, leading: frozenset[str]) -> Iterator[str]:
    """Yield the commands of the substitutions inside a quoted word."""
    for inner in _SUBSTITUTION.findall(word):
        yield from _commands(inner[0] or inner[1], leading)
