"""What SARIF 2.1.0 (OASIS, 2020) demands of the objects that our reports have, as a JSON schema.

Required properties, types and words are the standard's; properties that we do not write are left
out, and an object may have none but those that stand here, so that a misspelt one is found.
"""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}


def _object(required: str = "", **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], **more: bool) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


_MESSAGE = _object("text", text={"type": "string", "minLength": 1})  # 3.11.8, or an id: ours none
_PLACE = _object(  # 3.4: a URI reference; its base is one of originalUriBaseIds
    uri={"type": "string", "pattern": r"^([A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})+$"},
    uriBaseId=_TEXT,
)
_RULE = _object(  # 3.49
    "id",
    id={"type": "string", "minLength": 1},
    shortDescription=_MESSAGE,
    fullDescription=_MESSAGE,
    defaultConfiguration=_object(level=_LEVEL),  # 3.50
    properties={"type": "object"},  # 3.8: a bag of anything
)
_RESULT = _object(  # 3.27
    "message",
    ruleId=_TEXT,
    ruleIndex={"type": "integer", "minimum": 0},
    level=_LEVEL,
    message=_MESSAGE,
    locations=_list(
        _object(
            physicalLocation=_object(
                "artifactLocation",
                artifactLocation=_PLACE,
                region=_object(startLine={"type": "integer", "minimum": 1}),  # 3.30
            )
        )
    ),
    suppressions=_list(
        _object("kind", kind={"enum": ["inSource", "external"]}, justification=_TEXT),  # 3.35
        uniqueItems=True,
    ),
)
_RUN = _object(  # 3.14
    "tool",
    tool=_object("driver", driver=_object("name", name=_TEXT, version=_TEXT, rules=_list(_RULE))),
    originalUriBaseIds={  # 3.14.14: a directory's URI, so it ends with a slash
        "type": "object",
        "additionalProperties": _object(
            uri={"type": "string", "pattern": "^file:///.*/$|^file:///$"}
        ),
    },
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=_list(_RESULT),
)
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_object(
        "version runs",
        **{"$schema": _TEXT},
        version={"const": "2.1.0"},
        runs=_list(_RUN),  # 3.13
    ),
}
