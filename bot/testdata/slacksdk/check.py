"""Hold messages and views against the models of Slack's own SDK for Python.

Standard input is a JSON object, name to payload: a view has a type, anything else is a message. Standard output is a JSON
object: version of the SDK; checked, how many payloads were; problems, one string for each; unknown, the types of block that
the SDK has no model of, each with the names of the payloads that use it. What is in such a block is not checked.

A payload is good when every object in it passes the SDK's own validators, and when the SDK writes out again exactly what it
has read: it leaves away, without a word, what it does not know.
"""

import json
import logging
import sys

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.basic_objects import JsonObject
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View
from slack_sdk.version import __version__


def objects(value, at):
    """All objects of the model with their places."""
    if isinstance(value, JsonObject):
        yield at, value
        for name in sorted(value.attributes):
            yield from objects(getattr(value, name, None), f"{at}/{name}")
    elif isinstance(value, (list, tuple)):
        for i, v in enumerate(value):
            yield from objects(v, f"{at}/{i}")


def complaints(value, at):
    """What the validators of all objects say."""
    for place, obj in objects(value, at):
        for name in dir(type(obj)):
            if not hasattr(getattr(type(obj), name, None), "validator"):
                continue
            try:
                getattr(obj, name)()
            except SlackObjectFormationError as e:
                yield f"{place}: {e}"


def differences(want, got, at):
    """Where the SDK's JSON is not ours."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(want.keys() | got.keys()):
            if key not in got:
                yield f"{at}/{key}: the SDK leaves this away"
            elif key not in want:
                yield f"{at}/{key}: the SDK adds this"
            else:
                yield from differences(want[key], got[key], f"{at}/{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, (w, g) in enumerate(zip(want, got)):
            yield from differences(w, g, f"{at}/{i}")
    elif want != got or type(want) is not type(got):
        yield f"{at}: the SDK makes something else of this"


def held_against(build, want, at):
    """The problems of one object that build makes; an SDK that cannot make it is a problem too."""
    try:
        model = build()
        found = list(complaints(model, at))
        return found or list(differences(want, model.to_dict(), at))
    except Exception as e:
        return [f"{at}: {type(e).__name__}: {e}"]


def check(payload, unknown):
    """All problems of one payload; unknown gains the block types that the SDK does not know."""
    blocks = payload.get("blocks")
    if not isinstance(blocks, list) or not blocks:
        return ["/blocks: no list, or an empty one"]
    problems = []
    for i, block in enumerate(blocks):
        try:
            model = Block.parse(block)
        except Exception as e:
            problems.append(f"/blocks/{i}: {type(e).__name__}: {e}")
            continue
        if model is None:
            unknown.add(str(block.get("type")))
            continue
        problems += held_against(lambda: model, block, f"/blocks/{i}")
    if "type" in payload:
        # The blocks have had their turn: dividers, as many, stand for them.
        frame = {**payload, "blocks": [{"type": "divider"}] * len(blocks)}
        problems += held_against(lambda: View(**frame), frame, "")
    elif payload.keys() != {"text", "blocks"} or not payload["text"]:
        problems.append(": a message is a text and blocks")
    return problems


def main():
    logging.disable(logging.CRITICAL)  # it warns of what is reported here
    problems, users = [], {}
    payloads = json.load(sys.stdin)
    for name, payload in sorted(payloads.items()):
        unknown = set()
        problems += [f"{name}: {p}" for p in check(payload, unknown)]
        for kind in unknown:
            users.setdefault(kind, []).append(name)
    json.dump({"version": __version__, "checked": len(payloads), "problems": problems, "unknown": users}, sys.stdout)


main()
