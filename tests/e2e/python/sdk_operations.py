"""Every operation of the official SDK, and whether the server has it: the table of docs/sdk-operations.md.

The operations are read off the SDK itself, the routes off the server's own list of operations. Without an
argument the table in the document is compared with what is found, and a difference ends the script with 1;
with `--write` it is written anew.
"""

import inspect
import re

from table_in_docs import keep

OF_ANY_RESOURCE = "/{}/providers/microsoft.dataprotection/backupinstances"
# Refused with UserErrorNotSupportedForDatasource.
NOT_FOR_CLUSTERS = {"backup_instances_trigger_rehydrate"}
# Served, but nothing is copied to a secondary location yet.
SECONDARY = ("cross_region", "fetch_secondary")


def operations():
    """(name, HTTP method, address) of each request that the SDK can build, in the SDK's order."""
    from azure.mgmt.dataprotection.operations import _operations as module

    for name, build in inspect.getmembers(module, inspect.isfunction):
        match = re.fullmatch(r"build_(.+)_request", name)
        if match:
            source = inspect.getsource(build)
            address = re.search(r'_url = "([^"]+)"', source).group(1)
            method = re.search(r'HttpRequest\(\s*method="([A-Z]+)"', source).group(1)
            yield match.group(1), method, address


def plain(address):
    """An address without the names of its parts, in lower case."""
    address = re.sub(r"\{[^}]*\}", "{}", address.lower())
    # That below any resource: the server writes the parts of a resource id out.
    return OF_ANY_RESOURCE if address.endswith(OF_ANY_RESOURCE) else address


def state(name, method, address, routes):
    if (method, plain(address)) not in routes:
        return "not yet"
    if name in NOT_FOR_CLUSTERS:
        return "not for clusters"
    return "no copies yet" if any(word in name for word in SECONDARY) else "yes"


def table(routes):
    found = {(method, plain(address)) for method, address in routes}
    lines = ["| operation | HTTP | address | here |", "| --- | --- | --- | --- |"]
    for name, method, address in operations():
        lines.append(f"| {name} | {method} | `{address}` | {state(name, method, address, found)} |")
    return "\n".join(lines) + "\n"


def of_server():
    """What the server says of itself: (method, address)."""
    from main_job import client

    for operation in client().data_protection_operations.list():
        for told in operation.display.description.split("; "):
            yield tuple(told.split(" ", 1))


if __name__ == "__main__":
    keep("sdk-operations", table(of_server()), f"{len(list(operations()))} operations")
