//! Critical operations of a guarded vault need a second person.

use axum::body::Body;
use axum::http::header;
use serde_json::{Value, json};
use strongroom_core::authorization::{BACKUP_MUA_OPERATOR, OWNER, READER};
use uuid::Uuid;

use crate::app::policies::example;
use crate::testing::protection::Protected;
use crate::testing::{Answer, SUBSCRIPTION, TOKEN};

/// Who owns the vault.
const ADMIN_OF_BACKUPS: Uuid = Uuid::from_u128(0xb);

struct Guarded {
    it: Protected,
    guard: String,
    proxy: String,
}

impl Guarded {
    /// A vault whose owner may read a guard of somebody else, and linked it.
    async fn new() -> Self {
        Self::leaving_out(&[]).await
    }

    async fn leaving_out(operations: &[&str]) -> Self {
        let it = Protected::new().await;
        let group = format!("{SUBSCRIPTION}/resourceGroups/security");
        it.harness
            .put(&group, json!({"location": "westeurope"}))
            .await;
        let guard = format!("{group}/providers/Microsoft.DataProtection/resourceGuards/guard");
        let body = json!({"location": "westeurope", "properties": {
            "vaultCriticalOperationExclusionList": operations,
        }});
        let made = it.harness.put(&guard, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let vaults = format!("{SUBSCRIPTION}/resourceGroups/rg");
        it.harness.assign(OWNER, ADMIN_OF_BACKUPS, &vaults).await;
        let proxy = format!(
            "{}/backupResourceGuardProxies/DppResourceGuardProxy",
            it.vault
        );
        let guarded = Self { it, guard, proxy };
        let refused = guarded.link(&guarded.guard).await;
        assert_eq!(refused.refusal().1, "LinkedAuthorizationFailed");
        guarded.assign(READER).await;
        let linked = guarded.link(&guarded.guard).await;
        assert_eq!(linked.status, 200, "{}", linked.text);
        guarded
    }

    async fn link(&self, guard: &str) -> Answer {
        let body = json!({"properties": {"resourceGuardResourceId": guard}});
        self.call("PUT", &self.proxy, Some(body)).await
    }

    async fn assign(&self, role: Uuid) {
        let harness = &self.it.harness;
        harness.assign(role, ADMIN_OF_BACKUPS, &self.guard).await;
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let harness = &self.it.harness;
        harness.call_as(ADMIN_OF_BACKUPS, method, path, body).await
    }

    /// Who approved what was written last.
    async fn last_approver(&self) -> String {
        let (_, head) = crate::app::audit::bounds(&self.it.harness.app)
            .await
            .unwrap();
        let entries = crate::app::audit::after(&self.it.harness.app, head.sequence - 1, 1);
        let last = entries.await.unwrap().rows.remove(0);
        last.event
            .approver
            .map_or("nobody".to_owned(), |who| who.name)
    }

    async fn patch(&self, settings: Value) -> Answer {
        let patch = json!({"properties": {"securitySettings": settings}});
        self.call("PATCH", &self.it.vault, Some(patch)).await
    }

    async fn post(&self, action: &str) -> Answer {
        let path = format!("{}/{action}", self.it.instance);
        self.call("POST", &path, None).await
    }
}

fn is_refused(answer: &Answer) -> bool {
    answer.status == 403 && answer.refusal().1 == "LinkedAuthorizationFailed"
}

fn kept_for(duration: &str) -> Value {
    let mut policy = example();
    let rule = "/properties/policyRules/1/lifecycles/0/deleteAfter/duration";
    *policy.pointer_mut(rule).unwrap() = json!(duration);
    policy
}

#[tokio::test]
async fn who_may_only_read_the_guard_does_nothing_critical_and_everything_else() {
    let guarded = Guarded::new().await;
    let it = &guarded.it;
    let vault = it.harness.get(&it.vault).await.json();
    assert_eq!(vault["properties"]["isVaultProtectedByResourceGuard"], true);
    let unlock = format!("{}/unlockDelete", guarded.proxy);
    let asked = json!({"resourceToBeDeleted": it.instance});
    for refused in [
        guarded.call("DELETE", &it.instance, None).await,
        guarded.call("DELETE", &guarded.proxy, None).await,
        guarded.call("POST", &unlock, Some(asked)).await,
        guarded.post("stopProtection").await,
        guarded.post("suspendBackups").await,
        guarded
            .patch(json!({"softDeleteSettings": {"state": "Off"}}))
            .await,
        guarded.call("PUT", &it.policy, Some(kept_for("P6D"))).await,
    ] {
        assert!(is_refused(&refused), "{}", refused.text);
    }
    // What takes nothing away is the vault's own matter.
    let longer = guarded.call("PUT", &it.policy, Some(kept_for("P8D"))).await;
    assert_eq!(longer.status, 200, "{}", longer.text);
    let more = json!({"softDeleteSettings": {"retentionDurationInDays": 30}});
    assert_eq!(guarded.patch(more).await.status, 200);
    let less = json!({"softDeleteSettings": {"retentionDurationInDays": 14}});
    assert!(is_refused(&guarded.patch(less).await));
    let immutable = json!({"immutabilitySettings": {"state": "Unlocked"}});
    assert_eq!(guarded.patch(immutable).await.status, 200);
    let mutable = json!({"immutabilitySettings": {"state": "Disabled"}});
    assert!(is_refused(&guarded.patch(mutable).await));
    // Nor does another guard, of their own, get around it.
    let own = format!(
        "{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DataProtection/resourceGuards/own"
    );
    let body = json!({"location": "westeurope", "properties": {}});
    assert_eq!(guarded.call("PUT", &own, Some(body)).await.status, 201);
    assert!(is_refused(&guarded.link(&own).await));
}

#[tokio::test]
async fn who_is_given_the_guards_right_may_and_may_no_more_once_it_is_taken_back() {
    let guarded = Guarded::new().await;
    guarded.assign(BACKUP_MUA_OPERATOR).await;
    let stopped = guarded.post("stopProtection").await;
    assert_eq!(stopped.status, 202, "{}", stopped.text);
    let it = &guarded.it;
    let shorter = guarded.call("PUT", &it.policy, Some(kept_for("P6D"))).await;
    assert_eq!(shorter.status, 200, "{}", shorter.text);
    assert_eq!(guarded.call("DELETE", &it.instance, None).await.status, 200);
    assert_eq!(
        guarded.call("DELETE", &guarded.proxy, None).await.status,
        200
    );
    let vault = it.harness.get(&it.vault).await.json();
    assert_eq!(
        vault["properties"]["isVaultProtectedByResourceGuard"],
        false
    );
    // Nobody is linked to it any more.
    assert_eq!(it.harness.delete(&guarded.guard).await.status, 200);
}

#[tokio::test]
async fn the_token_of_a_second_person_approves_and_a_wrong_one_does_not() {
    let guarded = Guarded::new().await;
    let send = async |token: &str| {
        let harness = &guarded.it.harness;
        let principal = crate::http::auth::Principal {
            actor: crate::store::Actor {
                object_id: ADMIN_OF_BACKUPS,
                tenant_id: harness.app.tenant_id,
                kind: crate::store::ActorKind::Application,
                name: "backups".to_owned(),
            },
            groups: Vec::new(),
            is_administrator: false,
            token: None,
        };
        let limit = std::time::Duration::from_secs(30);
        let app = std::sync::Arc::clone(&harness.app);
        let router = crate::http::router_of(app, limit, principal);
        let request = harness
            .request("POST", &format!("{}/stopProtection", guarded.it.instance))
            .header("x-ms-authorization-auxiliary", format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from("{}"))
            .unwrap();
        crate::testing::Harness::answered(router, request).await
    };
    let wrong = send("wrong").await;
    assert_eq!(wrong.refusal().1, "InvalidAuthenticationToken");
    assert_eq!(send(TOKEN).await.status, 202);
    assert_eq!(guarded.last_approver().await, "admin");
}

#[tokio::test]
async fn a_delete_is_unlocked_once_for_what_is_named_and_for_a_while() {
    let guarded = Guarded::new().await;
    let it = &guarded.it;
    let unlock = format!("{}/unlockDelete", guarded.proxy);
    let request = format!("{}/deleteBackupInstanceRequests/default", guarded.guard);
    let asked = json!({
        "resourceGuardOperationRequests": [request], "resourceToBeDeleted": it.instance,
    });
    // Somebody else unlocks it, here the administrator.
    let mut wrong = asked.clone();
    wrong["resourceGuardOperationRequests"][0] = json!(format!(
        "{}/disableSoftDeleteRequests/default",
        guarded.guard
    ));
    let refused = it.harness.call("POST", &unlock, Some(wrong)).await;
    assert_eq!(refused.refusal().1, "InvalidRequestContent");
    let answer = it.harness.call("POST", &unlock, Some(asked.clone())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json()["unlockDeleteExpiryTime"].is_string());
    it.harness.clock.advance(crate::app::limits::UNLOCKED_FOR);
    assert!(is_refused(
        &guarded.call("DELETE", &it.instance, None).await
    ));
    it.harness.call("POST", &unlock, Some(asked)).await;
    assert!(is_refused(
        &guarded.call("DELETE", &guarded.proxy, None).await
    ));
    assert_eq!(guarded.call("DELETE", &it.instance, None).await.status, 200);
    assert_eq!(guarded.last_approver().await, "admin");
    let shown = it.harness.get(&guarded.proxy).await;
    assert!(!shown.text.contains("unlocks"), "{}", shown.text);
}

#[tokio::test]
async fn a_guard_says_what_it_guards_and_leaves_out_what_it_may() {
    let stop = "Microsoft.DataProtection/backupVaults/backupInstances/stopProtection/action";
    let guarded = Guarded::leaving_out(&[stop]).await;
    let harness = &guarded.it.harness;
    assert_eq!(guarded.post("stopProtection").await.status, 202);
    let guard = harness.get(&guarded.guard).await.json();
    let told = guard["properties"]["resourceGuardOperations"].to_string();
    assert!(
        told.contains("deleteResourceGuardProxyRequests") && !told.contains(stop),
        "{told}"
    );
    let proxies = format!("{}/backupResourceGuardProxies", guarded.it.vault);
    let listed = harness.get(&proxies).await.json();
    let details = &listed["value"][0]["properties"]["resourceGuardOperationDetails"];
    assert!(
        details
            .to_string()
            .contains("deleteBackupInstanceRequests/default"),
        "{details}"
    );
    let requests = format!("{}/deleteResourceGuardProxyRequests", guarded.guard);
    let listed = harness.get(&requests).await.json();
    assert_eq!(listed["value"][0]["name"], "default");
    let one = listed["value"][0]["id"].as_str().unwrap();
    assert_eq!(harness.get(one).await.status, 200);
    let none = format!("{}/getBackupSecurityPINRequests", guarded.guard);
    assert_eq!(harness.get(&none).await.json()["value"], json!([]));
    // What would disarm it cannot be left out.
    let mandatory = "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/delete";
    let body = json!({"location": "westeurope", "properties": {
        "vaultCriticalOperationExclusionList": [mandatory],
    }});
    assert_eq!(
        harness.put(&guarded.guard, body).await.refusal().1,
        "InvalidRequestContent"
    );
    assert_eq!(
        harness.delete(&guarded.guard).await.refusal().1,
        "ResourceInUse"
    );
    let tags = harness
        .call("PATCH", &guarded.guard, Some(json!({"tags": {"a": "b"}})))
        .await;
    assert_eq!(tags.json()["tags"]["a"], "b");
    let all = format!("{SUBSCRIPTION}/providers/Microsoft.DataProtection/resourceGuards");
    assert_eq!(
        harness.get(&all).await.json()["value"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
