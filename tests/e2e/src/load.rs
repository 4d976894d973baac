//! The load on a database: money changes hands without end, and its books tell whether a transfer was torn
//! or lost, whenever they were cut off.
//!
//! `apps/mariadb.yaml` and `apps/postgres.yaml` say what a transfer is: it keeps the sum of all balances,
//! and has the number behind that of the last one.

use std::fmt;

use crate::kubectl::Kubectl;
use crate::process::{Running, StageError, StageResult};
use crate::sample::{self, Application};

/// What all accounts hold together: 100 of them were founded with 1,000 each.
const SUM: i64 = 100_000;

/// One row: the sum of all balances, the number of transfers, the number of the last one, and how many
/// balances are not what the transfers made of them. The same words for both databases.
const BOOKS: &str = "SELECT (SELECT SUM(balance) FROM accounts), \
    (SELECT COUNT(*) FROM transfers), (SELECT COALESCE(MAX(id), 0) FROM transfers), \
    (SELECT COUNT(*) FROM accounts AS a \
        LEFT JOIN (SELECT giver, SUM(amount) AS coins FROM transfers GROUP BY giver) AS given \
            ON given.giver = a.id \
        LEFT JOIN (SELECT taker, SUM(amount) AS coins FROM transfers GROUP BY taker) AS taken \
            ON taken.taker = a.id \
        WHERE a.balance <> 1000 - COALESCE(given.coins, 0) + COALESCE(taken.coins, 0))";

/// A sample application that is a bank in a database.
#[derive(Debug)]
pub struct Bank {
    /// The application.
    pub application: Application,
    pod: &'static str,
    container: &'static str,
    /// What runs the statement behind it and prints its rows, columns apart by tabs.
    query: &'static [&'static str],
    /// Transfers without end.
    load: &'static str,
    /// Looks for damage in all tables and indexes.
    check: &'static [&'static str],
}

/// The bank in MariaDB.
pub const MARIADB: Bank = Bank {
    application: sample::MARIADB,
    pod: "mariadb-0",
    container: "mariadb",
    query: &["mariadb", "--batch", "--skip-column-names", "bank", "-e"],
    load: "yes 'CALL transfer();' | mariadb bank",
    check: &["mariadb-check", "--all-databases", "--extended"],
};

/// The bank in PostgreSQL.
pub const POSTGRES: Bank = Bank {
    application: sample::POSTGRES,
    pod: "postgres-0",
    container: "postgres",
    query: &["psql", "-At", "-F", "\t", "-c"],
    load: "yes 'CALL transfer();' | psql --quiet",
    check: &["pg_amcheck", "--database=postgres", "--heapallindexed"],
};

/// What the books of a bank say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Books {
    sum: i64,
    transfers: i64,
    /// The number of the last transfer.
    pub last: i64,
    wrong: i64,
}

impl Books {
    /// Whether no transfer is torn or missing.
    #[must_use]
    pub fn are_in_order(&self) -> bool {
        self.sum == SUM && self.wrong == 0 && self.transfers == self.last && self.last > 0
    }

    fn parse(row: &str) -> Option<Self> {
        let mut columns = row.trim().split('\t').map(|column| column.parse().ok());
        let mut next = || columns.next().flatten();
        Some(Self {
            sum: next()?,
            transfers: next()?,
            last: next()?,
            wrong: next()?,
        })
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sum,
            transfers,
            last,
            wrong,
        } = self;
        write!(
            f,
            "{transfers} transfers, the last is {last}; {sum} in all accounts, {wrong} of them wrong"
        )
    }
}

impl Bank {
    /// Lets transfers happen until the pod ends.
    pub fn start_load(&self, kubectl: &Kubectl) -> StageResult<Running> {
        let words = self.words(self.application.namespace, &["bash", "-c", self.load]);
        kubectl.start(&words)
    }

    /// What the books say, of the bank itself or of a copy in another namespace.
    pub fn books(&self, kubectl: &Kubectl, namespace: &str) -> StageResult<Books> {
        let row = self.query(kubectl, namespace, BOOKS)?;
        Books::parse(&row)
            .ok_or_else(|| StageError::Unexpected(format!("these are no books of a bank: {row:?}")))
    }

    /// What a statement prints.
    pub fn query(&self, kubectl: &Kubectl, namespace: &str, sql: &str) -> StageResult<String> {
        let command = [self.query, &[sql]].concat();
        self.run(kubectl, namespace, &command)
    }

    /// Looks for damage in all tables and indexes, and returns what was said about them.
    pub fn check(&self, kubectl: &Kubectl, namespace: &str) -> StageResult<String> {
        self.run(kubectl, namespace, self.check)
    }

    /// What the server said since its container started.
    pub fn log(&self, kubectl: &Kubectl, namespace: &str) -> StageResult<String> {
        kubectl.run(&["-n", namespace, "logs", self.pod, "-c", self.container])
    }

    /// What a command prints that runs beside the server.
    pub fn run(&self, kubectl: &Kubectl, namespace: &str, command: &[&str]) -> StageResult<String> {
        kubectl.run(&self.words(namespace, command))
    }

    fn words<'a>(&self, namespace: &'a str, command: &[&'a str]) -> Vec<&'a str> {
        let beside = ["exec", self.pod, "-c", self.container, "--"];
        [&["-n", namespace], &beside[..], command].concat()
    }
}
