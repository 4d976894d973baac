//! `POST …/tokens/admin/rotate`: the administrator's token is replaced, and the new one is told,
//! this once. The answer must not be kept by anything in between.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::{Extension, Json};
use strongroom_api::administration::RotatedToken;
use strongroom_api::secret::Secret;
use strongroom_core::error::{Code, Problem};

use crate::app::{App, Result, admin_token};
use crate::http::auth::Principal;

type NotKept = [(HeaderName, HeaderValue); 1];

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Extension(principal): Extension<Principal>,
) -> Result<(NotKept, Json<RotatedToken>)> {
    let presented = principal.token.ok_or_else(|| {
        Problem::new(
            Code::AuthorizationFailed,
            "The administrator's token is replaced by whoever presents it, and by nobody else.",
        )
    })?;
    let new = admin_token::rotate(&app, presented).await?;
    let answer = RotatedToken {
        token: Secret::new(new.token.as_str()),
        issued_on: new.issued,
        expires_on: new.expires,
    };
    let not_kept = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((not_kept, Json(answer)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use crate::app::admin_token;
    use crate::testing::{Harness, TOKEN};

    const ROTATE: &str = "/providers/Strongroom.Administration/tokens/admin/rotate";

    #[tokio::test]
    async fn after_a_rotation_the_new_token_is_accepted_and_the_old_one_is_told_since_when() {
        let harness = Harness::new().await;
        let answer = harness.call("POST", ROTATE, None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store");
        let body = answer.json();
        assert_eq!(body["issuedOn"], "2026-01-02T03:04:05Z");
        assert!(body.get("expiresOn").is_none(), "{body}");
        let new = body["token"].as_str().unwrap();
        let file = std::fs::read_to_string(harness.dir.path().join("admin.token")).unwrap();
        assert_eq!(file, new);

        harness.clock.advance(Duration::from_secs(60));
        let answer = harness.as_holder_of(new, "GET", "/subscriptions").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        for (method, path) in [("GET", "/subscriptions"), ("POST", ROTATE)] {
            let old = harness.as_holder_of(TOKEN, method, path).await;
            assert_eq!(
                old.refusal(),
                (401, "ExpiredAuthenticationToken".to_owned())
            );
            assert!(old.header("www-authenticate").starts_with("Bearer "));
            let message = old.json()["error"]["message"].to_string();
            assert!(message.contains("since 2026-01-02T03:04:05Z"), "{message}");
            assert!(message.contains("replaced"), "{message}");
        }
        let wrong = harness.as_holder_of("srm_x", "GET", "/subscriptions").await;
        assert_eq!(wrong.refusal().1, "InvalidAuthenticationToken");
    }

    #[tokio::test]
    async fn of_two_rotations_at_once_with_one_token_one_is_refused() {
        let harness = Harness::new().await;
        let (one, other) = tokio::join!(
            harness.call("POST", ROTATE, None),
            harness.call("POST", ROTATE, None)
        );
        let (done, late) = if one.status == 200 {
            (one, other)
        } else {
            (other, one)
        };
        assert_eq!(
            late.refusal(),
            (401, "ExpiredAuthenticationToken".to_owned())
        );
        let new = done.json()["token"].as_str().unwrap().to_owned();
        let answer = harness.as_holder_of(&new, "GET", "/subscriptions").await;
        assert_eq!(answer.status, 200);
    }

    #[tokio::test]
    async fn a_token_past_its_lifetime_is_refused_and_replaced_in_the_file() {
        let day = SignedDuration::from_hours(24);
        let harness = Harness::with_token_lifetime(Some(day)).await;
        assert!(!admin_token::renew(&harness.app).await.unwrap());
        harness.clock.advance(Duration::from_secs(24 * 3600 - 1));
        assert_eq!(harness.get("/subscriptions").await.status, 200);
        harness.clock.advance(Duration::from_secs(1));
        for renewed in [false, true] {
            assert_eq!(admin_token::renew(&harness.app).await.unwrap(), !renewed);
            harness.clock.advance(Duration::from_secs(3600));
            let old = harness.get("/subscriptions").await;
            assert_eq!(
                old.refusal(),
                (401, "ExpiredAuthenticationToken".to_owned())
            );
            let message = old.json()["error"]["message"].to_string();
            assert!(message.contains("since 2026-01-03T03:04:05Z"), "{message}");
            assert!(message.contains("lifetime"), "{message}");
        }
        let new = std::fs::read_to_string(harness.dir.path().join("admin.token")).unwrap();
        let answer = harness.as_holder_of(&new, "POST", ROTATE).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["expiresOn"], "2026-01-04T05:04:05Z");
    }
}
