"""A table between two marks of a document that is generated: compared with what is found, or written anew."""

import os
import pathlib
import sys

BEGIN, END = "<!-- the table begins -->\n", "<!-- the table ends -->\n"


def keep(name, table, count):
    """Ends the script: with 1 when docs/NAME.md has another table, unless `--write` is given.

    What was found is left where FOUND says, or beside the caller. `count` says what was counted.
    """
    document = pathlib.Path(__file__).parents[3] / "docs" / f"{name}.md"
    text = document.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    wanted = f"{head}{BEGIN}{table}{END}{tail}"
    if "--write" in sys.argv:
        document.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        pathlib.Path(os.environ.get("FOUND", f"{name}.found.md")).write_text(wanted, encoding="utf-8")
        print(f"docs/{name}.md does not say what the SDK and the server have", file=sys.stderr)
        sys.exit(1)
    print(f"{count} of the SDK are as docs/{name}.md says")
