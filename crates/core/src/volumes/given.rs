//! Snapshot classes that a snapshot resource group gives: which parameters a driver's snapshots are taken
//! with, and so where they go and what they cost.
//!
//! Contract: pure. [`of_group`] says what a group gives, its own word or the published default; [`check`]
//! what it may say. The extension makes a VolumeSnapshotClass of each that a backup needs, under a name that
//! follows from what it says ([`GivenClass::name`]): another wish is another class, and the class of a
//! snapshot never changes under it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::class::SnapshotClass;
use super::name;
use crate::error::{Code, Problem};
use crate::limits::{DRIVER_NAME_CHARS, SNAPSHOT_CLASS_PARAMETER_BYTES, SNAPSHOT_CLASSES_MAX};

/// The driver whose snapshots lie in a resource group of Azure.
pub const AZURE_DISK: &str = "disk.csi.azure.com";

/// The parameters of a driver's snapshots. Persisted, and a part of the custom resource: fields are only
/// ever added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GivenClass {
    /// The CSI driver.
    pub driver: String,
    /// The parameters, as the driver understands them.
    pub parameters: BTreeMap<String, String>,
    /// The cluster's VolumeGroupSnapshotClass by which volumes are snapshotted at one instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_class: Option<String>,
    /// Whether nobody wrote it down: it is the published default.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_default: bool,
}

impl GivenClass {
    /// The name of its VolumeSnapshotClass, made by the extension of this namespace.
    #[must_use]
    pub fn name(&self, extension: &str) -> String {
        let mut said = self.driver.clone();
        for (key, value) in &self.parameters {
            // No name or value that the API server accepts holds these characters.
            said.push('\u{0}');
            said.push_str(key);
            said.push('\u{1}');
            said.push_str(value);
        }
        name::class(extension, &said)
    }

    /// The class that the extension makes of it.
    #[must_use]
    pub fn class(&self, extension: &str) -> SnapshotClass {
        SnapshotClass {
            name: self.name(extension),
            driver: self.driver.clone(),
            made: true,
            parameters: self.parameters.clone(),
            ..SnapshotClass::default()
        }
    }
}

/// What a snapshot resource group gives: what was configured, and for the driver whose snapshots lie in
/// groups of Azure, unless it is configured, the published default. `azure_group` is the group's name when
/// it can be one of Azure.
/// Source of the parameters:
/// <https://github.com/kubernetes-sigs/azuredisk-csi-driver/blob/master/docs/driver-parameters.md#volumesnapshotclass>
#[must_use]
pub fn of_group(azure_group: Option<&str>, configured: Vec<GivenClass>) -> Vec<GivenClass> {
    let mut given = configured;
    let is_configured = given.iter().any(|class| class.driver == AZURE_DISK);
    if let Some(group) = azure_group.filter(|_| !is_configured) {
        given.push(GivenClass {
            driver: AZURE_DISK.to_owned(),
            parameters: BTreeMap::from([
                ("incremental".to_owned(), "true".to_owned()),
                ("resourceGroup".to_owned(), group.to_owned()),
            ]),
            by_default: true,
            ..GivenClass::default()
        });
    }
    given
}

/// Refuses what no cluster or driver would take. `target` is the field with the list.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn check(classes: &[GivenClass], target: &str) -> Result<(), Problem> {
    let refuse = |at: String, message: String| {
        Err(Problem::new(Code::InvalidRequestContent, message).at(at.as_str()))
    };
    if classes.len() > SNAPSHOT_CLASSES_MAX {
        let message = format!(
            "A resource group has snapshot classes of at most {SNAPSHOT_CLASSES_MAX} drivers."
        );
        return refuse(target.to_owned(), message);
    }
    for (index, class) in classes.iter().enumerate() {
        let at = |field: &str| format!("{target}[{index}].{field}");
        if !is_driver_name(&class.driver) {
            let message = format!(
                "'{}' is not the name of a CSI driver: at most {DRIVER_NAME_CHARS} letters, digits, '-' and '.', with a letter or digit at both ends.",
                class
                    .driver
                    .chars()
                    .take(DRIVER_NAME_CHARS)
                    .collect::<String>()
            );
            return refuse(at("driver"), message);
        }
        let before = classes.iter().take(index);
        if before.into_iter().any(|other| other.driver == class.driver) {
            let message = format!(
                "The driver '{}' has a snapshot class already.",
                class.driver
            );
            return refuse(at("driver"), message);
        }
        if class.parameters.keys().any(String::is_empty) {
            let message = "A parameter of a snapshot class has no name.".to_owned();
            return refuse(at("parameters"), message);
        }
        if class
            .group_class
            .as_deref()
            .is_some_and(|name| !is_object_name(name))
        {
            let message = "It is not the name of a VolumeGroupSnapshotClass.".to_owned();
            return refuse(at("groupClass"), message);
        }
        let texts = class
            .parameters
            .iter()
            .flat_map(|(key, value)| [key, value]);
        if texts.clone().any(|text| text.chars().any(char::is_control)) {
            let message = "A parameter of a snapshot class holds a control character.".to_owned();
            return refuse(at("parameters"), message);
        }
        let bytes: usize = texts.map(String::len).sum();
        if bytes > SNAPSHOT_CLASS_PARAMETER_BYTES {
            let message = format!(
                "The parameters for '{}' have {bytes} bytes; a driver need not take more than {SNAPSHOT_CLASS_PARAMETER_BYTES}.",
                class.driver
            );
            return refuse(at("parameters"), message);
        }
    }
    Ok(())
}

/// Whether a text can be the name of an object.
/// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>
fn is_object_name(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let bytes = text.as_bytes();
    let known = |byte: &u8| is_end(Some(byte)) || matches!(byte, b'-' | b'.');
    bytes.len() <= 253 && is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(known)
}

/// Whether a text can be the name of a CSI driver.
/// Source: `GetPluginInfoResponse.name` in the CSI specification, v1.12.
fn is_driver_name(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let fits = bytes.len() <= DRIVER_NAME_CHARS;
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    fits && is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(driver: &str, parameters: &[(&str, &str)]) -> GivenClass {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        GivenClass {
            driver: driver.to_owned(),
            parameters: parameters.iter().map(own).collect(),
            ..GivenClass::default()
        }
    }

    #[test]
    fn the_published_default_is_for_azure_disk_in_a_group_that_can_be_azures() {
        assert_eq!(of_group(None, Vec::new()), []);
        let mut default = given(
            AZURE_DISK,
            &[("incremental", "true"), ("resourceGroup", "snapshots")],
        );
        default.by_default = true;
        assert_eq!(of_group(Some("snapshots"), Vec::new()), [default.clone()]);
        let other = given("other.example.com", &[]);
        assert_eq!(
            of_group(Some("snapshots"), vec![other.clone()]),
            [other, default]
        );
        let own = given(AZURE_DISK, &[("incremental", "false")]);
        assert_eq!(of_group(Some("snapshots"), vec![own.clone()]), [own]);
    }

    #[test]
    fn what_no_driver_or_cluster_takes_is_refused_with_its_place() {
        let long = "a".repeat(DRIVER_NAME_CHARS + 1);
        let value = "v".repeat(SNAPSHOT_CLASS_PARAMETER_BYTES);
        for (classes, target) in [
            (vec![given("", &[])], "c[0].driver"),
            (vec![given("-a", &[])], "c[0].driver"),
            (vec![given("a.", &[])], "c[0].driver"),
            (vec![given("a_b", &[])], "c[0].driver"),
            (vec![given(&long, &[])], "c[0].driver"),
            (vec![given("a", &[]), given("a", &[])], "c[1].driver"),
            (vec![given("a", &[("", "x")])], "c[0].parameters"),
            (vec![given("a", &[("x", "\u{1}")])], "c[0].parameters"),
            (vec![given("a", &[("x", &value)])], "c[0].parameters"),
            (vec![given("a", &[]); SNAPSHOT_CLASSES_MAX + 1], "c"),
        ] {
            let problem = check(&classes, "c").unwrap_err();
            assert_eq!(problem.code, Code::InvalidRequestContent);
            assert_eq!(problem.target.as_deref(), Some(target), "{problem:?}");
        }
        let by_group = |name: &str| GivenClass {
            group_class: Some(name.to_owned()),
            ..given("a", &[])
        };
        for name in ["", "Groups", "-a", &"a".repeat(254)] {
            let problem = check(&[by_group(name)], "c").unwrap_err();
            assert_eq!(problem.target.as_deref(), Some("c[0].groupClass"), "{name}");
        }
        assert_eq!(check(&[by_group("groups.of-shop")], "c").err(), None);
        let fits = given("disk.csi.azure.com", &[("x", &value[1..])]);
        assert_eq!(check(&[fits, given("A1", &[])], "c").err(), None);
    }

    #[test]
    fn a_class_has_the_same_name_for_the_same_words_only() {
        let one = given("d", &[("a", "bc")]);
        assert_eq!(one.name("ns"), one.clone().name("ns"));
        assert_eq!(
            one.name("ns"),
            GivenClass {
                by_default: true,
                ..one.clone()
            }
            .name("ns")
        );
        for other in [
            given("e", &[("a", "bc")]),
            given("d", &[("ab", "c")]),
            given("d", &[]),
        ] {
            assert_ne!(one.name("ns"), other.name("ns"));
        }
        assert_ne!(one.name("ns"), one.name("other"));
        assert_eq!(name::recovery_point("ns", &one.name("ns")), None);
        assert!(
            !name::is_ours(&one.name("ns")),
            "it is no name of a snapshot"
        );
    }
}
