"""Every model of the official SDK, with its members, and whether the server has it: the table of docs/sdk-models.md.

The models are read off the SDK itself, the server's off its OpenAPI document (SERVER_URL with CA_FILE, or the file
that OPENAPI names). Without an argument the table in the document is compared with what is found, and a difference
ends the script with 1; with `--write` it is written anew.
"""

import inspect
import json
import os
import pathlib
import ssl
import urllib.request

from table_in_docs import keep

# Of other datasources than Kubernetes, or of tiers that it does not have.
NOT_FOR_CLUSTERS = (
    "AdlsBlob", "AuthCredentials", "AzureBackupRecoveryTimeBased", "AzureBackupRehydration",
    "AzureBackupRestoreWithRehydration", "BlobBackup", "GenericBackup", "GenericRestore", "ItemPathBased",
    "RangeBased", "ResourceListSelectionCriteria", "RestoreFilesTargetInfo", "SecretStore", "TargetDetails",
)
# Taken and given back as they are, without a model of their own.
AS_SENT = {
    "CmkKekIdentity", "CmkKeyVaultProperties", "CostManagementSettings", "EncryptionSettings", "ResourceMoveDetails",
    "Operation", "OperationDisplay",
}
# What other models are made of in the SDK; nothing of these names is on the wire.
BASES = {
    "DppBaseResource", "DppResource", "DppResourceList", "DppTrackedResourceList", "ErrorDetail", "ErrorResponse",
    "ProxyResource", "Resource", "RestoreTargetInfo", "TrackedResource",
}
# Models that have the members of another here.
SAME = {
    "CrossRegionRestoreJobsRequest": "CrossRegionRestoreJobRequest",
    "DatasourceSet": "Datasource",
    "DeletedBackupInstance": "BackupInstance",
    "DeletedBackupInstanceResource": "BackupInstanceResource",
    "SuspendBackupRequest": "StopProtectionRequest",
    "ValidateCrossRegionRestoreRequestObject": "CrossRegionRestoreRequestObject",
    "ValidateForModifyBackupRequest": "ValidateForBackupRequest",
}


def models():
    """(name, members) of each model of the SDK, in the order of names."""
    from azure.mgmt.dataprotection import models as module
    from azure.mgmt.dataprotection._utils.model_base import Model

    for name, model in inspect.getmembers(module, inspect.isclass):
        if issubclass(model, Model):
            try:
                model({})  # fields are named when the first of a kind is made
            except (TypeError, ValueError):
                pass
            fields = getattr(model, "_attr_to_rest_field", {}).values()
            yield name, sorted({field._rest_name for field in fields})


def members(schemas, schema, seen=()):
    """The members that a schema names, wherever it says so."""
    found = set(schema.get("properties", {}))
    reference = schema.get("$ref", "").rsplit("/", 1)[-1]
    if reference and reference not in seen:
        found |= members(schemas, schemas[reference], (*seen, reference))
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, []):
            found |= members(schemas, part, seen)
    return found


def state(name, fields, schemas):
    if name.startswith(NOT_FOR_CLUSTERS):
        return "not for clusters"
    if name in AS_SENT:
        return "as sent"
    if name in BASES:
        return "a base"
    schema = schemas.get(SAME.get(name, name))
    if schema is None:
        # One that has nothing but its objectType stands in the model that it is one of.
        tags = {tag for one in schemas.values() for part in one.get("oneOf", [])
                for tag in [part.get("properties", {}).get("objectType", {}).get("const")]}
        return "yes" if name in tags and fields == ["objectType"] else "not yet"
    missing = [field for field in fields if field not in members(schemas, schema) and field != "objectType"]
    return f"without {', '.join(missing)}" if missing else "yes"


def table(schemas):
    lines = ["| model | members | here |", "| --- | --- | --- |"]
    for name, fields in models():
        lines.append(f"| {name} | {' '.join(fields)} | {state(name, fields, schemas)} |")
    return "\n".join(lines) + "\n"


def of_server():
    """The models of the server's document."""
    if "OPENAPI" in os.environ:
        text = pathlib.Path(os.environ["OPENAPI"]).read_text(encoding="utf-8")
    else:
        context = ssl.create_default_context(cafile=os.environ["CA_FILE"])
        with urllib.request.urlopen(f"{os.environ['SERVER_URL']}/openapi.json", context=context) as answer:
            text = answer.read().decode()
    return json.loads(text)["components"]["schemas"]


if __name__ == "__main__":
    keep("sdk-models", table(of_server()), f"{len(list(models()))} models")
