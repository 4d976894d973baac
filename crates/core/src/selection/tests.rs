//! Which namespaces, types and objects a selection takes, as tables of sentences.
