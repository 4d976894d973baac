//! The table of the official SDK's operations says of each what the table of routes says.

use crate::http::routes;

const DOCUMENT: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/sdk-operations.md"
));

/// How the one address ends that begins with the id of any resource.
const OF_ANY_RESOURCE: &str = "/{}/providers/microsoft.dataprotection/backupinstances";

/// An address without the names of its parts.
fn plain(path: &str) -> String {
    let words = path.split('/');
    let words: Vec<&str> = words
        .map(|word| if word.starts_with('{') { "{}" } else { word })
        .collect();
    let path = words.join("/").to_lowercase();
    if path.ends_with(OF_ANY_RESOURCE) {
        OF_ANY_RESOURCE.to_owned()
    } else {
        path
    }
}

#[test]
fn every_operation_of_the_sdk_has_a_route_exactly_when_the_document_says_so() {
    let mut ours: Vec<(String, String)> = Vec::new();
    for route in routes() {
        for (method, _) in &route.methods {
            ours.push((method.to_string(), plain(route.path)));
        }
    }
    let mut walked = 0;
    for line in DOCUMENT.lines().filter(|line| line.contains("| `/")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (name, method) = (cells[1], cells[2].to_owned());
        let address = plain(cells[3].trim_matches('`'));
        let is_there = ours.contains(&(method, address));
        assert_eq!(is_there, cells[4] != "not yet", "{name}: {}", cells[4]);
        walked += 1;
    }
    assert_eq!(walked, 75, "operations of azure-mgmt-dataprotection 2.2.0");
}
