// The main job's configuration, driven by the client that Terraform's azurerm provider is made of: its
// environment from /metadata/endpoints, its sign-in, its models and its pollers.
//
// Nothing here knows that the server is not Azure, but for its address. The stage (a registered cluster with
// its extension and storage) is set up before. Arguments come in environment variables, the verdict is the
// exit code.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-azure-helpers/resourcemanager/commonids"
	"github.com/hashicorp/go-azure-sdk/resource-manager/containerservice/2025-10-01/trustedaccess"
	"github.com/hashicorp/go-azure-sdk/resource-manager/dataprotection/2025-09-01/backupinstanceresources"
	"github.com/hashicorp/go-azure-sdk/resource-manager/dataprotection/2025-09-01/backupvaultresources"
	"github.com/hashicorp/go-azure-sdk/resource-manager/dataprotection/2025-09-01/basebackuppolicyresources"
	"github.com/hashicorp/go-azure-sdk/resource-manager/resources/2023-07-01/resourcegroups"
	"github.com/hashicorp/go-azure-sdk/sdk/auth"
	"github.com/hashicorp/go-azure-sdk/sdk/client/resourcemanager"
	"github.com/hashicorp/go-azure-sdk/sdk/environments"
)

const (
	vaultName    = "terraform-vault"
	policyName   = "terraform-policy"
	instanceName = "terraform-instance"
	kubernetes   = "Microsoft.ContainerService/managedClusters"
)

var (
	subscription = os.Getenv("SUBSCRIPTION")
	group        = os.Getenv("RESOURCE_GROUP")
	location     = os.Getenv("LOCATION")
	clusterName  = os.Getenv("CLUSTER")
	cluster      = "/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/" + kubernetes + "/" + clusterName
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	environment, err := environments.FromEndpoint(ctx, os.Getenv("SERVER_URL"))
	if err != nil {
		return err
	}
	authorizer, err := auth.NewAuthorizerFromCredentials(ctx, auth.Credentials{
		Environment:                           *environment,
		TenantID:                              os.Getenv("TENANT_ID"),
		ClientID:                              os.Getenv("CLIENT_ID"),
		ClientSecret:                          os.Getenv("CLIENT_SECRET"),
		EnableAuthenticatingUsingClientSecret: true,
	}, environment.ResourceManager)
	if err != nil {
		return err
	}
	clients, err := clientsOf(environment.ResourceManager, authorizer)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context, *session) error
	}{
		{"the resource group is there", groupIsThere},
		{"a vault", makeVault},
		{"a policy", makePolicy},
		{"trusted access", bindVault},
		{"an instance, until it is protected", makeInstance},
		{"the group lists the vault", groupHoldsVault},
		{"everything deleted again", deleteAll},
	} {
		if err := step.do(ctx, clients); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Println("terraform client:", step.name)
	}
	return nil
}

type session struct {
	groups    *resourcegroups.ResourceGroupsClient
	access    *trustedaccess.TrustedAccessClient
	vaults    *backupvaultresources.BackupVaultResourcesClient
	policies  *basebackuppolicyresources.BaseBackupPolicyResourcesClient
	instances *backupinstanceresources.BackupInstanceResourcesClient
}

func clientsOf(api environments.Api, authorizer auth.Authorizer) (*session, error) {
	groups, err := resourcegroups.NewResourceGroupsClientWithBaseURI(api)
	if err != nil {
		return nil, err
	}
	access, err := trustedaccess.NewTrustedAccessClientWithBaseURI(api)
	if err != nil {
		return nil, err
	}
	vaults, err := backupvaultresources.NewBackupVaultResourcesClientWithBaseURI(api)
	if err != nil {
		return nil, err
	}
	policies, err := basebackuppolicyresources.NewBaseBackupPolicyResourcesClientWithBaseURI(api)
	if err != nil {
		return nil, err
	}
	instances, err := backupinstanceresources.NewBackupInstanceResourcesClientWithBaseURI(api)
	if err != nil {
		return nil, err
	}
	for _, client := range []*resourcemanager.Client{groups.Client, access.Client, vaults.Client, policies.Client, instances.Client} {
		client.SetAuthorizer(authorizer)
	}
	return &session{groups, access, vaults, policies, instances}, nil
}

func groupIsThere(ctx context.Context, clients *session) error {
	read, err := clients.groups.Get(ctx, commonids.ResourceGroupId{
		SubscriptionId:    subscription,
		ResourceGroupName: group,
	})
	if err == nil && read.Model.Location != location {
		err = fmt.Errorf("it is in %s", read.Model.Location)
	}
	return err
}

// groupHoldsVault asks what the provider asks before it deletes a group.
func groupHoldsVault(ctx context.Context, clients *session) error {
	id := commonids.ResourceGroupId{SubscriptionId: subscription, ResourceGroupName: group}
	options := resourcegroups.DefaultResourcesListByResourceGroupOperationOptions()
	listed, err := clients.groups.ResourcesListByResourceGroupComplete(ctx, id, options)
	if err != nil {
		return err
	}
	for _, resource := range listed.Items {
		if resource.Id != nil && *resource.Id == vaultID().ID() {
			return nil
		}
	}
	return fmt.Errorf("it is not among %d resources", len(listed.Items))
}

func makeVault(ctx context.Context, clients *session) error {
	store := backupvaultresources.StorageSettingStoreTypesOperationalStore
	redundancy := backupvaultresources.StorageSettingTypesLocallyRedundant
	vault := backupvaultresources.BackupVaultResource{
		Location: location,
		Properties: backupvaultresources.BackupVault{
			StorageSettings: []backupvaultresources.StorageSetting{{DatastoreType: &store, Type: &redundancy}},
		},
		Tags: &map[string]string{"by": "terraform"},
	}
	options := backupvaultresources.DefaultBackupVaultsCreateOrUpdateOperationOptions()
	if err := clients.vaults.BackupVaultsCreateOrUpdateThenPoll(ctx, vaultID(), vault, options); err != nil {
		return err
	}
	read, err := clients.vaults.BackupVaultsGet(ctx, vaultID())
	if err == nil && (*read.Model.Tags)["by"] != "terraform" {
		err = fmt.Errorf("its tags are %v", read.Model.Tags)
	}
	return err
}

func policyID() basebackuppolicyresources.BackupPolicyId {
	return basebackuppolicyresources.NewBackupPolicyID(subscription, group, vaultName, policyName)
}

func makePolicy(ctx context.Context, clients *session) error {
	store := basebackuppolicyresources.DataStoreInfoBase{
		DataStoreType: basebackuppolicyresources.DataStoreTypesOperationalStore,
		ObjectType:    "DataStoreInfoBase",
	}
	isDefault := true
	policy := basebackuppolicyresources.BaseBackupPolicyResource{
		Properties: basebackuppolicyresources.BackupPolicy{
			DatasourceTypes: []string{kubernetes},
			ObjectType:      "BackupPolicy",
			PolicyRules: []basebackuppolicyresources.BasePolicyRule{
				basebackuppolicyresources.AzureBackupRule{
					Name:             "BackupIntervals",
					ObjectType:       "AzureBackupRule",
					DataStore:        store,
					BackupParameters: basebackuppolicyresources.AzureBackupParams{BackupType: "Incremental", ObjectType: "AzureBackupParams"},
					Trigger: basebackuppolicyresources.ScheduleBasedTriggerContext{
						ObjectType: "ScheduleBasedTriggerContext",
						Schedule: basebackuppolicyresources.BackupSchedule{
							RepeatingTimeIntervals: []string{"R/2100-01-01T00:00:00+00:00/PT4H"},
						},
						TaggingCriteria: []basebackuppolicyresources.TaggingCriteria{{
							IsDefault:       true,
							TaggingPriority: 99,
							TagInfo:         basebackuppolicyresources.RetentionTag{TagName: "Default"},
						}},
					},
				},
				basebackuppolicyresources.AzureRetentionRule{
					Name:       "Default",
					ObjectType: "AzureRetentionRule",
					IsDefault:  &isDefault,
					Lifecycles: []basebackuppolicyresources.SourceLifeCycle{{
						DeleteAfter:     basebackuppolicyresources.AbsoluteDeleteOption{Duration: "P7D", ObjectType: "AbsoluteDeleteOption"},
						SourceDataStore: store,
					}},
				},
			},
		},
	}
	if _, err := clients.policies.BackupPoliciesCreateOrUpdate(ctx, policyID(), policy); err != nil {
		return err
	}
	read, err := clients.policies.BackupPoliciesGet(ctx, policyID())
	if err != nil {
		return err
	}
	kept, ok := read.Model.Properties.(basebackuppolicyresources.BackupPolicy)
	if !ok || len(kept.PolicyRules) != 2 {
		return fmt.Errorf("it reads back as %+v", read.Model.Properties)
	}
	return nil
}

func vaultID() backupvaultresources.BackupVaultId {
	return backupvaultresources.NewBackupVaultID(subscription, group, vaultName)
}

func bindingID() trustedaccess.TrustedAccessRoleBindingId {
	return trustedaccess.NewTrustedAccessRoleBindingID(subscription, group, clusterName, vaultName)
}

func bindVault(ctx context.Context, clients *session) error {
	binding := trustedaccess.TrustedAccessRoleBinding{
		Properties: trustedaccess.TrustedAccessRoleBindingProperties{
			Roles:            []string{"Microsoft.DataProtection/backupVaults/backup-operator"},
			SourceResourceId: vaultID().ID(),
		},
	}
	return clients.access.RoleBindingsCreateOrUpdateThenPoll(ctx, bindingID(), binding)
}

func instanceID() backupinstanceresources.BackupInstanceId {
	return backupinstanceresources.NewBackupInstanceID(subscription, group, vaultName, instanceName)
}

func makeInstance(ctx context.Context, clients *session) error {
	text := func(value string) *string { return &value }
	source := backupinstanceresources.Datasource{
		DatasourceType:   text(kubernetes),
		ObjectType:       text("Datasource"),
		ResourceID:       cluster,
		ResourceLocation: text(location),
		ResourceName:     text(clusterName),
		ResourceType:     text(kubernetes),
		ResourceUri:      text(cluster),
	}
	namespaces := []string{os.Getenv("NAMESPACE")}
	request := backupinstanceresources.BackupInstanceResource{
		Properties: &backupinstanceresources.BackupInstance{
			DataSourceInfo: source,
			DataSourceSetInfo: &backupinstanceresources.DatasourceSet{
				DatasourceType:   source.DatasourceType,
				ObjectType:       text("DatasourceSet"),
				ResourceID:       cluster,
				ResourceLocation: source.ResourceLocation,
				ResourceName:     source.ResourceName,
				ResourceType:     source.ResourceType,
				ResourceUri:      source.ResourceUri,
			},
			FriendlyName: text(instanceName),
			ObjectType:   "BackupInstance",
			PolicyInfo: backupinstanceresources.PolicyInfo{
				PolicyId: policyID().ID(),
				PolicyParameters: &backupinstanceresources.PolicyParameters{
					DataStoreParametersList: &[]backupinstanceresources.DataStoreParameters{
						backupinstanceresources.AzureOperationalStoreParameters{
							DataStoreType:   backupinstanceresources.DataStoreTypesOperationalStore,
							ObjectType:      "AzureOperationalStoreParameters",
							ResourceGroupId: text(fmt.Sprintf("/subscriptions/%s/resourceGroups/%s", subscription, group)),
						},
					},
					BackupDatasourceParametersList: &[]backupinstanceresources.BackupDatasourceParameters{
						backupinstanceresources.KubernetesClusterBackupDatasourceParameters{
							ObjectType:                   "KubernetesClusterBackupDatasourceParameters",
							IncludedNamespaces:           &namespaces,
							IncludeClusterScopeResources: true,
							SnapshotVolumes:              false,
						},
					},
				},
			},
		},
	}
	options := backupinstanceresources.DefaultBackupInstancesCreateOrUpdateOperationOptions()
	if err := clients.instances.BackupInstancesCreateOrUpdateThenPoll(ctx, instanceID(), request, options); err != nil {
		return err
	}
	// As the provider waits: the operation's end is not yet the protection.
	for {
		read, err := clients.instances.BackupInstancesGet(ctx, instanceID())
		if err != nil {
			return err
		}
		status := read.Model.Properties.ProtectionStatus
		if status == nil || status.Status == nil {
			return fmt.Errorf("it has no protection status")
		}
		switch *status.Status {
		case backupinstanceresources.StatusProtectionConfigured:
			return nil
		case backupinstanceresources.StatusConfiguringProtection:
			time.Sleep(time.Second)
		default:
			return fmt.Errorf("its protection is %s: %+v", *status.Status, status.ErrorDetails)
		}
	}
}

func deleteAll(ctx context.Context, clients *session) error {
	instance := backupinstanceresources.DefaultBackupInstancesDeleteOperationOptions()
	if err := clients.instances.BackupInstancesDeleteThenPoll(ctx, instanceID(), instance); err != nil {
		return err
	}
	if _, err := clients.policies.BackupPoliciesDelete(ctx, policyID()); err != nil {
		return err
	}
	if err := clients.access.RoleBindingsDeleteThenPoll(ctx, bindingID()); err != nil {
		return err
	}
	return clients.vaults.BackupVaultsDeleteThenPoll(ctx, vaultID())
}
