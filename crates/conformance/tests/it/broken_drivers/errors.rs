//! Broken drivers: errors without their context, and a driver that does not shut down.

use super::breakage::*;

broken_drivers! {
    OfHealth as health_without_context: ["shutdown::after_shutdown_errors_of_health_say_where"];
    OfWriters as writer_with_the_wrong_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_writers_say_where",
    ];
    OfGetContent as error_without_context: ["errors::errors_of_get_content_say_where"];
    NeverShutsDown as shutdown_that_does_nothing: [
        "shutdown::after_shutdown_nothing_can_be_read",
        "cancel_safety::dropped_shutdown_can_be_called_again",
    ];
    OfUploads as uploads_without_context: ["shutdown::after_shutdown_errors_of_uploads_say_where"];
    OfCancelUpload as cancel_upload_without_context: [
        "shutdown::after_shutdown_errors_of_cancelling_say_where",
    ];
    OfCancelUploads as cancel_uploads_without_context: [
        "shutdown::after_shutdown_errors_of_cancelling_say_where",
    ];
    OfReader as reader_without_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_reading_say_where",
    ];
    OfStat as stat_without_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_looking_up_say_where",
    ];
    OfPut as put_without_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_writing_say_where",
    ];
    OfDelete as delete_without_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_deleting_say_where",
    ];
    OfRename as rename_without_context_after_shutdown: [
        "shutdown::after_shutdown_errors_of_moving_say_where",
    ];
}

/// The error without its context.
fn bare(error: Error) -> Error {
    Error::new(error.kind())
}

/// A broken driver whose errors of one operation have no context.
macro_rules! without_context {
    ($($name:ident: $operation:ident;)*) => {$(
        broken! {
            /// 8.1: the errors of an operation have no context.
            $name {
                async fn around<'a, T: Send + 'a>(
                    &'a self,
                    operation: Operation,
                    _: &'a Path,
                    call: impl Future<Output = Result<T>> + Send + 'a,
                ) -> Result<T> {
                    match operation {
                        Operation::$operation => call.await.map_err(bare),
                        _ => call.await,
                    }
                }
            }
        }
    )*};
}

without_context! {
    OfGetContent: GetContent;
    OfReader: Reader;
    OfStat: Stat;
    OfPut: PutContent;
    OfDelete: Delete;
    OfRename: Rename;
    OfUploads: Uploads;
    OfCancelUpload: CancelUpload;
    OfCancelUploads: CancelUploads;
}

broken! {
    /// 8.1: the errors of an unhealthy store have no context.
    OfHealth {
        async fn health(&self) -> Health {
            let Health { read, write, .. } = self.inner.health().await;
            let mut health = Health::ok();
            (health.read, health.write) = (read.map_err(bare), write.map_err(bare));
            health
        }
    }
}

writes_with! {
    /// 8.4: a writer's errors name the root.
    OfWriters, |_, _| NamesTheRoot
}

struct NamesTheRoot;

/// The error with another path.
fn at_root(error: Error) -> Error {
    bare(error).context("reference", Operation::Writer, &Path::root())
}

impl BrokenWriter for NamesTheRoot {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        write(inner, data).map_err(at_root)
    }

    fn note(&mut self, inner: &mut Writer, note: Bytes) -> Result<()> {
        inner.set_note(note).map_err(at_root)
    }

    fn sync(&mut self, inner: &mut Writer) -> Result<()> {
        sync(inner).map_err(at_root)
    }

    async fn commit(self, commit: Commit<'_>) -> Result<Metadata> {
        commit.run().await.map_err(at_root)
    }

    async fn cancel(self, inner: Writer) -> Result<()> {
        inner.cancel().await.map_err(at_root)
    }
}

broken! {
    /// 9.4: a driver works after its shutdown.
    NeverShutsDown {
        async fn shutdown(&self) -> Result<()> {
            Ok(())
        }
    }
}
