//! A cluster as the extension sees it, in which something happens between two of its requests.

use axum::http::{Request, Uri};
use futures::future::BoxFuture;
use kube::client::Body;
use std::sync::Arc;
use strongroom_kubernetes::{Cluster, Retries, Timeouts};
use tokio::sync::OnceCell;

/// Whether a request is for a further page of a list, of a type whose plural this is.
pub(super) fn is_further_page(uri: &Uri, plural: &str) -> bool {
    let query = uri.query().unwrap_or_default();
    uri.path().ends_with(&format!("/{plural}")) && query.contains("continue=")
}

/// The same cluster, with `act` done once, to its end, before the first request that `meets` is sent.
pub(super) fn gated(
    cluster: &Cluster,
    meets: impl Fn(&Uri) -> bool + Clone + Send + 'static,
    act: impl Fn(Uri) -> BoxFuture<'static, ()> + Clone + Send + Sync + 'static,
) -> Cluster {
    let client = cluster.client();
    let done = Arc::new(OnceCell::new());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, done, act) = (client.clone(), Arc::clone(&done), act.clone());
        let held = meets(request.uri()).then(|| request.uri().clone());
        async move {
            if let Some(uri) = held {
                done.get_or_init(|| act(uri)).await;
            }
            client.send(request).await
        }
    });
    let client = kube::Client::new(service, "default");
    Cluster::from_client(client, Timeouts::default(), Retries::default())
}
