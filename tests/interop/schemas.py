#!/usr/bin/env python3
"""What the program reads and writes against its JSON schemas; skips (77) without jsonschema.

  schemas.py STAGECRAFT SOURCES

The documents of profile_documents.json and model_documents.json get the verdict from the schema that
the program gives them, but where the table says why not; shipped profiles and what the commands
print are valid.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77

try:
    import jsonschema
except ImportError as error:
    print(f"skipped: no jsonschema for this Python: {error}")
    sys.exit(SKIPPED)

STAGECRAFT, SOURCES = sys.argv[1], pathlib.Path(sys.argv[2])
failures = []


def validator(path):
    schema = json.loads((SOURCES / path).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def expect(claim, holds):
    if not holds:
        failures.append(claim)


def documents():
    for room, kind in (("traces", "profile"), ("engine", "model")):
        schema = validator(f"{room}/{kind}.schema.json")
        table = SOURCES / "tests" / room / f"{kind}_documents.json"
        for document in json.loads(table.read_text()):
            expected = document.get("schema_accepts", document["accepted"])
            valid = schema.is_valid(json.loads(document["text"]))
            expect(f"{kind}: {document['why']}: {valid}", valid == expected)
    schema = validator("traces/profile.schema.json")
    for profile in sorted((SOURCES / "traces/recorded").glob("*.profile.json")):
        expect(profile.name, schema.is_valid(json.loads(profile.read_text())))


def outputs(folder):
    broken = pathlib.Path(folder) / "broken.sched"
    broken.write_text("stagecraft schedule 1\nranks 3\n")
    wrong = pathlib.Path(folder) / "wrong.sched"
    wrong.write_text(
        "stagecraft schedule 1\nshape ranks 1 stages 1 microbatches 1\nplace 0: 0\n"
        "rank 0 0B0@0 0F0@0 0S@0\n"
    )
    costs = "--forward 1ms --backward 2ms --activation 1MB"
    train = "-p 2 -m 2 -n 4 --width 8 --depth 2 --json"
    for schema, line in (
        ("simulate", f"simulate pipeoptim {costs} --json"),
        ("simulate", "simulate 1f1b --json"),
        ("compare", f"compare gpipe pipedream {costs} --format json"),
        ("compare", "compare gpipe zb-h1 --profile gnmt --unit batch --format json"),
        ("check", "check 1f1b pipedream --max-slots 2 --json"),
        ("check", f"check {wrong} gpipe {broken} /no/such.sched --json"),
        ("train", f"train 1f1b {train}"),
        ("validate", f"validate 1f1b {train}"),
    ):
        done = subprocess.run([STAGECRAFT, *line.split()], capture_output=True, text=True)
        if "LibTorch" in done.stderr:
            continue
        printed = done.stdout
        errors = ["it is no JSON: " + done.stderr]
        if printed.startswith("{"):
            document = json.loads(printed)
            found = validator(f"tools/schemas/{schema}.schema.json").iter_errors(document)
            errors = [f"at /{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in found]
        expect(f"stagecraft {line}: {'; '.join(errors)}", not errors)


documents()
with tempfile.TemporaryDirectory() as made:
    outputs(made)
for failure in failures:
    print("failed:", failure)
sys.exit(1 if failures else 0)
