//! Broken drivers: how whole content is stored, described and limited.

use std::{collections::HashMap, sync::Mutex};

use tokio::task::yield_now;

use super::breakage::*;

broken_drivers! {
    TornPut as torn_put: [
        "concurrency::readers_see_one_put_or_another_and_no_mix",
        "cancel_safety::dropped_put_content_stores_once_or_never",
        "model::operations_with_faults_take_effect_once_or_never",
    ];
    KeepsTheTail as put_that_keeps_the_tail: [
        "content::shorter_content_replaces_longer_whole",
        "model::sequences_return_what_the_model_returns",
    ];
    SwapsParts as swapped_parts: ["content::bytes_around_1_mib_come_back"];
    IgnoresTheLimit as content_without_a_limit: [
        "content::content_longer_than_the_limit_is_too_large",
        "model::sequences_return_what_the_model_returns",
    ];
    RemembersSizes as stale_size_in_stat: ["model::sequences_return_what_the_model_returns"];
    SameMomentSameVersion as version_made_of_the_time: [
        "times::other_content_of_the_same_moment_has_another_version",
    ];
}

broken! {
    /// 3.3: a put goes through a half-written file.
    TornPut {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let bytes = content.into_bytes();
            let half = bytes.slice(..bytes.len() / 2);
            self.inner.put_content(path, half.into(), precondition).await?;
            yield_now().await;
            self.inner.put_content(path, bytes.into(), Precondition::None).await
        }
    }
}

broken! {
    /// 3.3: shorter content leaves the end of the longer that it replaces.
    KeepsTheTail {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let mut bytes = content.into_bytes().to_vec();
            if let Ok(old) = self.inner.get_bytes(path, u64::MAX).await {
                bytes.extend_from_slice(old.get(bytes.len()..).unwrap_or_default());
            }
            self.inner.put_content(path, bytes.into(), precondition).await
        }
    }
}

broken! {
    /// 3.1: content of more than 64 KiB comes back with its halves swapped.
    SwapsParts {
        async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
            let content = self.inner.get_content(path, limit).await?;
            let (metadata, bytes) = (content.metadata().clone(), content.into_bytes());
            if bytes.len() <= 64 << 10 {
                return Ok(Content::new(metadata, bytes.into()));
            }
            let (first, second) = (bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..));
            Ok(Content::new(metadata, Payload::from_iter([second, first])))
        }
    }
}

broken! {
    /// 3.2: the limit is ignored.
    IgnoresTheLimit {
        async fn get_content(&self, path: &Path, _: u64) -> Result<Content> {
            self.inner.get_content(path, u64::MAX).await
        }
    }
}

broken! {
    /// 6.1: `stat` returns the size that it returned first.
    RemembersSizes(sizes: Mutex<HashMap<Path, u64>>) {
        async fn stat(&self, path: &Path) -> Result<Stat> {
            let stat = self.inner.stat(path).await?;
            Ok(match stat {
                Stat::File(mut file) => {
                    let mut sizes = self.sizes.lock().unwrap();
                    file.size = *sizes.entry(path.clone()).or_insert(file.size);
                    Stat::File(file)
                }
                directory => directory,
            })
        }
    }
}

fn dated(mut file: Metadata) -> Metadata {
    file.version = Version::new(format!("{:?} {}", file.modified, file.size));
    file
}

broken! {
    /// 2.1: a version is made of the time and the size.
    SameMomentSameVersion {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            self.inner.put_content(path, content, precondition).await.map(dated)
        }

        async fn stat(&self, path: &Path) -> Result<Stat> {
            Ok(match self.inner.stat(path).await? {
                Stat::File(file) => Stat::File(dated(file)),
                directory => directory,
            })
        }
    }
}
