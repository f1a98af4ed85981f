//! [`Operation`]: the name of an operation.

use std::fmt;

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// An operation of a driver, a reader or a writer; part of every [`Error`](crate::Error).
        ///
        /// Its text is the name of the method.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$doc])* #[cfg_attr(feature = "serde", serde(rename = $name))] $variant,)*
        }

        impl Operation {
            /// All operations.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name of the method.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

operations! {
    /// Opening a driver: its constructor.
    Open = "open",
    /// [`StorageDriver::get_content`](crate::StorageDriver::get_content).
    GetContent = "get_content",
    /// [`StorageDriver::get_range`](crate::StorageDriver::get_range).
    GetRange = "get_range",
    /// [`StorageDriver::put_content`](crate::StorageDriver::put_content).
    PutContent = "put_content",
    /// [`StorageDriver::reader`](crate::StorageDriver::reader).
    Reader = "reader",
    /// Reading from a [`Reader`](crate::Reader).
    Read = "read",
    /// [`StorageDriver::writer`](crate::StorageDriver::writer).
    Writer = "writer",
    /// [`Writer::write_bytes`](crate::Writer::write_bytes) and its adapters.
    Write = "write",
    /// [`Writer::set_note`](crate::Writer::set_note).
    SetNote = "set_note",
    /// [`Writer::sync`](crate::Writer::sync).
    Sync = "sync",
    /// [`Writer::suspend`](crate::Writer::suspend).
    Suspend = "suspend",
    /// [`Writer::commit`](crate::Writer::commit).
    Commit = "commit",
    /// [`Writer::commit_to`](crate::Writer::commit_to).
    CommitTo = "commit_to",
    /// [`Writer::cancel`](crate::Writer::cancel).
    Cancel = "cancel",
    /// [`StorageDriver::create_upload`](crate::StorageDriver::create_upload).
    CreateUpload = "create_upload",
    /// [`StorageDriver::file`](crate::StorageDriver::file).
    File = "file",
    /// [`StorageDriver::stat`](crate::StorageDriver::stat).
    Stat = "stat",
    /// [`StorageDriver::list`](crate::StorageDriver::list).
    List = "list",
    /// [`StorageDriver::walk`](crate::StorageDriver::walk).
    Walk = "walk",
    /// [`StorageDriver::uploads`](crate::StorageDriver::uploads).
    Uploads = "uploads",
    /// [`StorageDriver::upload`](crate::StorageDriver::upload).
    Upload = "upload",
    /// [`StorageDriver::cancel_upload`](crate::StorageDriver::cancel_upload).
    CancelUpload = "cancel_upload",
    /// [`StorageDriver::cancel_uploads`](crate::StorageDriver::cancel_uploads).
    CancelUploads = "cancel_uploads",
    /// [`StorageDriver::rename`](crate::StorageDriver::rename).
    Rename = "rename",
    /// [`StorageDriver::rename_dir`](crate::StorageDriver::rename_dir).
    RenameDir = "rename_dir",
    /// [`StorageDriver::copy`](crate::StorageDriver::copy).
    Copy = "copy",
    /// [`StorageDriver::delete`](crate::StorageDriver::delete).
    Delete = "delete",
    /// [`StorageDriver::delete_dir`](crate::StorageDriver::delete_dir).
    DeleteDir = "delete_dir",
    /// [`StorageDriver::delete_many`](crate::StorageDriver::delete_many).
    DeleteMany = "delete_many",
    /// [`StorageDriver::touch`](crate::StorageDriver::touch).
    Touch = "touch",
    /// [`StorageDriver::redirect_url`](crate::StorageDriver::redirect_url).
    RedirectUrl = "redirect_url",
    /// [`StorageDriver::sweep`](crate::StorageDriver::sweep).
    Sweep = "sweep",
    /// [`StorageDriver::health`](crate::StorageDriver::health).
    Health = "health",
    /// [`StorageDriver::shutdown`](crate::StorageDriver::shutdown).
    Shutdown = "shutdown",
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
