"""The main job, driven over TLS by the official Azure SDK for Python.

The stage (a registered cluster with its extension, storage and Trusted Access) is set up before;
from the vault on, everything here goes through `azure-mgmt-dataprotection`, as a script written
for Azure would do it. Arguments come in environment variables, the verdict is the exit code.

Times out by itself: the SDK's pollers follow the server's Retry-After.
"""

import os
import sys
import time

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.dataprotection import models as m

SUBSCRIPTION = os.environ["SUBSCRIPTION"]
GROUP = os.environ["RESOURCE_GROUP"]
LOCATION = os.environ["LOCATION"]
CLUSTER_ID = os.environ["CLUSTER_ID"]
CLUSTER_TYPE = "/".join(CLUSTER_ID.split("/")[-3:-1])
NAMESPACE = os.environ["NAMESPACE"]
VAULT, POLICY, INSTANCE = "sdk-vault", "sdk-policy", "sdk-instance"
OPERATIONAL = "OperationalStore"


class AdminToken:
    """The server's bearer token in the shape that the SDK asks for."""

    def get_token(self, *_scopes, **_kwargs):
        with open(os.environ["TOKEN_FILE"], encoding="ascii") as file:
            return AccessToken(file.read().strip(), int(time.time()) + 3600)


def client():
    # azure-core looks for the CA bundle here.
    return DataProtectionMgmtClient(
        AdminToken(),
        SUBSCRIPTION,
        base_url=os.environ["SERVER_URL"],
        credential_scopes=["https://strongroom/.default"],
        connection_verify=os.environ["CA_FILE"],
    )


def step(text):
    print(f"sdk: {text}", flush=True)


def policy():
    return m.BackupPolicy(
        datasource_types=["Microsoft.ContainerService/managedClusters"],
        policy_rules=[
            m.AzureBackupRule(
                name="BackupHourly",
                data_store=m.DataStoreInfoBase(data_store_type=OPERATIONAL, object_type="DataStoreInfoBase"),
                backup_parameters=m.AzureBackupParams(backup_type="Incremental"),
                trigger=m.ScheduleBasedTriggerContext(
                    schedule=m.BackupSchedule(repeating_time_intervals=["R/2026-01-04T09:00:00+00:00/PT4H"]),
                    tagging_criteria=[
                        m.TaggingCriteria(is_default=True, tagging_priority=99, tag_info=m.RetentionTag(tag_name="Default"))
                    ],
                ),
            ),
            m.AzureRetentionRule(
                name="Default",
                is_default=True,
                lifecycles=[
                    m.SourceLifeCycle(
                        source_data_store=m.DataStoreInfoBase(data_store_type=OPERATIONAL, object_type="DataStoreInfoBase"),
                        delete_after=m.AbsoluteDeleteOption(duration="P7D"),
                    )
                ],
            ),
        ],
    )


def instance(policy_id):
    return m.BackupInstance(
        friendly_name="shop by the SDK",
        object_type="BackupInstance",
        data_source_info=m.Datasource(
            resource_id=CLUSTER_ID,
            resource_name=CLUSTER_ID.rsplit("/", 1)[1],
            resource_type=CLUSTER_TYPE,
            resource_location=LOCATION,
            datasource_type="Microsoft.ContainerService/managedClusters",
            object_type="Datasource",
        ),
        policy_info=m.PolicyInfo(
            policy_id=policy_id,
            policy_parameters=m.PolicyParameters(
                data_store_parameters_list=[
                    m.AzureOperationalStoreParameters(
                        data_store_type=OPERATIONAL,
                        resource_group_id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}",
                    )
                ],
                backup_datasource_parameters_list=[
                    m.KubernetesClusterBackupDatasourceParameters(
                        snapshot_volumes=False,
                        include_cluster_scope_resources=True,
                        included_namespaces=[NAMESPACE],
                    )
                ],
            ),
        ),
    )


def restore_request(recovery_point_id):
    return m.AzureBackupRecoveryPointBasedRestoreRequest(
        recovery_point_id=recovery_point_id,
        source_data_store_type=OPERATIONAL,
        source_resource_id=CLUSTER_ID,
        restore_target_info=m.ItemLevelRestoreTargetInfo(
            recovery_option="FailIfExists",
            restore_location=LOCATION,
            datasource_info=m.Datasource(resource_id=CLUSTER_ID, datasource_type="Microsoft.ContainerService/managedClusters"),
            restore_criteria=[
                m.KubernetesClusterRestoreCriteria(
                    include_cluster_scope_resources=True,
                    included_namespaces=[NAMESPACE],
                    namespace_mappings={NAMESPACE: os.environ["RESTORE_INTO"]},
                    conflict_policy="Skip",
                    persistent_volume_restore_mode="RestoreWithoutVolumeData",
                )
            ],
        ),
    )


def finished(dpp, job_id):
    while True:
        job = dpp.jobs.get(GROUP, VAULT, job_id)
        if job.properties.status not in ("InProgress", "Cancelling", "Queued"):
            return job
        time.sleep(0.2)


def main():
    dpp = client()
    step("create the vault")
    vault = dpp.backup_vaults.begin_create_or_update(
        GROUP,
        VAULT,
        m.BackupVaultResource(
            location=LOCATION,
            identity=m.DppIdentityDetails(type="SystemAssigned"),
            properties=m.BackupVault(storage_settings=[m.StorageSetting(datastore_type="VaultStore", type="LocallyRedundant")]),
        ),
    ).result()
    assert vault.properties.provisioning_state == "Succeeded", vault.properties
    assert any(v.name == VAULT for v in dpp.backup_vaults.get_in_resource_group(GROUP))

    step("create the policy")
    made = dpp.backup_policies.create_or_update(GROUP, VAULT, POLICY, m.BaseBackupPolicyResource(properties=policy()))
    assert made.name == POLICY and made.properties.object_type == "BackupPolicy", made

    step("validate and create the instance")
    body = m.BackupInstanceResource(properties=instance(made.id))
    with_trusted_access(dpp, vault)
    dpp.backup_instances.begin_validate_for_backup(
        GROUP, VAULT, m.ValidateForBackupRequest(backup_instance=body.properties)
    ).result()
    created = dpp.backup_instances.begin_create_or_update(GROUP, VAULT, INSTANCE, body).result()
    assert created.properties.protection_status.status == "ProtectionConfigured", created.properties.protection_status

    step("back up")
    backup = dpp.backup_instances.begin_adhoc_backup(
        GROUP,
        VAULT,
        INSTANCE,
        m.TriggerBackupRequest(
            backup_rule_options=m.AdHocBackupRuleOptions(
                rule_name="BackupHourly", trigger_option=m.AdhocBackupTriggerOption(retention_tag_override="Default")
            )
        ),
    ).result()
    assert backup.job_id, "the final answer names no job"
    job = finished(dpp, backup.job_id.rsplit("/", 1)[-1])
    assert job.properties.status == "Completed", job.properties
    assert any(j.name == job.name for j in dpp.jobs.list(GROUP, VAULT))

    step("find the recovery point")
    points = list(dpp.recovery_points.list(GROUP, VAULT, INSTANCE))
    assert len(points) == 1, points
    point = dpp.recovery_points.get(GROUP, VAULT, INSTANCE, points[0].name)
    assert point.properties.object_type == "AzureBackupDiscreteRecoveryPoint", point.properties
    assert point.properties.recovery_point_time is not None

    step("validate the restore")
    request = restore_request(point.name)
    dpp.backup_instances.begin_validate_for_restore(
        GROUP, VAULT, INSTANCE, m.ValidateRestoreRequestObject(restore_request_object=request)
    ).result()

    step("restore")
    restored = dpp.backup_instances.begin_trigger_restore(GROUP, VAULT, INSTANCE, request).result()
    job = finished(dpp, restored.job_id.rsplit("/", 1)[-1])
    assert job.properties.status in ("Completed", "CompletedWithWarnings"), job.properties

    step("what is wrong is refused as the SDK understands it")
    try:
        dpp.backup_vaults.get(GROUP, "no-such-vault")
        raise AssertionError("a vault that does not exist was found")
    except ResourceNotFoundError as error:
        assert error.error.code == "ResourceNotFound", error.error
    without_default = policy()
    without_default.policy_rules = without_default.policy_rules[:1]
    try:
        dpp.backup_policies.create_or_update(GROUP, VAULT, "bad", m.BaseBackupPolicyResource(properties=without_default))
        raise AssertionError("a policy without its Default rule was accepted")
    except HttpResponseError as error:
        assert error.status_code == 400, error
        assert error.error.code, error

    manage(dpp)
    lock(dpp)
    guard(dpp)
    export(dpp)
    ask(dpp)

    step("take everything down")
    dpp.backup_instances.begin_delete(GROUP, VAULT, INSTANCE).result()
    dpp.backup_policies.delete(GROUP, VAULT, POLICY)
    dpp.backup_vaults.begin_delete(GROUP, VAULT).result()
    assert all(v.name != VAULT for v in dpp.backup_vaults.get_in_resource_group(GROUP))
    deleted = [v.properties for v in dpp.deleted_backup_vaults.list_by_location(LOCATION)]
    assert [v.original_backup_vault_name for v in deleted] == [VAULT], deleted
    step("done")


def state_of(dpp):
    return dpp.backup_instances.get(GROUP, VAULT, INSTANCE).properties.current_protection_state


def manage(dpp):
    """Suspend, resume, stop, resume, delete and undelete, each as the published client does it."""
    instances = dpp.backup_instances
    step("suspend, stop and resume")
    for begin, state in (
        (instances.begin_suspend_backups, "BackupSchedulesSuspended"),
        (instances.begin_resume_backups, "ProtectionConfigured"),
        (instances.begin_stop_protection, "ProtectionStopped"),
        (instances.begin_resume_protection, "ProtectionConfigured"),
    ):
        begin(GROUP, VAULT, INSTANCE).result()
        assert state_of(dpp) == state, state_of(dpp)
    instances.begin_sync_backup_instance(GROUP, VAULT, INSTANCE, m.SyncBackupInstanceRequest(sync_type="ForceResync")).result()
    assert state_of(dpp) == "ProtectionConfigured", state_of(dpp)
    body = m.ValidateForModifyBackupRequest(backup_instance=instances.get(GROUP, VAULT, INSTANCE).properties)
    instances.begin_validate_for_modify_backup(GROUP, VAULT, INSTANCE, body).result()

    step("delete and undelete")
    instances.begin_delete(GROUP, VAULT, INSTANCE).result()
    assert not list(instances.list(GROUP, VAULT))
    deleted = dpp.deleted_backup_instances.get(GROUP, VAULT, INSTANCE)
    assert deleted.properties.deletion_info.scheduled_purge_time, deleted
    assert [d.name for d in dpp.deleted_backup_instances.list(GROUP, VAULT)] == [INSTANCE]
    dpp.deleted_backup_instances.begin_undelete(GROUP, VAULT, INSTANCE).result()
    assert state_of(dpp) == "ProtectionStopped", state_of(dpp)
    assert len(list(dpp.recovery_points.list(GROUP, VAULT, INSTANCE))) == 1


def immutability(dpp, state):
    """Sets the vault's immutability and nothing else, as `az dataprotection backup-vault update` does."""
    settings = m.SecuritySettings(immutability_settings=m.ImmutabilitySettings(state=state))
    patch = m.PatchResourceRequestInput(properties=m.PatchBackupVaultInput(security_settings=settings))
    return dpp.backup_vaults.begin_update(GROUP, VAULT, patch).result()


def lock(dpp):
    step("refuse what an immutable vault refuses")
    vault = immutability(dpp, "Unlocked")
    assert vault.properties.security_settings.immutability_settings.state == "Unlocked", vault
    shorter = policy()
    shorter.policy_rules[1].lifecycles[0].delete_after.duration = "P1D"
    for refused in (
        lambda: dpp.backup_instances.begin_delete(GROUP, VAULT, INSTANCE).result(),
        lambda: dpp.backup_policies.create_or_update(
            GROUP, VAULT, POLICY, m.BaseBackupPolicyResource(properties=shorter)
        ),
    ):
        try:
            refused()
            raise AssertionError("an immutable vault let it pass")
        except HttpResponseError as error:
            assert error.error.code == "UserErrorOperationDeniedOnImmutableItem", error.error
    immutability(dpp, "Disabled")


def guard(dpp):
    """Links the vault to a guard and away again; the administrator, who runs this, approves everything."""
    step("guard the vault")
    made = dpp.resource_guards.put(
        GROUP, "guard", m.ResourceGuardResource(location=LOCATION, properties=m.ResourceGuard())
    )
    guarded = {o.vault_critical_operation for o in made.properties.resource_guard_operations}
    assert "Microsoft.DataProtection/backupVaults/backupInstances/delete" in guarded, guarded
    assert any(g.name == "guard" for g in dpp.resource_guards.get_resources_in_resource_group(GROUP))
    proxies, name = dpp.dpp_resource_guard_proxy, "DppResourceGuardProxy"
    body = m.ResourceGuardProxyBaseResource(properties=m.ResourceGuardProxyBase(resource_guard_resource_id=made.id))
    linked = proxies.create_or_update(GROUP, VAULT, name, body)
    requests = [d.default_resource_request for d in linked.properties.resource_guard_operation_details]
    assert [p.name for p in proxies.list(GROUP, VAULT)] == [name]
    assert dpp.backup_vaults.get(GROUP, VAULT).properties.is_vault_protected_by_resource_guard
    unlock = m.UnlockDeleteRequest(
        resource_guard_operation_requests=[r for r in requests if "/deleteResourceGuardProxyRequests/" in r],
        resource_to_be_deleted=linked.id,
    )
    assert proxies.unlock_delete(GROUP, VAULT, name, unlock).unlock_delete_expiry_time
    default = dpp.resource_guards.get_default_delete_resource_guard_proxy_requests_object(GROUP, "guard", "default")
    assert default.name == "default", default
    proxies.delete(GROUP, VAULT, name)
    dpp.resource_guards.delete(GROUP, "guard")


def export(dpp):
    step("export the jobs")
    import json
    import ssl
    import urllib.request

    poller = dpp.export_jobs.begin_trigger(GROUP, VAULT)
    poller.result()
    operation = poller.polling_method()._initial_response.http_response.headers["Location"]
    operation = operation.split("?")[0].rsplit("/", 1)[1]
    links = dpp.export_jobs_operation_result.get(GROUP, VAULT, operation)
    # What reads the link has no token.
    tls = ssl.create_default_context(cafile=os.environ["CA_FILE"])
    with urllib.request.urlopen(links.blob_url + links.blob_sas_key, context=tls) as answer:
        jobs = json.load(answer)
    assert len(jobs) == len(list(dpp.jobs.list(GROUP, VAULT))), jobs
    with urllib.request.urlopen(links.excel_file_blob_url + links.excel_file_blob_sas_key, context=tls) as answer:
        assert len(answer.read().decode().splitlines()) == len(jobs) + 1


def ask(dpp):
    step("ask what is asked before and beside")
    name = m.CheckNameAvailabilityRequest(name=VAULT, type="Microsoft.DataProtection/BackupVaults")
    assert dpp.backup_vaults.check_name_availability(GROUP, LOCATION, name).reason == "AlreadyExists"
    feature = m.FeatureValidationRequest(
        feature_type="DataSourceType", feature_name="Microsoft.ContainerService/managedClusters"
    )
    answer = dpp.data_protection.check_feature_support(LOCATION, feature)
    assert answer.features[0].support_status == "GenerallyAvailable", answer
    ranges = dpp.restorable_time_ranges.find(
        GROUP, VAULT, INSTANCE, m.AzureBackupFindRestorableTimeRangesRequest(source_data_store_type=OPERATIONAL)
    )
    assert len(ranges.properties.restorable_time_ranges) == 1, ranges
    of_cluster = dpp.backup_instances_extension_routing.list(CLUSTER_ID)
    assert INSTANCE in [found.name for found in of_cluster]
    assert any(found.name.endswith("stopProtection/action") for found in dpp.data_protection_operations.list())


def with_trusted_access(dpp, vault):
    """Trusted Access is a route of Microsoft.ContainerService, which this SDK does not carry."""
    from azure.core.rest import HttpRequest

    request = HttpRequest(
        "PUT",
        f"{CLUSTER_ID}/trustedAccessRoleBindings/sdk-binding",
        params={"api-version": "2025-02-01"},
        json={
            "properties": {
                "sourceResourceId": vault.id,
                "roles": ["Microsoft.DataProtection/backupVaults/backup-operator"],
            }
        },
    )
    response = dpp.send_request(request)
    response.raise_for_status()


if __name__ == "__main__":
    sys.exit(main())
