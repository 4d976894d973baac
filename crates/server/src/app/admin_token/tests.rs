//! A process that ends at any point of a change, and what the next start makes of it.

use std::path::Path;

use jiff::SignedDuration;

use super::record::{End, Former};
use super::*;
use crate::app::limits::MAX_FORMER_TOKENS;
use crate::store::sqlite::SqliteDatabase;
use crate::testing::CountingEntropy;

impl AdminToken {
    /// One whose current token is known to the test, and in the file.
    pub(crate) async fn holding(
        token: &str,
        file: PathBuf,
        lifetime: Lifetime,
        store: &Store,
        clock: &dyn Clock,
    ) -> Self {
        write_private(&file, token.as_bytes()).unwrap();
        let digest = TokenDigest::of(token);
        let at = clock.now();
        let record = Record {
            current: Some(Issued { digest, at }),
            ..Record::default()
        };
        save(store, &record).await.unwrap();
        let entropy = CountingEntropy::default();
        Self::open(file, lifetime, false, store, clock, &entropy)
            .await
            .unwrap()
    }
}

/// A clock that stands still.
#[derive(Clone, Copy)]
struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A data directory whose server is started again and again.
struct Directory {
    dir: tempfile::TempDir,
    store: Store,
    entropy: CountingEntropy,
    now: Timestamp,
    lifetime: Lifetime,
}

impl Directory {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = SqliteDatabase::open(&dir.path().join("strongroom.db")).await;
        Self {
            dir,
            store: Store::new(database.unwrap()),
            entropy: CountingEntropy::default(),
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
            lifetime: None,
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("admin.token")
    }

    fn content(&self) -> String {
        read(&self.file())
    }

    async fn try_start(&self) -> Result<AdminToken> {
        let clock = At(self.now);
        AdminToken::open(
            self.file(),
            self.lifetime,
            false,
            &self.store,
            &clock,
            &self.entropy,
        )
        .await
    }

    async fn start(&self) -> AdminToken {
        self.try_start().await.unwrap()
    }

    /// A new token, and it as it is announced.
    fn drawn(&self) -> (Zeroizing<String>, Issued) {
        let token = new_token(&self.entropy);
        let digest = TokenDigest::of(&token);
        let at = self.now;
        (token, Issued { digest, at })
    }

    fn standing(&self, tokens: &AdminToken, token: &str) -> Standing {
        tokens.standing(TokenDigest::of(token), self.now)
    }

    fn ended(&self, end: End) -> Standing {
        let since = self.now;
        Standing::Ended { since, end }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn the_first_start_makes_a_token_that_the_next_one_accepts() {
    let directory = Directory::new().await;
    let first = directory.start().await;
    let token = directory.content();
    assert_eq!(directory.standing(&first, &token), Standing::Valid);
    let second = directory.start().await;
    assert_eq!(directory.content(), token);
    assert_eq!(directory.standing(&second, &token), Standing::Valid);
    assert_eq!(directory.standing(&second, ""), Standing::Unknown);
    let settings = directory.store.read().await.unwrap();
    let mut settings = settings;
    for name in [ADMIN_TOKEN_DIGEST, ADMIN_TOKEN_RECORD] {
        let stored = settings.setting(name).await.unwrap().unwrap();
        assert!(!stored.contains(&token), "only digests are stored");
    }
}

#[tokio::test]
async fn a_first_start_that_ends_at_any_point_is_made_up_for() {
    for steps in 0..=2 {
        let directory = Directory::new().await;
        let cut = AdminToken {
            file: directory.file(),
            lifetime: None,
            record: watch::Sender::new(Record::default()),
            changing: Mutex::new(()),
        };
        let (token, issued) = directory.drawn();
        if steps > 0 {
            cut.announce(&directory.store, issued).await.unwrap();
        }
        if steps > 1 {
            cut.publish(token.clone()).await.unwrap();
        }
        let next = directory.start().await;
        let held = directory.content();
        assert_eq!(directory.standing(&next, &held), Standing::Valid, "{steps}");
        assert_eq!(held == *token, steps > 1, "{steps}");
    }
}

#[tokio::test]
async fn a_process_that_ends_before_the_file_is_replaced_leaves_the_old_token_alone_valid() {
    let directory = Directory::new().await;
    let running = directory.start().await;
    let old = directory.content();
    let (new, issued) = directory.drawn();
    running.announce(&directory.store, issued).await.unwrap();
    assert_eq!(directory.standing(&running, &old), Standing::Valid);
    for _ in 0..2 {
        let next = directory.start().await;
        assert_eq!(directory.content(), old);
        assert_eq!(directory.standing(&next, &old), Standing::Valid);
        assert_eq!(directory.standing(&next, &new), Standing::Unknown);
        assert_eq!(next.record.borrow().next, None);
    }
}

#[tokio::test]
async fn a_process_that_ends_after_the_file_was_replaced_leaves_the_new_token_alone_valid() {
    let directory = Directory::new().await;
    let running = directory.start().await;
    let old = directory.content();
    let (new, issued) = directory.drawn();
    running.announce(&directory.store, issued).await.unwrap();
    running.publish(new.clone()).await.unwrap();
    for _ in 0..2 {
        let next = directory.start().await;
        assert_eq!(directory.content(), *new);
        assert_eq!(directory.standing(&next, &new), Standing::Valid);
        assert_eq!(
            directory.standing(&next, &old),
            directory.ended(End::Replaced)
        );
    }
}

#[tokio::test]
async fn a_settlement_that_the_store_never_saw_is_kept_by_the_next_rotation() {
    let directory = Directory::new().await;
    let running = directory.start().await;
    let first = directory.content();
    let (second, issued) = directory.drawn();
    let announced = running.announce(&directory.store, issued).await.unwrap();
    running.publish(second.clone()).await.unwrap();
    running.record.send_replace(announced.settled());
    // The next rotation ends before its file is replaced.
    let (_, issued) = directory.drawn();
    running.announce(&directory.store, issued).await.unwrap();
    let next = directory.start().await;
    assert_eq!(directory.standing(&next, &second), Standing::Valid);
    assert_eq!(
        directory.standing(&next, &first),
        directory.ended(End::Replaced)
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_replaced_leaves_the_old_token_valid_now_and_after_a_start() {
    let directory = Directory::new().await;
    let running = directory.start().await;
    let old = directory.content();
    // A folder where the temporary file should be: not even root writes to that.
    let obstacle = directory.dir.path().join("admin.token.new");
    std::fs::create_dir(&obstacle).unwrap();
    let refused = running
        .replace(&directory.store, &At(directory.now), &directory.entropy)
        .await;
    assert!(refused.is_err());
    assert_eq!(directory.standing(&running, &old), Standing::Valid);
    let next = directory.start().await;
    assert_eq!(directory.standing(&next, &old), Standing::Valid);
    std::fs::remove_dir(&obstacle).unwrap();
    let new = next
        .replace(&directory.store, &At(directory.now), &directory.entropy)
        .await
        .unwrap();
    assert_eq!(directory.standing(&next, &new.token), Standing::Valid);
}

#[tokio::test]
async fn a_start_without_the_file_makes_a_new_token_and_the_old_one_ends() {
    let directory = Directory::new().await;
    directory.start().await;
    let old = directory.content();
    std::fs::remove_file(directory.file()).unwrap();
    let next = directory.start().await;
    let new = directory.content();
    assert_ne!(new, old);
    assert_eq!(directory.standing(&next, &new), Standing::Valid);
    assert_eq!(
        directory.standing(&next, &old),
        directory.ended(End::Replaced)
    );
}

#[tokio::test]
async fn a_file_with_another_content_changes_nothing_and_one_that_others_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new().await;
    directory.start().await;
    let token = directory.content();
    write_private(&directory.file(), b"srm_of_somebody_else").unwrap();
    let next = directory.start().await;
    assert_eq!(directory.standing(&next, &token), Standing::Valid);
    assert_eq!(
        directory.standing(&next, "srm_of_somebody_else"),
        Standing::Unknown
    );
    write_private(&directory.file(), format!("{token}\n").as_bytes()).unwrap();
    let next = directory.start().await;
    assert_eq!(directory.standing(&next, &token), Standing::Valid);
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(directory.file(), open).unwrap();
    assert!(directory.try_start().await.is_err());
}

#[tokio::test]
async fn a_start_after_the_lifetime_makes_a_new_token_and_the_old_one_ended_with_it() {
    let mut directory = Directory::new().await;
    directory.lifetime = Some(SignedDuration::from_hours(24));
    let first = directory.start().await;
    let old = directory.content();
    let end = directory.now + SignedDuration::from_hours(24);
    directory.now = end + SignedDuration::from_hours(5);
    let ended = Standing::Ended {
        since: end,
        end: End::Lifetime,
    };
    assert_eq!(directory.standing(&first, &old), ended);
    let next = directory.start().await;
    assert_eq!(directory.standing(&next, &old), ended);
    assert_eq!(
        directory.standing(&next, &directory.content()),
        Standing::Valid
    );
}

#[tokio::test]
async fn a_directory_without_a_record_keeps_its_token_which_counts_as_issued_now() {
    let mut directory = Directory::new().await;
    directory.lifetime = Some(SignedDuration::from_hours(24));
    write_private(&directory.file(), b"srm_before").unwrap();
    let digest = TokenDigest::of("srm_before").to_text();
    let mut session = directory.store.begin().await.unwrap();
    session
        .put_setting(ADMIN_TOKEN_DIGEST, &digest)
        .await
        .unwrap();
    session.commit().await.unwrap();
    let tokens = directory.start().await;
    assert_eq!(directory.standing(&tokens, "srm_before"), Standing::Valid);
    directory.now += SignedDuration::from_hours(24);
    let next = directory.start().await;
    assert_eq!(
        directory.standing(&next, "srm_before"),
        directory.ended(End::Lifetime)
    );
}

#[test]
fn former_tokens_are_forgotten_oldest_first() {
    let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let token = |number: usize| TokenDigest::of(&number.to_string());
    let mut record = Record::default();
    for number in 0..MAX_FORMER_TOKENS + 3 {
        record = record.announced(token(number), now, None).settled();
    }
    assert_eq!(record.former.len(), MAX_FORMER_TOKENS);
    let oldest = Former {
        digest: token(2),
        until: now,
        end: End::Replaced,
    };
    assert_eq!(record.former[0], oldest);
    assert_eq!(record.standing(token(1), now, None), Standing::Unknown);
    let newest = token(MAX_FORMER_TOKENS + 2);
    assert_eq!(record.standing(newest, now, None), Standing::Valid);
}

#[test]
fn a_lifetime_beyond_all_dates_never_ends() {
    let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let forever = Some(SignedDuration::MAX);
    let digest = TokenDigest::of("a");
    let record = Record::default().announced(digest, now, forever).settled();
    assert_eq!(
        record.standing(digest, Timestamp::MAX, forever),
        Standing::Valid
    );
}
