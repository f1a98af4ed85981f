//! Broken drivers: preconditions that are ignored, or checked at the wrong moment.

use tokio::task::yield_now;

use super::breakage::*;

broken_drivers! {
    IgnoresIfVersion as ignored_if_version: [
        "conditions::if_version_fails_where_another_version_is",
        "model::sequences_return_what_the_model_returns",
    ];
    ChecksThenPuts as lost_race_of_a_precondition: [
        "concurrency::of_many_if_absent_puts_one_succeeds",
        "linearizability::operations_on_one_path_take_effect_at_one_moment",
    ];
    ChecksThenPutsAtOnce as lost_race_of_threads: [
        "linearizability::operations_on_one_path_take_effect_at_one_moment",
    ];
    ChecksConditionsFirst as condition_before_a_conflict: [
        "order::a_conflict_comes_before_a_condition",
        "model::sequences_return_what_the_model_returns",
    ];
    TouchIgnoresConditions as touch_under_no_condition: ["copying::touch_takes_if_version"];
    OwnRenameIgnoresConditions as rename_onto_itself_under_no_condition: [
        "renaming::rename_onto_itself_checks_its_precondition",
    ];
    OwnCopyIgnoresConditions as copy_onto_itself_under_no_condition: [
        "copying::copy_onto_itself_checks_its_precondition",
    ];
}

/// The precondition without the demand for a version.
fn ignoring_versions(precondition: Precondition) -> Precondition {
    match precondition {
        Precondition::IfVersion(_) => Precondition::None,
        other => other,
    }
}

/// Checks a precondition in a step of its own, before the operation.
async fn check(driver: &Reference, path: &Path, precondition: &Precondition) -> Result<()> {
    let current = driver.stat(path).await.ok().and_then(|stat| stat.into_file().ok());
    precondition.check(current.map(|file| file.version).as_ref())
}

broken! {
    /// 3.4: `IfVersion` is treated as no condition.
    IgnoresIfVersion {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            self.inner.put_content(path, content, ignoring_versions(precondition)).await
        }
    }
}

broken! {
    /// 7.7: a touch ignores its precondition.
    TouchIgnoresConditions {
        async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
            self.inner.touch(path, ignoring_versions(precondition)).await
        }
    }
}

broken! {
    /// 3.4: the precondition is checked first, and the put is made later.
    ChecksThenPuts {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            check(&self.inner, path, &precondition).await?;
            yield_now().await;
            self.inner.put_content(path, content, Precondition::None).await
        }
    }
}

broken! {
    /// 9.2: the same without an await in between, so that it needs threads to be seen.
    ChecksThenPutsAtOnce {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            check(&self.inner, path, &precondition).await?;
            // Other threads run now, on a busy machine too.
            for _ in 0..20 {
                (0..100).for_each(|_| std::hint::spin_loop());
                std::thread::yield_now();
            }
            self.inner.put_content(path, content, Precondition::None).await
        }
    }
}

broken! {
    /// 8.6: a condition is checked before the conflict.
    ChecksConditionsFirst {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            if let (Precondition::IfVersion(_), Ok(Stat::Directory(_))) =
                (&precondition, self.inner.stat(path).await)
                && !path.is_root()
            {
                return Err(Error::new(ErrorKind::PreconditionFailed).at(path));
            }
            self.inner.put_content(path, content, precondition).await
        }
    }
}

/// A broken driver whose rename or copy of a file onto itself ignores the condition.
macro_rules! ignores_conditions_onto_itself {
    ($(#[$doc:meta])* $name:ident, $method:ident) => {
        broken! {
            $(#[$doc])*
            $name {
                async fn $method(
                    &self,
                    from: &Path,
                    to: &Path,
                    precondition: Precondition,
                ) -> Result<Metadata> {
                    let precondition = if from == to { Precondition::None } else { precondition };
                    self.inner.$method(from, to, precondition).await
                }
            }
        }
    };
}

ignores_conditions_onto_itself! {
    /// 7.1: a rename onto itself does nothing, whatever the condition.
    OwnRenameIgnoresConditions, rename
}

ignores_conditions_onto_itself! {
    /// 7.6: a copy onto itself does nothing, whatever the condition.
    OwnCopyIgnoresConditions, copy
}
