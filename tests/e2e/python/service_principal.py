"""A service principal signs in with `azure-identity` and meets the limits of its role.

Nothing here knows that the server is not Azure, but for its address. The stage has two vaults; the
principal is Backup Contributor of the first. Arguments come in environment variables, the verdict is the
exit code.
"""

import os
import sys

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.dataprotection import models as m

SERVER = os.environ["SERVER_URL"].rstrip("/")
GROUP = os.environ["RESOURCE_GROUP"]
CA_FILE = os.environ["CA_FILE"]
MINE, OTHERS = os.environ["VAULT"], os.environ["OTHER_VAULT"]


def client(secret):
    credential = ClientSecretCredential(
        os.environ["TENANT_ID"],
        os.environ["CLIENT_ID"],
        secret,
        authority=SERVER,
        disable_instance_discovery=True,
        connection_verify=CA_FILE,
    )
    return DataProtectionMgmtClient(
        credential,
        os.environ["SUBSCRIPTION"],
        base_url=SERVER,
        credential_scopes=[f"{SERVER}/.default"],
        connection_verify=CA_FILE,
    )


def refused(what, do):
    try:
        do()
    except HttpResponseError as error:
        assert error.status_code == 403, f"{what}: {error}"
        assert error.error.code == "AuthorizationFailed", f"{what}: {error}"
        assert "does not have authorization to perform action" in error.message, error.message
        print(f"sdk: refused: {what}", flush=True)
    else:
        raise AssertionError(f"{what} was not refused")


def main():
    sdk = client(os.environ["CLIENT_SECRET"])
    assert sdk.backup_vaults.get(GROUP, MINE).name == MINE
    assert next(iter(sdk.backup_policies.list(GROUP, MINE))).name
    changed = sdk.backup_vaults.begin_update(GROUP, MINE, m.PatchResourceRequestInput(tags={"by": "program"})).result()
    assert changed.tags == {"by": "program"}, changed.tags
    seen = [vault.name for vault in sdk.backup_vaults.get_in_resource_group(GROUP)]
    assert seen == [MINE], seen
    print("sdk: allowed where the role is", flush=True)

    refused("reading another vault", lambda: sdk.backup_vaults.get(GROUP, OTHERS))
    refused("listing its policies", lambda: list(sdk.backup_policies.list(GROUP, OTHERS)))
    refused("deleting its own vault", lambda: sdk.backup_vaults.begin_delete(GROUP, MINE).result())
    try:
        client("wrong").backup_vaults.get(GROUP, MINE)
    except ClientAuthenticationError as error:
        assert "AADSTS7000215" in str(error), error
        print("sdk: refused: a wrong secret", flush=True)
    else:
        raise AssertionError("a wrong secret was accepted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
