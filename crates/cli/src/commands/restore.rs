//! `strongroom restore`.

mod request;

super::verbs! {
    /// Find out what a restore would do, and what stands in its way; changes nothing
    Validate(validate),
    /// Restore
    Start(start),
}
