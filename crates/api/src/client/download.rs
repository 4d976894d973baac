//! An answer that is read as it comes, because it may be longer than memory should hold.

use reqwest::Response;
use url::Url;

use super::{Client, ClientError};

/// The body of an answer, still to be read.
#[derive(Debug)]
pub struct Download {
    pub(crate) response: Response,
    pub(crate) client: Client,
    pub(crate) what: String,
}

impl Download {
    /// The next part, of a size that the network chose; `None` at the end. Parts do not end where lines
    /// do.
    ///
    /// # Errors
    /// When the connection breaks, the server's own failure in the middle of the answer included: what
    /// came before is not the whole.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        match self.response.chunk().await {
            Ok(part) => Ok(part.map(|part| part.to_vec())),
            Err(error) => Err(self.client.network(&error, &self.what)),
        }
    }
}

impl Client {
    /// Begins to read an answer of this media type. Nothing is sent again once it has begun.
    pub(crate) async fn download(&self, url: Url, accept: &str) -> Result<Download, ClientError> {
        let what = format!("GET {}", url.path());
        let response = self.begin(url, accept, &what).await?;
        Ok(Download {
            response,
            client: self.clone(),
            what,
        })
    }
}
