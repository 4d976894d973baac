//! Addresses without regard to case: `/SUBSCRIPTIONS/x/resourcegroups/…` is the same resource as
//! the published spelling, and answers always use the published one.
//!
//! Contract: only the fixed words of a known route change; names stay as given, whatever they are.
//! An address that is no route passes unchanged and ends as 404. A trailing slash is dropped, and so is the
//! empty path of no parent that generic clients write behind a provider.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// How the addresses go on that begin with the id of any resource.
const OF_RESOURCE: [&str; 2] = [
    "/providers/microsoft.dataprotection/backupinstances",
    "/providers/microsoft.authorization/",
];

/// The published spellings of all routes.
#[derive(Debug, Clone)]
pub(crate) struct PathCase {
    routes: Vec<Vec<&'static str>>,
}

impl PathCase {
    pub(crate) fn new(paths: impl Iterator<Item = &'static str>) -> Self {
        Self {
            routes: paths.map(|path| path.split('/').collect()).collect(),
        }
    }

    /// The published spelling of `path`, when it is a route in another spelling.
    pub(crate) fn published(&self, path: &str) -> Option<String> {
        // Clients that are given a whole resource id put it behind a slash of their own.
        let is_doubled = path.starts_with("//") && {
            let lower = path.to_ascii_lowercase();
            lower.ends_with(OF_RESOURCE[0]) || lower.contains(OF_RESOURCE[1])
        };
        if is_doubled {
            let single = &path[1..];
            return Some(self.published(single).unwrap_or_else(|| single.to_owned()));
        }
        let trimmed = path
            .strip_suffix('/')
            .filter(|path| !path.is_empty())
            .unwrap_or(path);
        let segments = without_empty_parents(trimmed);
        let route = self.fitting(&segments)?;
        let spelled: Vec<&str> = route
            .iter()
            .zip(&segments)
            .map(|(word, segment)| if is_name(word) { *segment } else { *word })
            .collect();
        let spelled = spelled.join("/");
        (spelled != path).then_some(spelled)
    }

    /// The route with the most fixed words wins, as in the router.
    fn fitting(&self, segments: &[&str]) -> Option<&Vec<&'static str>> {
        self.routes
            .iter()
            .filter(|route| fits(route, segments))
            .max_by_key(|route| route.iter().filter(|word| !is_name(word)).count())
    }

    /// The address of the route that a path is one of.
    #[cfg(test)]
    pub(crate) fn route(&self, path: &str) -> Option<String> {
        let path = self.published(path).unwrap_or_else(|| path.to_owned());
        let segments: Vec<&str> = path.split('/').collect();
        self.fitting(&segments).map(|route| route.join("/"))
    }

    /// Rewrites a request's address to the published spelling.
    pub(crate) fn rewrite(&self, mut request: Request) -> Request {
        if let Some(path) = self.published(request.uri().path()) {
            let text = match request.uri().query() {
                Some(query) => format!("{path}?{query}"),
                None => path,
            };
            if let Ok(rewritten) = PathAndQuery::try_from(text) {
                let mut parts = request.uri().clone().into_parts();
                parts.path_and_query = Some(rewritten);
                if let Ok(uri) = Uri::from_parts(parts) {
                    *request.uri_mut() = uri;
                }
            }
        }
        request
    }
}

/// The words of a path, without the empty ones in `/providers/{namespace}//{type}`: what clients that know no
/// types write there, which put an empty `parentResourcePath` in between. Anywhere else an empty word is an
/// empty name.
fn without_empty_parents(path: &str) -> Vec<&str> {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        let is_behind_provider = segments
            .iter()
            .nth_back(1)
            .is_some_and(|word| word.eq_ignore_ascii_case("providers"));
        if !(segment.is_empty() && is_behind_provider) {
            segments.push(segment);
        }
    }
    segments
}

fn is_name(word: &str) -> bool {
    word.starts_with('{')
}

fn fits(route: &[&str], segments: &[&str]) -> bool {
    route.len() == segments.len()
        && route
            .iter()
            .zip(segments)
            .all(|(word, segment)| is_name(word) || word.eq_ignore_ascii_case(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_words_are_spelled_as_published_and_names_are_left_alone() {
        let paths = PathCase::new(["/subscriptions/{s}/resourceGroups/{g}"].into_iter());
        assert_eq!(
            paths
                .published("/SUBSCRIPTIONS/Abc/resourcegroups/ResourceGroups")
                .unwrap(),
            "/subscriptions/Abc/resourceGroups/ResourceGroups"
        );
        assert_eq!(
            paths
                .published("/subscriptions/a/resourceGroups/b/")
                .unwrap(),
            "/subscriptions/a/resourceGroups/b"
        );
        assert_eq!(paths.published("/subscriptions/a/resourceGroups/b"), None);
        assert_eq!(paths.published("/elsewhere"), None);
        assert_eq!(paths.published("/"), None);
    }

    #[test]
    fn the_empty_path_of_no_parent_is_left_out_and_an_empty_name_is_none() {
        let path = "/subscriptions/{s}/providers/Microsoft.X/vaults/{v}";
        let paths = PathCase::new([path].into_iter());
        assert_eq!(
            paths
                .published("/subscriptions/a/providers/microsoft.x//vaults/b")
                .unwrap(),
            "/subscriptions/a/providers/Microsoft.X/vaults/b"
        );
        for odd in [
            "/subscriptions//a/providers/Microsoft.X/vaults/b",
            "/subscriptions/a/providers//Microsoft.X/vaults/b",
            "/subscriptions/a/providers/Microsoft.X/vaults//b",
        ] {
            assert_eq!(paths.published(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_route_with_more_fixed_words_wins() {
        let paths = PathCase::new(["/a/{x}/{y}", "/a/{x}/Fixed"].into_iter());
        assert_eq!(paths.published("/A/1/fixed").unwrap(), "/a/1/Fixed");
    }
}
