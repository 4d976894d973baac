//! `strongroom backup`.

super::verbs! {
    /// Back up an instance now
    Start(start),
}
