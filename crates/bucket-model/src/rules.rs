//! [`Rules`]: the steps of the protocol that a test can leave out.

/// A step of the protocol that matters. Without it the checker finds a counterexample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Rule {
    /// To resume is to swap the journal: `Backend::resume`.
    FenceSwap,
    /// To resume with a journal that is remembered is to swap it as well: `Backend::resume`.
    ReopenSwap,
    /// The journal is replaced by a swap of the state that was kept last: `Upload::swap`.
    JournalSwap,
    /// The journal announces a commit before the record is put: `Upload::commit`.
    Announce,
    /// A commit that is tried again checks first that its writer is not fenced: `StillOurs`.
    Guard,
    /// So does a commit whose condition makes it read the destination first: `Backend::replace`.
    GuardAfterRead,
    /// A commit whose outcome is unknown fails so, also if its journal is gone: `Upload::commit`.
    Unknown,
    /// Of those that settle a commit, one swaps its journal: `Backend::settle`.
    FenceOnce,
    /// Before a commit is undone, the state of its destination is changed: `Backend::fence`.
    FenceDestination,
    /// Before a commit is undone, its record is looked for at the destination: `Backend::settle`.
    LookForCommit,
    /// A cancellation that is tried again leaves another upload alone: `Backend::cancel_upload`.
    CancelOnce,
    /// Before a record is replaced or removed, the journal that it came from ends: `Backend::settle_origin`.
    SettleOrigin,
    /// A record names the states before it: `Lineage`.
    Lineage,
    /// A deletion leaves a trace before it takes effect: `Objects::withdraw`.
    Trace,
    /// A create whose outcome is unknown fences the path before it is repeated: `Published::Doubt`.
    Doubt,
    /// A tombstone names the states before it, not only the last one: `Lineage::tombstone`.
    Buried,
    /// A path that was fenced keeps a tombstone when its file is deleted: `Lineage::fenced`.
    FencedLife,
    /// A create of an upload whose outcome is unknown is not repeated, where a DELETE may follow. A tombstone takes its
    /// place, and another when the upload ends: `Objects::begin`, `Journal::fenced`.
    FencedUpload,
    /// An upload that is created again has another id: `Backend::create`.
    FreshId,
    /// The owner is made before the first extent: `ExtentWriter::ensure_owner`.
    OwnerFirst,
    /// An owner that another opening of the upload has made is used: `owner::create`.
    OwnerShared,
    /// The destination is made a holder before the record is put: `Upload::hold_for`, `Backend::share`.
    Hold,
    /// A holder that is added again changes the owner: `owner::add`.
    HoldAgain,
    /// The sweeper swaps the owner to dying before it removes data: `Sweep::examine`.
    Dying,
    /// The sweeper looks at uploads before it looks at files: `Sweep::named`.
    UploadsFirst,
    /// The sweeper asks an object's age after it has read the object: `Sweep::examine`, `Sweep::tombstones`.
    AgeAfterRead,
    /// The sweeper leaves what is younger than the grace: `Age::is_over`.
    Grace,
    /// The deep sweep looks at owners without a hint: `Sweep::every_owner`.
    EveryOwner,
    /// The deep sweep removes extents that no record names, of data that is named: `Sweep::remove_loose`.
    Loose,
    /// It swaps the owner first: `Sweep::remove_loose`.
    LooseSwap,
    /// It takes the extents that it has seen when it found the data named: `Sweep::examine`.
    OneLook,
    /// The deep sweep removes data without an owner: `Sweep::ownerless_data`.
    Ownerless,
    /// The deep sweep removes tombstones: `Sweep::tombstones`.
    Bury,
}

/// The rules that a model keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules(u64);

impl Rules {
    pub(crate) const fn all() -> Self {
        Self(u64::MAX)
    }

    /// Leaves a rule out.
    #[must_use]
    pub(crate) const fn without(self, rule: Rule) -> Self {
        Self(self.0 & !(1 << rule as u8))
    }

    pub(crate) const fn keep(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u8) != 0
    }
}
