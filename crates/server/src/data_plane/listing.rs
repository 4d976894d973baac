//! Listing a container's folder in the order of keys, one page at a time.
//!
//! S3 sorts by the bytes of the whole key. A folder's name is compared with its slash, so walking
//! each folder in that order yields the keys in order without ever holding more than the names
//! of the folders on the current path.

use std::fs;
use std::io;
use std::path::Path;

use super::folder::{ObjectMeta, head};
use super::key::{Key, segment_is_valid};

/// What to list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a> {
    /// Only keys that begin with this text.
    pub(super) prefix: &'a str,
    /// Only keys (and common prefixes) after this text.
    pub(super) after: &'a str,
    /// Whether keys with another slash behind the prefix are gathered into common prefixes.
    pub(super) by_folder: bool,
    /// Most entries of the page.
    pub(super) limit: usize,
}

/// One page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) objects: Vec<(String, ObjectMeta)>,
    pub(super) common_prefixes: Vec<String>,
    /// Where the next page begins; absent on the last page.
    pub(super) next_after: Option<String>,
}

impl Page {
    fn len(&self) -> usize {
        self.objects.len() + self.common_prefixes.len()
    }
}

/// Lists one page of `container`. A prefix under which nothing lies gives an empty page.
pub(super) fn list(container: &Path, query: Query<'_>) -> io::Result<Page> {
    let mut walk = Walk {
        container,
        query,
        page: Page::default(),
        last: String::new(),
    };
    let (folder, _) = query.prefix.rsplit_once('/').unwrap_or(("", ""));
    if folder
        .split('/')
        .all(|segment| folder.is_empty() || segment_is_valid(segment))
    {
        walk.folder(folder)?;
    }
    Ok(walk.page)
}

struct Walk<'a> {
    container: &'a Path,
    query: Query<'a>,
    page: Page,
    /// The last entry that was put on the page.
    last: String,
}

impl Walk<'_> {
    /// Visits the folder `key` (without its last slash); `false` once the page is full.
    fn folder(&mut self, key: &str) -> io::Result<bool> {
        for (name, is_folder) in names(&self.container.join(key))? {
            let full = if key.is_empty() {
                name
            } else {
                format!("{key}/{name}")
            };
            let go_on = if is_folder {
                self.subfolder(&full)?
            } else {
                self.object(full)?
            };
            if !go_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn subfolder(&mut self, key: &str) -> io::Result<bool> {
        let Query {
            prefix,
            after,
            by_folder,
            ..
        } = self.query;
        let slashed = format!("{key}/");
        let may_match = slashed.starts_with(prefix) || prefix.starts_with(&slashed);
        let is_passed = slashed.as_str() < after && !after.starts_with(&slashed);
        if !may_match || is_passed {
            return Ok(true);
        }
        if !(by_folder && slashed.starts_with(prefix) && slashed != prefix) {
            return self.folder(key);
        }
        if slashed == after {
            return Ok(true);
        }
        if !self.has_room() {
            return Ok(false);
        }
        self.last.clone_from(&slashed);
        self.page.common_prefixes.push(slashed);
        Ok(true)
    }

    fn object(&mut self, key: String) -> io::Result<bool> {
        if !key.starts_with(self.query.prefix) || key.as_str() <= self.query.after {
            return Ok(true);
        }
        let Ok(parsed) = Key::parse(&key) else {
            return Ok(true);
        };
        if !self.has_room() {
            return Ok(false);
        }
        match head(self.container, &parsed) {
            Ok(meta) => {
                self.last.clone_from(&key);
                self.page.objects.push((key, meta));
                Ok(true)
            }
            // Removed since the folder was read: as if it had been removed before.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(e) => Err(e),
        }
    }

    /// Whether the page takes one more; when not, the page is marked as continued.
    fn has_room(&mut self) -> bool {
        let room = self.page.len() < self.query.limit;
        if !room {
            self.page.next_after = Some(std::mem::take(&mut self.last));
        }
        room
    }
}

/// The names in a folder in key order, and whether each is a folder. Names that no key can have
/// (files that someone put there by hand) are left out.
fn names(folder: &Path) -> io::Result<Vec<(String, bool)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(e) => return Err(e),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if let Ok(name) = entry.file_name().into_string()
            && segment_is_valid(&name)
            && (kind.is_dir() || kind.is_file())
        {
            names.push((name, kind.is_dir()));
        }
    }
    names.sort_unstable_by(|a, b| sort_key(a).cmp(sort_key(b)));
    Ok(names)
}

fn sort_key((name, is_folder): &(String, bool)) -> impl Iterator<Item = u8> + '_ {
    name.bytes().chain(is_folder.then_some(b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn container(keys: &BTreeSet<String>) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for key in keys {
            let file = dir.path().join(key);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, key).unwrap();
        }
        dir
    }

    fn all_pages(
        container: &Path,
        prefix: &str,
        by_folder: bool,
        limit: usize,
    ) -> (Vec<String>, Vec<String>) {
        let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
        let mut after = String::new();
        loop {
            let page = list(
                container,
                Query {
                    prefix,
                    after: &after,
                    by_folder,
                    limit,
                },
            )
            .unwrap();
            assert!(page.len() <= limit);
            objects.extend(page.objects.into_iter().map(|(key, _)| key));
            prefixes.extend(page.common_prefixes);
            match page.next_after {
                Some(next) => after = next,
                None => return (objects, prefixes),
            }
        }
    }

    #[test]
    fn keys_come_in_the_order_of_their_bytes_not_of_the_folders() {
        let keys: BTreeSet<String> = ["a-b", "a/b", "a/c/d", "a.b", "a0", "b"]
            .map(String::from)
            .into();
        let dir = container(&keys);
        let (objects, _) = all_pages(dir.path(), "", false, 2);
        assert_eq!(objects, keys.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_prefix_that_does_not_exist_lists_nothing() {
        let dir = container(&["a/b".to_owned()].into());
        for prefix in ["x/", "a/b/c/", "../", "a/../", "/"] {
            assert_eq!(
                all_pages(dir.path(), prefix, false, 10).0,
                Vec::<String>::new(),
                "{prefix}"
            );
        }
    }

    #[test]
    fn what_someone_else_put_there_is_not_an_object() {
        let dir = container(
            &[
                "a/b".to_owned(),
                "a/.hidden".to_owned(),
                "a/with space".to_owned(),
            ]
            .into(),
        );
        assert_eq!(all_pages(dir.path(), "", false, 10).0, ["a/b"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pages_together_are_the_whole_list(
            names in prop::collection::btree_set("[ab.-]{1,3}(/[ab=-]{1,2}){0,2}", 0..20),
            prefix in "([ab]{0,2}|[ab]/|[ab]/[ab])",
            by_folder: bool,
            limit in 1_usize..5,
        ) {
            let mut keys: BTreeSet<String> = names.into_iter().filter(|k| Key::parse(k).is_ok()).collect();
            // A file cannot also be a folder.
            let folders: Vec<String> = keys.iter().flat_map(|k| k.match_indices('/').map(|(at, _)| k[..at].to_owned()).collect::<Vec<_>>()).collect();
            keys.retain(|k| !folders.contains(k));
            let dir = container(&keys);
            let matching: Vec<&String> = keys.iter().filter(|k| k.starts_with(&prefix)).collect();
            let (objects, prefixes) = all_pages(dir.path(), &prefix, by_folder, limit);
            let rest = |k: &str| k[prefix.len()..].find('/').map(|at| k[..=prefix.len() + at].to_owned());
            if by_folder {
                let expected: BTreeSet<String> = matching.iter().filter_map(|k| rest(k)).collect();
                prop_assert_eq!(prefixes, expected.into_iter().collect::<Vec<_>>());
                prop_assert_eq!(objects, matching.iter().filter(|k| rest(k).is_none()).map(|k| (*k).clone()).collect::<Vec<_>>());
            } else {
                prop_assert_eq!(objects, matching.into_iter().cloned().collect::<Vec<_>>());
                prop_assert!(prefixes.is_empty());
            }
        }
    }
}
