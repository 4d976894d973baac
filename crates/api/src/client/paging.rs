//! Lists, page by page, so that memory does not grow with their length.

use serde::de::DeserializeOwned;
use url::Url;

use super::{Client, ClientError};
use crate::list::Page;

/// The most pages that are followed: a list that has more is a server whose `nextLink` goes in
/// circles.
const MAX_PAGES: u32 = 1_000_000;

/// The pages of a list that are still to come.
#[derive(Debug)]
pub struct Pages<T> {
    client: Client,
    next: Option<Url>,
    seen: u32,
    marker: std::marker::PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Pages<T> {
    pub(crate) fn new(client: Client, first: Url) -> Self {
        Self {
            client,
            next: Some(first),
            seen: 0,
            marker: std::marker::PhantomData,
        }
    }

    /// The next page's items; `None` after the last page.
    ///
    /// # Errors
    /// As any call; a link that leads to the same page again is a protocol error.
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, ClientError> {
        let Some(url) = self.next.take() else {
            return Ok(None);
        };
        let what = format!("GET {}", url.path());
        let page: Page<T> = self.client.get_json(url.clone()).await?;
        self.seen += 1;
        if let Some(link) = page.next_link.filter(|link| !link.is_empty()) {
            let next = self.client.follow_url(&link)?;
            if next == url || self.seen >= MAX_PAGES {
                return Err(ClientError::Protocol {
                    what,
                    message: "nextLink goes in circles".to_owned(),
                });
            }
            self.next = Some(next);
        }
        Ok(Some(page.value))
    }

    /// All items at once; for lists that people read.
    ///
    /// # Errors
    /// As [`Pages::next`].
    pub async fn all(mut self) -> Result<Vec<T>, ClientError> {
        let mut items = Vec::new();
        while let Some(page) = self.next().await? {
            items.extend(page);
        }
        Ok(items)
    }
}
