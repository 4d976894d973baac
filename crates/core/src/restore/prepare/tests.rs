//! Preparing objects: each row of the table, held objects, fallbacks and what is restored.
